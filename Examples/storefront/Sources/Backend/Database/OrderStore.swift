// Orders and their receipts in the database.
import FoundationEssentials
import StorefrontKit

/// An order about to be written.
struct NewOrder: Sendable {
  let id: String
  /// The session's key, never its token.
  let session: String
  let placed: Date
  let request: PlaceOrder
  let lines: [Line]
}

/// What a verification needs.
struct SignedOrder: Sendable {
  let order: Order
  let publicKey: String
}

struct OrderStore: Sendable {
  let pool: PostgresPool
  let signer: ReceiptSigner

  private static let order = """
    SELECT o.id, o.number, to_char(o.placed AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), o.name, o.email,
      o.address, r.key_id, r.signature, k.public_key
    FROM orders o JOIN receipts r ON r.order_id = o.id JOIN receipt_keys k ON k.id = r.key_id
    """

  /// The order that this checkout already made, if it did.
  func find(session: String, checkout: String) async throws -> Order? {
    try await pool.transaction { connection in
      try Self.load(connection, "WHERE o.session = $1 AND o.checkout = $2", [session, checkout]).first?.order
    }
  }

  /// A session's own order, or nil.
  func find(session: String, id: String) async throws -> Order? {
    try await pool.transaction { connection in
      try Self.load(connection, "WHERE o.session = $1 AND o.id = $2", [session, id]).first?.order
    }
  }

  /// Any order with its public key, for verification; or nil.
  func signed(id: String) async throws -> SignedOrder? {
    try await pool.transaction { connection in
      try Self.load(connection, "WHERE o.id = $1", [id]).first
    }
  }

  /// A session's orders, newest first; at most 100.
  func all(session: String) async throws -> [Order] {
    try await pool.transaction { connection in
      try Self.load(connection, "WHERE o.session = $1 ORDER BY o.placed DESC, o.number DESC LIMIT 100", [session])
        .map(\.order)
    }
  }

  /// Writes an order and its signed receipt. The same checkout again changes nothing and gives the order it made first.
  func place(_ new: NewOrder) async throws -> Order? {
    let signer = signer
    return try await pool.transaction { connection in
      let written = try connection.run(
        """
        INSERT INTO orders (id, session, checkout, placed, name, email, address)
        VALUES ($1, $2, $3, $4::timestamptz, $5, $6, $7) ON CONFLICT (session, checkout) DO NOTHING RETURNING number
        """,
        [
          new.id, new.session, new.request.checkout, new.placed.formatted(.iso8601), new.request.name,
          new.request.email, new.request.address,
        ])
      if let number = try written.first?.int(0) {
        try Self.writeLines(connection, new)
        let statement = ReceiptStatement(
          order: new.id, number: number, placed: new.placed.formatted(.iso8601), name: new.request.name,
          email: new.request.email, address: new.request.address, lines: new.lines)
        try connection.run(
          "INSERT INTO receipts (order_id, key_id, signature) VALUES ($1, $2, $3)",
          [new.id, signer.keyID, try signer.sign(statement.text)])
      }
      return try Self.load(
        connection, "WHERE o.session = $1 AND o.checkout = $2", [new.session, new.request.checkout]
      ).first?.order
    }
  }

  private static func writeLines(_ connection: PostgresConnection, _ new: NewOrder) throws {
    for (position, line) in new.lines.enumerated() {
      try connection.run(
        """
        INSERT INTO order_lines (order_id, position, product, name, cents, quantity)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [new.id, String(position), line.product, line.name, String(line.cents), String(line.quantity)])
    }
  }

  private static func load(
    _ connection: PostgresConnection, _ condition: String, _ parameters: [String?]
  ) throws -> [SignedOrder] {
    try connection.run("\(order) \(condition)", parameters).map { row in
      let lines = try connection.run(
        "SELECT product, name, cents, quantity FROM order_lines WHERE order_id = $1 ORDER BY position", [row[0]]
      ).map { Line(product: $0[0], name: $0[1], cents: try $0.int(2), quantity: try $0.int(3)) }
      let receipt = Receipt(id: row[0], algorithm: ReceiptSigner.algorithm, key: row[6], signature: row[7])
      let order = Order(
        id: row[0], number: try row.int(1), placed: row[2], name: row[3], email: row[4], address: row[5],
        lines: lines, receipt: receipt)
      return SignedOrder(order: order, publicKey: row[8])
    }
  }
}
