// An order with its receipt.
import HTTPTypes
import Hummingbird
import StorefrontKit

enum OrderPage {
  static func show(_ visit: Visit, _ context: ShopContext) async throws -> Response {
    let id = try context.parameters.require("id")
    guard ProductPage.isID(id) else { throw HTTPError(.notFound, message: "There is no such order.") }
    let backend = visit.backend
    async let order: Order = backend.get("/api/orders/\(id)")
    async let cart: Cart = backend.get("/api/cart")
    let (found, count) = (try await order, try await cart.count)
    return visit.page(
      Page(title: "Order \(found.number)", cartCount: count, part: "orders", content: content(found)))
  }

  static func content(_ order: Order) -> HTML {
    """
    <p class="crumbs"><a href="/orders">← All orders</a></p>
    <h1 id="order-number" data-order="\(order.id)">Order \(order.number)</h1>
    <p class="lead">Thank you, \(order.name). It was placed on \(when(order.placed)).</p>
    <div class="checkout">
    <section class="panel" aria-labelledby="bought">
    <h2 id="bought">What you ordered</h2>
    \(lines(order.lines, total: order.total))
    <h2>Where it goes</h2>
    <p class="address">\(order.name)
    \(order.address)</p>
    <p class="dim">\(order.email)</p>
    </section>
    <section class="panel receipt" id="receipt" aria-labelledby="signed">
    <h2 id="signed">Receipt</h2>
    <p>Signed with \(order.receipt.algorithm) when the order was written, over its number, time, lines, total and buyer.</p>
    <dl>
    <dt>Key</dt><dd><code>\(order.receipt.key)</code></dd>
    <dt>Signature</dt><dd><code id="signature">\(order.receipt.signature)</code></dd>
    </dl>
    <p><a class="button" id="verify" href="/receipts/\(order.receipt.id)/verify">Verify the signature</a></p>
    </section>
    </div>
    """
  }

  /// What was bought, with its sum.
  static func lines(_ lines: [Line], total: Int) -> HTML {
    let rows: [HTML] = lines.map { line in
      """
      <tr><td>\(line.name) <span class="dim">× \(line.quantity)</span></td><td>\(dollars(line.total))</td></tr>

      """
    }
    return """
      <table>
      <caption class="hidden">Goods and prices</caption>
      <tbody>\(rows)</tbody>
      <tfoot><tr><th scope="row">Total</th><td>\(dollars(total))</td></tr></tfoot>
      </table>
      """
  }
}
