// The cart, and what can be done to it.
import HTTPTypes
import Hummingbird
import StorefrontKit

enum CartPage {
  struct Item: Decodable, Sendable {
    let product: String
    let quantity: Int
  }

  struct Removal: Decodable, Sendable {
    let product: String
  }

  static func show(_ visit: Visit, _ context: ShopContext) async throws -> Response {
    let cart: Cart = try await visit.backend.get("/api/cart")
    return visit.page(Page(title: "Cart", cartCount: cart.count, part: "cart", content: content(cart)))
  }

  static func add(_ visit: Visit, _ item: Item) async throws -> Response {
    let wish = AddToCart(product: item.product, quantity: item.quantity, operation: Visit.newName())
    try await visit.backend.send(.POST, "/api/cart/items", wish, as: Cart.self)
    return visit.redirect(to: "/cart")
  }

  static func update(_ visit: Visit, _ item: Item) async throws -> Response {
    try await set(visit, item.product, item.quantity)
  }

  static func remove(_ visit: Visit, _ removal: Removal) async throws -> Response {
    try await set(visit, removal.product, 0)
  }

  private static func set(_ visit: Visit, _ product: String, _ quantity: Int) async throws -> Response {
    guard ProductPage.isID(product) else { throw HTTPError(.badRequest, message: "There is no such product.") }
    try await visit.backend.send(
      .PUT, "/api/cart/items/\(product)", SetQuantity(quantity: quantity), as: Cart.self)
    return visit.redirect(to: "/cart")
  }

  static func content(_ cart: Cart) -> HTML {
    guard !cart.lines.isEmpty else {
      return """
        <h1>Cart</h1>
        <p class="empty" id="empty-cart">There is nothing in it yet.</p>
        <p><a class="button" href="/">Look around</a></p>
        """
    }
    return """
      <h1>Cart</h1>
      <ul class="lines" id="cart">
      \(cart.lines.map(line))
      </ul>
      <div class="sum"><span>Total</span><strong id="cart-total">\(dollars(cart.total))</strong></div>
      <p class="actions"><a href="/">Go on looking</a><a class="button" href="/checkout" id="to-checkout">Check out</a></p>
      """
  }

  private static func line(_ line: Line) -> HTML {
    """
    <li class="line" data-product="\(line.product)">
    <a href="/products/\(line.product)" tabindex="-1" aria-hidden="true"><img src="/pictures/\(line.product)" alt="" \
    width="96" height="96"></a>
    <div class="what"><a href="/products/\(line.product)"><strong>\(line.name)</strong></a>
    <span class="dim">\(dollars(line.cents)) each</span></div>
    <form method="post" action="/cart/update" class="quantity">
    <input type="hidden" name="product" value="\(line.product)">
    <label><span class="hidden">Quantity of \(line.name)</span>
    <input type="number" name="quantity" value="\(line.quantity)" min="0" max="99" required inputmode="numeric"></label>
    <button type="submit" class="plain">Update</button>
    </form>
    <form method="post" action="/cart/remove">
    <input type="hidden" name="product" value="\(line.product)">
    <button type="submit" class="plain">Remove<span class="hidden"> \(line.name)</span></button>
    </form>
    <span class="price">\(dollars(line.total))</span>
    </li>

    """
  }
}
