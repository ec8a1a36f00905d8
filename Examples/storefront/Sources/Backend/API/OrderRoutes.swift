// Orders, and whether their receipts are true.
import Crypto
import FoundationEssentials
import Hummingbird
import StorefrontKit

extension API {
  @Sendable func listOrders(_ request: Request, _ context: ShopContext) async throws -> [Order] {
    try await orders.all(session: session(of: request).key)
  }

  @Sendable func order(_ request: Request, _ context: ShopContext) async throws -> Order {
    let session = try session(of: request)
    guard let order = try await orders.find(session: session.key, id: try context.parameters.require("id")) else {
      throw HTTPError(.notFound, message: "There is no such order.")
    }
    return order
  }

  @Sendable func placeOrder(
    _ request: Request, _ context: ShopContext
  ) async throws -> EditedResponse<Order> {
    let session = try session(of: request)
    let wish = try Self.checked(try await request.decode(as: PlaceOrder.self, context: context))
    if let order = try await orders.find(session: session.key, checkout: wish.checkout) {
      // The cart may have outlived the order if a task ended between the two.
      try await carts.empty(session)
      return EditedResponse(status: .ok, response: order)
    }
    let cart = try await cart(of: session)
    guard !cart.lines.isEmpty else { throw HTTPError(.conflict, message: "The cart is empty.") }
    let new = NewOrder(
      id: hex(SymmetricKey(size: .bits128).withUnsafeBytes { Array($0) }), session: session.key, placed: Date(),
      request: wish, lines: cart.lines)
    guard let order = try await orders.place(new) else {
      throw HTTPError(.internalServerError, message: "The order was not written.")
    }
    try await carts.empty(session)
    return EditedResponse(status: .created, response: order)
  }

  @Sendable func verify(_ request: Request, _ context: ShopContext) async throws -> Verification {
    guard let signed = try await orders.signed(id: try context.parameters.require("id")) else {
      throw HTTPError(.notFound, message: "There is no such receipt.")
    }
    let statement = ReceiptStatement(signed.order).text
    let receipt = signed.order.receipt
    return Verification(
      valid: ReceiptSigner.verify(statement, signature: receipt.signature, publicKey: signed.publicKey),
      receipt: receipt, number: signed.order.number, statement: statement, publicKey: signed.publicKey,
      currentKey: receipt.key == signer.keyID)
  }

  /// The wish with its texts trimmed.
  /// - Throws: 422 naming the first field that does not do.
  static func checked(_ wish: PlaceOrder) throws -> PlaceOrder {
    guard (8...64).contains(wish.checkout.utf8.count) else {
      throw HTTPError(.unprocessableContent, message: "The checkout's name must have 8 to 64 characters.")
    }
    let name = wish.name.trimmed
    let email = wish.email.trimmed
    let address = wish.address.trimmed
    guard (1...120).contains(name.count) else {
      throw HTTPError(.unprocessableContent, message: "Please tell us your name (at most 120 characters).")
    }
    let parts = email.split(separator: "@", omittingEmptySubsequences: false)
    guard email.count <= 200, parts.count == 2, !parts[0].isEmpty, parts[1].contains("."), !email.contains(" ") else {
      throw HTTPError(.unprocessableContent, message: "Please give an e-mail address such as you@example.com.")
    }
    guard (5...500).contains(address.count) else {
      throw HTTPError(.unprocessableContent, message: "Please give the whole address (5 to 500 characters).")
    }
    guard !(name + email + address).utf8.contains(0) else {
      throw HTTPError(.unprocessableContent, message: "Please leave out control characters.")
    }
    return PlaceOrder(checkout: wish.checkout, name: name, email: email, address: address)
  }
}

extension String {
  /// The text without white space at its ends.
  fileprivate var trimmed: String {
    var rest = self[...]
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }
}
