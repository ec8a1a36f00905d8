// The cart of a session.
import FoundationEssentials
import Hummingbird
import StorefrontKit

extension API {
  @Sendable func cart(_ request: Request, _ context: ShopContext) async throws -> Cart {
    try await cart(of: session(of: request))
  }

  @Sendable func addToCart(_ request: Request, _ context: ShopContext) async throws -> Cart {
    let session = try session(of: request)
    let wish = try await request.decode(as: AddToCart.self, context: context)
    guard (1...CartStore.quantityMax).contains(wish.quantity) else {
      throw HTTPError(.badRequest, message: "The quantity must be from 1 to \(CartStore.quantityMax).")
    }
    guard (8...64).contains(wish.operation.utf8.count) else {
      throw HTTPError(.badRequest, message: "The operation's name must have 8 to 64 characters.")
    }
    guard try await products.find(wish.product) != nil else {
      throw HTTPError(.notFound, message: "There is no such product.")
    }
    try await carts.add(session, product: wish.product, quantity: wish.quantity, operation: wish.operation)
    return try await cart(of: session)
  }

  @Sendable func setQuantity(_ request: Request, _ context: ShopContext) async throws -> Cart {
    let session = try session(of: request)
    let product = try context.parameters.require("id")
    let wish = try await request.decode(as: SetQuantity.self, context: context)
    guard (0...CartStore.quantityMax).contains(wish.quantity) else {
      throw HTTPError(.badRequest, message: "The quantity must be from 0 to \(CartStore.quantityMax).")
    }
    if wish.quantity > 0 {
      guard try await products.find(product) != nil else {
        throw HTTPError(.notFound, message: "There is no such product.")
      }
    }
    try await carts.set(session, product: product, quantity: wish.quantity)
    return try await cart(of: session)
  }

  /// The cart with today's names and prices; a product that is no longer sold is left out.
  func cart(of session: Session) async throws -> Cart {
    let quantities = try await carts.quantities(session, now: Date())
    guard !quantities.isEmpty else { return Cart(lines: []) }
    return Cart(
      lines: try await products.all().compactMap { product in
        quantities[product.id].map {
          Line(product: product.id, name: product.name, cents: product.cents, quantity: $0)
        }
      })
  }
}
