// One request of a visitor: who it is, the backend on the visitor's behalf, and the way to a page.
import FoundationEssentials
import HTTPTypes
import Hummingbird
import StorefrontKit

struct Visit: Sendable {
  static let cookie = "storefront_session"
  /// A year; the backend forgets carts sooner, and never orders.
  static let cookieSeconds = 365 * 86_400

  let site: Site
  let backend: Backend
  private let isNew: Bool
  private let isSecure: Bool

  init(_ request: Request, _ context: ShopContext, _ site: Site) {
    self.site = site
    let known = request.cookies[Visit.cookie]?.value
    let token = known.flatMap { Visit.isToken($0) ? $0 : nil }
    isNew = token == nil
    isSecure = request.headers[.forwardedProto] == "https"
    backend = Backend(
      client: site.client, base: site.backendURL, trace: context.trace, session: token ?? Visit.newName())
  }

  /// 128 random bits as 32 hexadecimal digits; also names checkouts and additions.
  static func newName() -> String {
    [UInt64.random(in: .min ... .max), .random(in: .min ... .max)].map { number in
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  private static func isToken(_ text: String) -> Bool {
    text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// A page, with the cart's count in its head and the tasks that made it at its foot.
  func page(_ page: Page, status: HTTPResponse.Status = .ok) -> Response {
    let tasks = backend.servedBy.tasks
    let markup = Layout.document(page, frontend: site.task, backend: tasks)
    var response = Response(
      status: status,
      headers: [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"],
      body: .init(byteBuffer: ByteBuffer(string: markup.markup)))
    finish(&response)
    return response
  }

  /// Sends the visitor on, after a form.
  func redirect(to path: String) -> Response {
    var response = Response(status: .seeOther, headers: [.location: path])
    finish(&response)
    return response
  }

  private func finish(_ response: inout Response) {
    if !backend.servedBy.tasks.isEmpty {
      response.headers[.backendTask] = backend.servedBy.tasks.joined(separator: ", ")
    }
    if isNew {
      response.setCookie(
        Cookie(
          name: Visit.cookie, value: backend.session, maxAge: Visit.cookieSeconds, path: "/", secure: isSecure,
          httpOnly: true, sameSite: .lax))
    }
  }
}
