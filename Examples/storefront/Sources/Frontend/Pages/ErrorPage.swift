// What a visitor sees when something is not there or does not work.
import HTTPTypes
import Hummingbird
import StorefrontKit

enum ErrorPage {
  /// The page for a backend that refused or did not answer; the log gets the details.
  static func show(_ error: BackendError, _ visit: Visit, _ context: ShopContext) -> Response {
    switch error.status {
    case let code? where (400..<500).contains(code):
      return visit.page(page(code == 404 ? "Not here" : "That did not work", error.text), status: .init(code: code))
    default:
      context.logger.warning(
        "a page could not be made", metadata: ["reason": "\(error)", "trace": "\(context.trace.id)"])
      return visit.page(
        page("The shop is catching its breath", "Please try again in a moment. Your cart is kept."),
        status: .serviceUnavailable)
    }
  }

  /// The answer to anything else that failed, for the request log.
  static func answer(_ site: Site) -> @Sendable (any Error, Request, ShopContext) -> Response {
    { error, request, context in
      let visit = Visit(request, context, site)
      guard let error = error as? any HTTPResponseError else {
        return visit.page(
          page("Something is wrong here", "Please try again in a moment."), status: .internalServerError)
      }
      let text = (error as? HTTPError)?.body ?? "There is nothing at this address."
      return visit.page(page(error.status == .notFound ? "Not here" : "That did not work", text), status: error.status)
    }
  }

  private static func page(_ title: String, _ text: String) -> Page {
    Page(
      title: title, cartCount: nil, part: "",
      content: """
        <h1>\(title)</h1>
        <p class="lead" id="problem">\(text)</p>
        <p><a class="button" href="/">To the shop</a></p>
        """)
  }
}
