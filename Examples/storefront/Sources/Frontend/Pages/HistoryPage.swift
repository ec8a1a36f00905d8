// The orders of this visitor.
import Hummingbird
import StorefrontKit

enum HistoryPage {
  static func show(_ visit: Visit, _ context: ShopContext) async throws -> Response {
    let backend = visit.backend
    async let orders: [Order] = backend.get("/api/orders")
    async let cart: Cart = backend.get("/api/cart")
    let (found, count) = (try await orders, try await cart.count)
    return visit.page(Page(title: "Orders", cartCount: count, part: "orders", content: content(found)))
  }

  static func content(_ orders: [Order]) -> HTML {
    guard !orders.isEmpty else {
      return """
        <h1>Orders</h1>
        <p class="empty" id="no-orders">You have not ordered anything yet.</p>
        <p><a class="button" href="/">Look around</a></p>
        """
    }
    return """
      <h1>Orders</h1>
      <ul class="lines" id="orders">
      \(orders.map(item))
      </ul>
      """
  }

  private static func item(_ order: Order) -> HTML {
    let pictures: [HTML] = order.lines.prefix(4).map {
      "<img src=\"/pictures/\($0.product)\" alt=\"\" width=\"64\" height=\"64\">"
    }
    return """
      <li data-order="\(order.id)"><a class="line order" href="/orders/\(order.id)">
      <span class="what"><strong>Order \(order.number)</strong>
      <span class="dim">\(when(order.placed)) · \(counted(order.count, "item", "items"))</span></span>
      <span class="thumbs">\(pictures)</span>
      <span class="price">\(dollars(order.total))</span>
      </a></li>

      """
  }
}
