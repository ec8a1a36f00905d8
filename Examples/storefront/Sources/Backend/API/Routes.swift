// The addresses of the backend.
import FoundationEssentials
import HTTPTypes
import Hummingbird
import StorefrontKit

extension Product: ResponseEncodable {}
extension Cart: ResponseEncodable {}
extension Order: ResponseEncodable {}
extension Verification: ResponseEncodable {}
extension Problem: ResponseEncodable {}

/// Everything that answers requests.
struct API: Sendable {
  let products: ProductStore
  let carts: CartStore
  let orders: OrderStore
  let pictures: PictureStore
  let signer: ReceiptSigner
  let health: Health

  /// All routes, behind the request log.
  func router(log: RequestLog) -> Router<ShopContext> {
    let router = Router(context: ShopContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: log)
    router.get("/healthz") { _, _ in
      let report = await health.report()
      return EditedResponse(status: report.isHealthy ? .ok : .serviceUnavailable, response: report)
    }
    let api = router.group("api")
    api.get("products") { _, _ in try await products.all() }
    api.get("products/:id", use: product)
    api.get("pictures/:id", use: picture)
    api.get("cart", use: cart)
    api.post("cart/items", use: addToCart)
    api.put("cart/items/:id", use: setQuantity)
    api.get("orders", use: listOrders)
    api.post("orders", use: placeOrder)
    api.get("orders/:id", use: order)
    api.get("receipts/:id/verify", use: verify)
    return router
  }

  /// The answer to a request that failed: our own words for what the caller can mend, no details of what it cannot.
  static func answer(_ error: any Error, _ request: Request, _ context: ShopContext) -> Response {
    let status: HTTPResponse.Status
    let text: String
    switch error {
    case let error as HTTPError:
      status = error.status
      text = error.body ?? "\(error.status.reasonPhrase)."
    case let error as any HTTPResponseError:
      status = error.status
      text = "\(error.status.reasonPhrase)."
    case let error as PostgresError where error.mayPass:
      (status, text) = (.serviceUnavailable, "The order book cannot be reached at the moment.")
    case let error as RedisError where error.mayPass:
      (status, text) = (.serviceUnavailable, "Carts cannot be reached at the moment.")
    case is S3Error, is CredentialsError:
      (status, text) = (.badGateway, "The picture cannot be reached at the moment.")
    default:
      (status, text) = (.internalServerError, "Something is wrong here.")
    }
    let body = (try? JSONEncoder().encode(Problem(error: text))) ?? Data("{}".utf8)
    return Response(
      status: status, headers: [.contentType: "application/json; charset=utf-8"],
      body: .init(byteBuffer: ByteBuffer(bytes: body)))
  }

  /// The session that a request belongs to.
  /// - Throws: 400 when it names none.
  func session(of request: Request) throws -> Session {
    guard let session = request.headers[.session].flatMap({ Session(token: $0) }) else {
      throw HTTPError(.badRequest, message: "The request names no session.")
    }
    return session
  }
}
