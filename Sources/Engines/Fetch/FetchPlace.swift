// Where a URL points, as far as a small client needs to know.

/// Where a URL points.
public struct FetchPlace: Sendable {
  public var isSecure: Bool
  public var host: String
  /// 80 or 443 where the URL has none.
  public var port: UInt16
  public var path: String
  /// Host and port as the URL has them.
  public var authority: String

  /// Nil for what is not `http://host[:port]/path` or `https://…`.
  public init?(_ url: String) {
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let colon = url.range(of: "://") else { return nil }
    switch url[..<colon.start].lowercased() {
    case "http": isSecure = false
    case "https": isSecure = true
    default: return nil
    }
    let rest = url[colon.end...]
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    authority = String(rest[..<end])
    path = String(rest[end...])
    if !path.hasPrefix("/") { path = "/" + path }
    let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
    guard let name = parts.first, !name.isEmpty, parts.count <= 2 else { return nil }
    host = String(name)
    port = isSecure ? 443 : 80
    if parts.count == 2 {
      guard let number = UInt16(parts[1]) else { return nil }
      port = number
    }
  }
}

extension String {
  /// Where a short text is found first.
  fileprivate func range(of text: String) -> (start: Index, end: Index)? {
    var position = startIndex
    while position < endIndex {
      if self[position...].hasPrefix(text) { return (position, index(position, offsetBy: text.count)) }
      position = index(after: position)
    }
    return nil
  }
}
