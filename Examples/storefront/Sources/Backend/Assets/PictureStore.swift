// Product pictures in the bucket.
import Logging
import StorefrontKit

struct PictureStore: Sendable {
  let bucket: S3Client
  let products: ProductStore

  /// Puts the pictures that are not there yet. Keys carry a digest of the bytes, so tasks that do this at once, or tasks
  /// of two releases, never disagree.
  func upload(_ goods: [Goods], logger: Logger) async throws {
    for item in goods where try await !bucket.exists(item.pictureKey) {
      try await bucket.put(item.pictureKey, Array(item.drawing.utf8), type: "image/svg+xml")
      logger.info("uploaded a picture", metadata: ["key": "\(item.pictureKey)"])
    }
  }

  /// The picture of a product, or nil when there is no such product.
  func picture(of product: String, ifNoneMatch: String?) async throws -> S3Object? {
    guard let key = try await products.pictureKey(of: product) else { return nil }
    return try await bucket.get(key, ifNoneMatch: ifNoneMatch)
  }
}
