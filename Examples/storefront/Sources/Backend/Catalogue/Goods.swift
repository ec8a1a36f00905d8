// What a product is before it is in the database: its words and its drawing.
import Crypto
import FoundationEssentials
import StorefrontKit

struct Goods: Sendable {
  let product: Product
  /// SVG, 800 by 800.
  let drawing: String

  /// Where the drawing lies in the bucket.
  var pictureKey: String {
    "products/\(product.id)-\(hex(SHA256.hash(data: Data(drawing.utf8))).prefix(12)).svg"
  }
}
