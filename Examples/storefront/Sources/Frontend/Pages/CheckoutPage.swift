// Name, address, and the order.
import HTTPTypes
import Hummingbird
import StorefrontKit

enum CheckoutPage {
  struct Fields: Decodable, Sendable {
    /// Names this checkout, so that a form sent twice orders once.
    let checkout: String
    var name = ""
    var email = ""
    var address = ""
  }

  static func show(_ visit: Visit, _ context: ShopContext) async throws -> Response {
    let cart: Cart = try await visit.backend.get("/api/cart")
    guard !cart.lines.isEmpty else { return visit.redirect(to: "/cart") }
    return visit.page(page(cart, Fields(checkout: Visit.newName()), problem: nil))
  }

  static func place(_ visit: Visit, _ fields: Fields) async throws -> Response {
    let wish = PlaceOrder(
      checkout: fields.checkout, name: fields.name, email: fields.email, address: fields.address)
    do {
      let order: Order = try await visit.backend.send(.POST, "/api/orders", wish)
      return visit.redirect(to: "/orders/\(order.id)")
    } catch let error as BackendError where error.status == 422 {
      let cart: Cart = try await visit.backend.get("/api/cart")
      return visit.page(page(cart, fields, problem: error.text), status: .unprocessableContent)
    } catch let error as BackendError where error.status == 409 {
      return visit.redirect(to: "/cart")
    }
  }

  private static func page(_ cart: Cart, _ fields: Fields, problem: String?) -> Page {
    Page(
      title: "Check out", cartCount: cart.count, part: "cart", content: content(cart, fields, problem: problem))
  }

  static func content(_ cart: Cart, _ fields: Fields, problem: String?) -> HTML {
    let warning: HTML? = problem.map { "<p class=\"warning\" role=\"alert\" id=\"problem\">\($0)</p>" }
    return """
      <p class="crumbs"><a href="/cart">← Cart</a></p>
      <h1>Check out</h1>
      \(warning)
      <div class="checkout">
      <form method="post" action="/checkout" id="checkout">
      <input type="hidden" name="checkout" value="\(fields.checkout)">
      <label>Name <input name="name" value="\(fields.name)" autocomplete="name" required maxlength="120"></label>
      <label>E-mail <input type="email" name="email" value="\(fields.email)" autocomplete="email" required \
      maxlength="200"></label>
      <label>Address <textarea name="address" rows="4" autocomplete="street-address" required minlength="5" \
      maxlength="500">\(fields.address)</textarea></label>
      <button type="submit" class="button wide" id="place-order">Place the order · \(dollars(cart.total))</button>
      <p class="dim">No money changes hands. You get a signed receipt.</p>
      </form>
      <aside class="panel" aria-label="Your order">
      <h2>Your order</h2>
      \(OrderPage.lines(cart.lines, total: cart.total))
      </aside>
      </div>
      """
  }
}
