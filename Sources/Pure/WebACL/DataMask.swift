// Data protection of a web ACL: what must not be seen of requests in logs and samples.
// https://docs.aws.amazon.com/waf/latest/developerguide/data-protection-masking.html

import AWSCore
import Digests

extension WebACL {
  /// A part of requests that is told masked.
  public struct DataProtection: Codable, Sendable, Equatable {
    public enum Part: String, Codable, Sendable {
      case header, cookie, queryArgument, queryString, body
    }

    public var part: Part
    /// Names of headers, cookies or arguments, in lower case; empty for all of them.
    public var names: [String]
    /// The account whose number goes into the hash; nil to say REDACTED.
    public var hashAccount: String?
    /// What rate-based rules tell of the part is told as it is.
    public var sparesRates: Bool
    /// What rules found in the part is told as it is; nil: it is not.
    public var sparesMatches: Bool?

    public init(
      _ part: Part, names: [String] = [], hashAccount: String? = nil, sparesRates: Bool = false,
      sparesMatches: Bool? = nil
    ) {
      self.part = part
      self.names = names
      self.hashAccount = hashAccount
      self.sparesRates = sparesRates
      self.sparesMatches = sparesMatches
    }
  }
}

/// Masks values; of several protections of one part the first counts.
struct DataMask {
  static let redacted = "REDACTED"

  let protections: [WebACL.DataProtection]

  private func protection(_ part: WebACL.DataProtection.Part, _ name: String = "") -> WebACL.DataProtection? {
    protections.first { protection in
      guard protection.part == part else { return false }
      if protection.names.isEmpty || protection.names.contains(name.lowercased()) { return true }
      // Who encodes an argument's name reaches the application all the same.
      return part == .queryArgument && name.contains("%") && protection.names.contains(Self.decoded(name).lowercased())
    }
  }

  /// A name of a query without its percent signs.
  private static func decoded(_ name: String) -> String {
    var name = name
    let arena = Arena()
    // The text is in the arena.
    return withExtendedLifetime(arena) { name.withUTF8 { Transformer.apply(.urlDecode, $0, arena).text } }
  }

  func masked(_ value: String, _ protection: WebACL.DataProtection) -> String {
    guard let account = protection.hashAccount else { return Self.redacted }
    return Base64.encode(Array((account + value).utf8).withUnsafeBufferPointer { SHA2.sha256($0) })
  }

  func header(_ name: String, _ value: String) -> String {
    if protections.isEmpty { return value }
    if let protection = protection(.header, name) { return masked(value, protection) }
    return name.lowercased() == "cookie" ? pairs(value, .cookie, separator: ";") : value
  }

  func query(_ value: String) -> String {
    if protections.isEmpty || value.isEmpty { return value }
    if let protection = protection(.queryString) { return masked(value, protection) }
    return pairs(value, .queryArgument, separator: "&")
  }

  /// What a key of a rate-based rule held.
  func rate(_ value: String, _ key: WebACL.Rate.Key) -> String {
    if protections.isEmpty { return value }
    let found: [WebACL.DataProtection?] =
      switch key {
      case .header(let name, _): header(name)
      case .cookie(let name, _): [protection(.cookie, name), protection(.header, "cookie")]
      case .queryArgument(let name, _): [protection(.queryArgument, name), protection(.queryString)]
      case .queryString: query
      default: []
      }
    guard let protection = found.lazy.compactMap({ $0 }).first(where: { !$0.sparesRates }) else { return value }
    return masked(value, protection)
  }

  /// What protects a part of a request in which a rule found something.
  /// - Parameter name: of the header, cookie or argument.
  func protection(ofMatchIn field: WebACL.Field, _ name: String) -> WebACL.DataProtection? {
    if protections.isEmpty { return nil }
    let found: [WebACL.DataProtection?] =
      switch field {
      case .header, .headers: header(name)
      case .cookies: [protection(.cookie, name), protection(.header, "cookie")]
      case .queryArgument, .allQueryArguments: [protection(.queryArgument, name), protection(.queryString)]
      case .queryString, .uriFragment: query
      case .body, .jsonBody: [protection(.body)]
      case .method, .uriPath, .headerOrder, .ja3, .ja4: []
      }
    return found.lazy.compactMap { $0 }.first { !($0.sparesMatches ?? false) }
  }

  /// Names of arguments, and of cookies, must not be seen.
  var hidesQuery: Bool { protection(.queryString) != nil }
  var hidesCookies: Bool { protection(.header, "cookie") != nil }

  /// A cookie that is protected may be anywhere in the line.
  private func header(_ name: String) -> [WebACL.DataProtection?] {
    [protection(.header, name)] + (name.lowercased() == "cookie" ? protections.filter { $0.part == .cookie } : [])
  }

  /// An argument that is protected may be anywhere in the query.
  private var query: [WebACL.DataProtection?] {
    [protection(.queryString)] + protections.filter { $0.part == .queryArgument }
  }

  /// `a=b;c=d` with the values of protected names masked, everything else as it is.
  private func pairs(_ text: String, _ part: WebACL.DataProtection.Part, separator: Character) -> String {
    guard protections.contains(where: { $0.part == part }) else { return text }
    let pieces = text.split(separator: separator, omittingEmptySubsequences: false).map { piece -> String in
      guard let equals = piece.firstIndex(of: "="),
        let protection = protection(part, String(piece[..<equals].drop { $0 == " " }))
      else { return String(piece) }
      return piece[...equals] + masked(String(piece[piece.index(after: equals)...]), protection)
    }
    return pieces.joined(separator: String(separator))
  }
}
