// Markup and words of the pages.
import StorefrontKit
import Testing

@testable import storefront_frontend

@Suite struct HTMLTests {
  @Test("a text put into a page never becomes markup")
  func escapes() {
    let name = "<script>alert(\"x\" & 'y')</script>"
    let page: HTML = "<p title=\"\(name)\">\(name)</p>"
    let safe = "&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)&lt;/script&gt;"
    #expect(page.markup == "<p title=\"\(safe)\">\(safe)</p>")
  }

  @Test("pieces of markup are put in as they are, and a missing one as nothing")
  func nests() {
    let item: HTML = "<b>\(1)</b>"
    let none: HTML? = nil
    let page: HTML = "<p>\(item)\([item, item])\(none)</p>"
    #expect(page.markup == "<p><b>1</b><b>1</b><b>1</b></p>")
  }

  @Test("a buyer's name full of markup is text on the order's page")
  func orderPage() {
    let order = Order(
      id: "a", number: 1, placed: "2026-11-23T04:05:06Z", name: "<img src=x>", email: "a@b.c", address: "\"><svg>",
      lines: [Line(product: "keep-mug", name: "<i>", cents: 100, quantity: 2)],
      receipt: Receipt(id: "a", algorithm: "Ed25519", key: "k", signature: "s"))
    let markup = OrderPage.content(order).markup
    #expect(!markup.contains("<img src=x>"))
    #expect(!markup.contains("<svg>"))
    #expect(!markup.contains("<i>"))
    #expect(markup.contains("$2.00"))
  }

  @Test("amounts and times read as people write them")
  func words() {
    #expect(dollars(5) == "$0.05")
    #expect(dollars(123_456_789) == "$1,234,567.89")
    #expect(when("2026-11-23T04:05:06Z") == "23 November 2026, 04:05 UTC")
    #expect(when("soon") == "soon")
  }
}
