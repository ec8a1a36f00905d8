// A web page in somebody's browser is not the owner: names that a foreign page could have pointed at this machine, and
// requests that a foreign page sent, are refused before anything looks at them.

/// Decides from Host and Origin whether a request may come in.
struct HostGuard: Sendable {
  /// Names, besides the usual ones, that the endpoint answers to.
  var extraHosts: Set<String> = []

  /// Why a request is refused; nil when it may come in.
  func refusal(host: String?, origin: String?, fetchSite: String?) -> String? {
    guard let host, !host.isEmpty else { return "The request names no Host." }
    let name = Self.name(host)
    guard isKnown(name) else { return "The Host \(name) is not one of this endpoint's names." }
    if let origin, origin != "null", Self.name(Self.afterScheme(origin)) != name {
      return "Cross-origin requests are refused (Origin \(origin))."
    }
    if origin == "null" || fetchSite == "cross-site" { return "Cross-origin requests are refused." }
    return nil
  }

  private func isKnown(_ name: String) -> Bool {
    if name == "127.0.0.1" || name == "localhost" || name == "::1" || name.hasSuffix(".localhost")
      || extraHosts.contains(name)
    {
      return true
    }
    // SDKs that are pointed here by a proxy or a resolver keep AWS's names.
    if name.hasSuffix(".amazonaws.com") { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if parts.count >= 4, let first = parts.suffix(4).first, first == "127" {
      // An address of this machine, also with a bucket or an account in front of it.
      return parts.suffix(4).allSatisfy { UInt8($0) != nil }
    }
    return false
  }

  private static func afterScheme(_ origin: String) -> String {
    guard let at = origin.firstRange(of: "://") else { return origin }
    return String(origin[at.upperBound...])
  }

  /// The host without its port, in lower case.
  static func name(_ host: String) -> String {
    let text = host.lowercased()
    if text.hasPrefix("[") { return String(text.dropFirst().prefix { $0 != "]" }) }
    if let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) { return String(text[..<colon]) }
    return text
  }
}
