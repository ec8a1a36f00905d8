// Products and their pictures.
import HTTPTypes
import Hummingbird
import StorefrontKit

extension API {
  @Sendable func product(_ request: Request, _ context: ShopContext) async throws -> Product {
    guard let product = try await products.find(try context.parameters.require("id")) else {
      throw HTTPError(.notFound, message: "There is no such product.")
    }
    return product
  }

  @Sendable func picture(_ request: Request, _ context: ShopContext) async throws -> Response {
    let found = try await pictures.picture(
      of: try context.parameters.require("id"), ifNoneMatch: request.headers[.ifNoneMatch])
    guard let found else { throw HTTPError(.notFound, message: "There is no such picture.") }
    var headers: HTTPFields = [.cacheControl: "public, max-age=3600"]
    if let etag = found.etag { headers[.eTag] = etag }
    if found.status == 304 { return Response(status: .notModified, headers: headers) }
    headers[.contentType] = found.type
    let body = found.body
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody(contentLength: found.length) { writer in
        try await writer.write(body)
        try await writer.finish(nil)
      })
  }
}
