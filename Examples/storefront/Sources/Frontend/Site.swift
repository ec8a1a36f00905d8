// The addresses of the shop.
import AsyncHTTPClient
import FoundationEssentials
import HTTPTypes
import Hummingbird
import StorefrontKit

struct Site: Sendable {
  let task: String
  let client: HTTPClient
  let backendURL: String

  /// All routes, behind the request log.
  func router(log: RequestLog) -> Router<ShopContext> {
    let router = Router(context: ShopContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: log)
    router.add(middleware: Guard())
    router.get("/healthz") { _, _ in "ok\n" }
    router.get("/assets/style.css") { _, _ in Style.response }
    router.get("/favicon.svg") { _, _ in Style.icon }
    page(router, "/", ListPage.show)
    page(router, "/products/:id", ProductPage.show)
    page(router, "/cart", CartPage.show)
    form(router, "/cart/add", CartPage.add)
    form(router, "/cart/update", CartPage.update)
    form(router, "/cart/remove", CartPage.remove)
    page(router, "/checkout", CheckoutPage.show)
    form(router, "/checkout", CheckoutPage.place)
    page(router, "/orders", HistoryPage.show)
    page(router, "/orders/:id", OrderPage.show)
    page(router, "/receipts/:id/verify", VerifyPage.show)
    router.get("/pictures/:id") { request, context in try await Pictures.show(request, context, self) }
    return router
  }

  private func page(
    _ router: Router<ShopContext>, _ path: RouterPath,
    _ show: @escaping @Sendable (Visit, ShopContext) async throws -> Response
  ) {
    router.get(path) { request, context in
      let visit = Visit(request, context, self)
      do {
        return try await show(visit, context)
      } catch let error as BackendError {
        return ErrorPage.show(error, visit, context)
      }
    }
  }

  private func form<Fields: Decodable & Sendable>(
    _ router: Router<ShopContext>, _ path: RouterPath,
    _ act: @escaping @Sendable (Visit, Fields) async throws -> Response
  ) {
    router.post(path) { request, context in
      let visit = Visit(request, context, self)
      let body = try await request.body.collect(upTo: context.maxUploadSize)
      let fields: Fields
      do {
        fields = try URLEncodedFormDecoder().decode(Fields.self, from: String(buffer: body))
      } catch {
        throw HTTPError(.badRequest, message: "The form was not filled in as it should be.")
      }
      do {
        return try await act(visit, fields)
      } catch let error as BackendError {
        return ErrorPage.show(error, visit, context)
      }
    }
  }
}

/// What is true of every answer: no scripts, no frames, nothing from elsewhere; and no forms sent by other sites.
private struct Guard: RouterMiddleware {
  func handle(
    _ request: Request, context: ShopContext, next: (Request, ShopContext) async throws -> Response
  ) async throws -> Response {
    if request.method == .post, let site = request.headers[.fetchSite], site != "same-origin", site != "none" {
      throw HTTPError(.forbidden, message: "This form was sent from another site.")
    }
    var response = try await next(request, context)
    Guard.protect(&response)
    return response
  }

  static func protect(_ response: inout Response) {
    response.headers[.contentSecurityPolicy] =
      "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
      + "frame-ancestors 'none'"
    response.headers[.xContentTypeOptions] = "nosniff"
  }
}

/// Product pictures, passed on from the backend as they arrive.
enum Pictures {
  static func show(_ request: Request, _ context: ShopContext, _ site: Site) async throws -> Response {
    let visit = Visit(request, context, site)
    let id = try context.parameters.require("id")
    guard ProductPage.isID(id) else { throw HTTPError(.notFound, message: "There is no such picture.") }
    let condition = request.headers[.ifNoneMatch].map { [("If-None-Match", $0)] } ?? []
    let answer = try await visit.backend.execute(.GET, "/api/pictures/\(id)", headers: condition)
    var headers = HTTPFields()
    for name in ["Content-Type", "Cache-Control", "ETag"] {
      if let field = HTTPField.Name(name), let value = answer.headers.first(name: name) { headers[field] = value }
    }
    headers[.backendTask] = visit.backend.servedBy.tasks.joined(separator: ", ")
    let status = HTTPResponse.Status(code: Int(answer.status.code))
    guard status == .ok else {
      // Read to its end, so that the connection can be used again.
      _ = try await answer.body.collect(upTo: Backend.answerMax)
      if status == .notModified { return Response(status: status, headers: headers) }
      throw HTTPError(status, message: "The picture cannot be shown at the moment.")
    }
    let body = answer.body
    let length = answer.headers.first(name: "Content-Length").flatMap { Int($0) }
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody(contentLength: length) { writer in
        try await writer.write(body)
        try await writer.finish(nil)
      })
  }
}
