// Products in the database.
import StorefrontKit

struct ProductStore: Sendable {
  let pool: PostgresPool

  private static let columns = "id, name, tagline, details, material, picture, cents"

  /// All that is for sale, in the shop's order.
  func all() async throws -> [Product] {
    try await pool.transaction { connection in
      try connection.run("SELECT \(Self.columns) FROM products ORDER BY position, id").map(Self.product)
    }
  }

  /// One product, or nil.
  func find(_ id: String) async throws -> Product? {
    try await pool.transaction { connection in
      try connection.run("SELECT \(Self.columns) FROM products WHERE id = $1", [id]).first.map(Self.product)
    }
  }

  /// Where a product's picture lies in the bucket, or nil.
  func pictureKey(of id: String) async throws -> String? {
    try await pool.transaction { connection in
      try connection.run("SELECT picture_key FROM products WHERE id = $1", [id]).first.map { $0[0] }
    }
  }

  private static func product(_ row: Row) throws -> Product {
    Product(
      id: row[0], name: row[1], tagline: row[2], details: row[3], material: row[4], picture: row[5],
      cents: try row.int(6))
  }
}
