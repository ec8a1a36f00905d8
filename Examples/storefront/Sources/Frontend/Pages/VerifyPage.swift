// Whether a receipt is true. It shows nothing about the buyer, so its address may be passed on.
import HTTPTypes
import Hummingbird
import StorefrontKit

enum VerifyPage {
  static func show(_ visit: Visit, _ context: ShopContext) async throws -> Response {
    let id = try context.parameters.require("id")
    guard ProductPage.isID(id) else { throw HTTPError(.notFound, message: "There is no such receipt.") }
    let backend = visit.backend
    async let verification: Verification = backend.get("/api/receipts/\(id)/verify")
    async let cart: Cart = backend.get("/api/cart")
    let (found, count) = (try await verification, try await cart.count)
    return visit.page(
      Page(
        title: found.valid ? "The signature verifies" : "The signature does not verify", cartCount: count,
        part: "orders", content: content(found)))
  }

  static func content(_ verification: Verification) -> HTML {
    let verdict: HTML =
      verification.valid
      ? """
      <div class="verdict good" id="verification" data-valid="true" role="status">
      <h1>✓ The signature verifies</h1>
      <p>Order \(verification.number) stands in the order book exactly as it was signed.</p>
      </div>
      """
      : """
      <div class="verdict bad" id="verification" data-valid="false" role="status">
      <h1>✗ The signature does not verify</h1>
      <p>Order \(verification.number) in the order book is not what was signed.</p>
      </div>
      """
    let older: HTML? =
      verification.currentKey
      ? nil : "<p class=\"dim\">The shop’s secret has been rotated since; this key still proves what it signed.</p>"
    return """
      \(verdict)
      <section class="panel receipt">
      <h2>What was checked</h2>
      <p>This text, made anew from the order book, with the public key and the signature below.</p>
      <pre id="statement">\(verification.statement)</pre>
      <dl>
      <dt>\(verification.receipt.algorithm) public key</dt><dd><code>\(verification.publicKey)</code></dd>
      <dt>Key</dt><dd><code>\(verification.receipt.key)</code></dd>
      <dt>Signature</dt><dd><code>\(verification.receipt.signature)</code></dd>
      </dl>
      \(older)
      <p class="actions"><a href="/orders/\(verification.receipt.id)">Back to the order</a></p>
      </section>
      """
  }
}
