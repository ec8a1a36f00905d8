// One product, and the way into the cart.
import HTTPTypes
import Hummingbird
import StorefrontKit

enum ProductPage {
  static func show(_ visit: Visit, _ context: ShopContext) async throws -> Response {
    let id = try context.parameters.require("id")
    guard isID(id) else { throw HTTPError(.notFound, message: "There is no such product.") }
    let backend = visit.backend
    async let product: Product = backend.get("/api/products/\(id)")
    async let cart: Cart = backend.get("/api/cart")
    let (found, count) = (try await product, try await cart.count)
    return visit.page(Page(title: found.name, cartCount: count, part: "shop", content: content(found)))
  }

  /// Whether a text may be a product's id: only then is it put into an address of the backend.
  static func isID(_ text: String) -> Bool {
    (1...60).contains(text.utf8.count)
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
  }

  static func content(_ product: Product) -> HTML {
    """
    <p class="crumbs"><a href="/">← All goods</a></p>
    <article class="product">
    <img src="/pictures/\(product.id)" alt="\(product.picture)" width="800" height="800">
    <div>
    <h1>\(product.name)</h1>
    <p class="lead">\(product.tagline)</p>
    <p class="price big">\(dollars(product.cents))</p>
    <p>\(product.details)</p>
    <p class="dim">\(product.material)</p>
    <form method="post" action="/cart/add" class="add" id="add-to-cart">
    <input type="hidden" name="product" value="\(product.id)">
    <label>Quantity <input type="number" name="quantity" value="1" min="1" max="99" required inputmode="numeric"></label>
    <button type="submit" class="button">Add to cart</button>
    </form>
    </div>
    </article>
    """
  }
}
