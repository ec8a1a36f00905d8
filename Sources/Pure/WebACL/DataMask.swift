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

    public init(_ part: Part, names: [String] = [], hashAccount: String? = nil, sparesRates: Bool = false) {
      self.part = part
      self.names = names
      self.hashAccount = hashAccount
      self.sparesRates = sparesRates
    }
  }
}

/// Masks values; of several protections of one part the first counts.
struct DataMask {
  static let redacted = "REDACTED"

  let protections: [WebACL.DataProtection]

  private func protection(_ part: WebACL.DataProtection.Part, _ name: String = "") -> WebACL.DataProtection? {
    protections.first { $0.part == part && ($0.names.isEmpty || $0.names.contains(name.lowercased())) }
  }

  private func masked(_ value: String, _ protection: WebACL.DataProtection) -> String {
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

  /// What a rate-based rule's key held.
  func rate(_ value: String, _ keys: [WebACL.Rate.Key]) -> String {
    for key in keys {
      let found: WebACL.DataProtection? =
        switch key {
        case .header(let name, _): protection(.header, name) ?? (name == "cookie" ? protection(.cookie) : nil)
        case .cookie(let name, _): protection(.cookie, name) ?? protection(.header, "cookie")
        case .queryArgument(let name, _): protection(.queryArgument, name) ?? protection(.queryString)
        // An argument that is protected may be anywhere in it.
        case .queryString: protection(.queryString) ?? protections.first { $0.part == .queryArgument }
        default: nil
        }
      if let found, !found.sparesRates { return masked(value, found) }
    }
    return value
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
