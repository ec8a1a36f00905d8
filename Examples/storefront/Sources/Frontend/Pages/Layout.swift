// The frame of every page: head, navigation, and at the foot the tasks that served it.

/// What a page puts into the frame.
struct Page: Sendable {
  /// For the window's title.
  let title: String
  /// How many things are in the cart, when that is known.
  let cartCount: Int?
  /// The part of the shop that the navigation marks: `shop`, `orders` or `cart`.
  let part: String
  /// The content of `main`.
  let content: HTML
}

enum Layout {
  static let shop = "Bailey"

  static func document(_ page: Page, frontend: String, backend: [String]) -> HTML {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(page.title) – \(shop)</title>
    <link rel="icon" href="/favicon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/assets/style.css?v=\(Style.version)">
    </head>
    <body>
    <a class="skip" href="#main">Skip to the content</a>
    <header class="top">
    <div class="wrap">
    <a class="brand" href="/">\(mark)<span>\(shop)</span></a>
    <nav aria-label="Shop">
    \(link("/", "Shop", is: page.part == "shop"))
    \(link("/orders", "Orders", is: page.part == "orders"))
    <a class="cart" href="/cart"\(current(page.part == "cart"))>Cart\(badge(page.cartCount))</a>
    </nav>
    </div>
    </header>
    <main id="main" class="wrap">
    \(page.content)
    </main>
    <footer class="foot">
    <div class="wrap">
    <p>\(shop) sells plain goods for a small keep. Nothing here is really for sale: it is Castle’s example.</p>
    \(served(frontend, backend))
    </div>
    </footer>
    </body>
    </html>

    """
  }

  private static func link(_ path: String, _ name: String, is here: Bool) -> HTML {
    "<a href=\"\(path)\"\(current(here))>\(name)</a>"
  }

  private static func current(_ isHere: Bool) -> HTML? {
    isHere ? " aria-current=\"page\"" : nil
  }

  private static func badge(_ count: Int?) -> HTML? {
    guard let count, count > 0 else { return nil }
    return """
      <span class="badge" data-cart-count="\(count)">\(count)<span class="hidden"> in the cart</span></span>
      """
  }

  /// The tasks, where a person, and a test, can read them.
  private static func served(_ frontend: String, _ backend: [String]) -> HTML {
    let names: [HTML] = backend.map { "<code data-backend-task=\"\($0)\">\($0)</code> " }
    return """
      <p class="served" id="served-by">Served by frontend <code data-frontend-task="\(frontend)">\(frontend)</code>
      and \(backend.isEmpty ? "no backend" : HTML("backend ") + HTML(names))</p>
      """
  }

  private static let mark: HTML = """
    <svg viewBox="0 0 32 32" width="32" height="32" aria-hidden="true"><path d="M4 28V5h5v5h4.500V5h5v5H23V5h5v23h-8v-7a4 \
    4 0 0 0-8 0v7z" fill="currentColor"/></svg>
    """
}
