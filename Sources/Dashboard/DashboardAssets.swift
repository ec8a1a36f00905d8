// The dashboard's page: plain HTML, CSS and JavaScript from the folder Assets, carried inside the program.

/// A file of the page.
public struct DashboardAsset: Sendable {
  public var contentType: String
  public var bytes: [UInt8]
}

/// The files of the page, by their path under `/_castle`.
public enum DashboardAssets {
  /// What a browser may load and run: this page's own files, nothing inline, nothing from elsewhere.
  public static let contentSecurityPolicy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].joined(separator: "; ")

  /// The file at a path such as `/map.js`; nil when there is none. `/` is the page itself.
  public static func asset(_ path: String) -> DashboardAsset? {
    switch path {
    case "/": DashboardAsset(contentType: "text/html; charset=utf-8", bytes: PackageResources.index_html)
    case "/dashboard.css": DashboardAsset(contentType: "text/css; charset=utf-8", bytes: PackageResources.dashboard_css)
    case "/dashboard.js": script(PackageResources.dashboard_js)
    case "/map.js": script(PackageResources.map_js)
    case "/arrows.js": script(PackageResources.arrows_js)
    case "/details.js": script(PackageResources.details_js)
    case "/dom.js": script(PackageResources.dom_js)
    case "/castle.svg": DashboardAsset(contentType: "image/svg+xml", bytes: PackageResources.castle_svg)
    default: nil
    }
  }

  private static func script(_ bytes: [UInt8]) -> DashboardAsset {
    DashboardAsset(contentType: "text/javascript; charset=utf-8", bytes: bytes)
  }
}
