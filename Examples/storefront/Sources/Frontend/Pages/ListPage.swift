// The front page: everything that is for sale.
import Hummingbird
import StorefrontKit

enum ListPage {
  static func show(_ visit: Visit, _ context: ShopContext) async throws -> Response {
    let backend = visit.backend
    async let products: [Product] = backend.get("/api/products")
    async let cart: Cart = backend.get("/api/cart")
    return visit.page(
      Page(
        title: "Plain goods for a small keep", cartCount: try await cart.count, part: "shop",
        content: content(try await products)))
  }

  static func content(_ products: [Product]) -> HTML {
    """
    <section class="hero">
    <h1>Plain goods for a small keep</h1>
    <p>Eight things, made well enough to be the last of their kind you buy.</p>
    </section>
    <ul class="grid" id="products">
    \(products.map(card))
    </ul>
    """
  }

  private static func card(_ product: Product) -> HTML {
    """
    <li class="card" data-product="\(product.id)"><a href="/products/\(product.id)">
    <img src="/pictures/\(product.id)" alt="\(product.picture)" width="800" height="800">
    <span class="row"><strong>\(product.name)</strong><span class="price">\(dollars(product.cents))</span></span>
    <span class="dim">\(product.tagline)</span>
    </a></li>

    """
  }
}
