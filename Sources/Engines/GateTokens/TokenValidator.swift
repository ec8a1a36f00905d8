// Whether a JSON Web Token (RFC 7519) is one that a listener accepts.
import AWSCore
import FoundationEssentials

/// Why a token is refused. Raw values are the error reasons of access logs.
public enum TokenProblem: String, Error, Sendable {
  case notPresent = "JWTHeaderNotPresent"
  case badFormat = "JWTRequestFormatInvalid"
  /// The key set could not be fetched or read.
  case noKeys = "JWKSRequestFailed"
  case badSignature = "JWTSignatureValidationFailed"
  case claimNotPresent = "JWTClaimNotPresent"
  case claimFormat = "JWTClaimFormatInvalid"
  case claimValue = "JWTClaimValueInvalid"
}

/// A claim that a token must carry besides the standard ones.
public struct TokenClaim: Sendable {
  public enum Format: Sendable { case singleString, stringArray, spaceSeparated }
  public var name: String
  public var format: Format
  public var values: [String]

  public init(name: String, format: Format, values: [String]) {
    self.name = name
    self.format = format
    self.values = values
  }
}

/// Checks tokens of one issuer: signature (RS256, as with Application Load Balancers), `iss`, `exp`, `nbf` and `iat`
/// when present, and further claims.
public struct TokenValidator: Sendable {
  /// Bytes in a token; longer ones do not fit a header anyway.
  public static let sizeMax = 16 << 10

  private let issuer: String
  private let keys: JSONWebKeys?
  private let claims: [TokenClaim]

  /// - Parameter keySet: a JSON Web Key Set; nil makes every token fail with `noKeys`.
  public init(issuer: String, keySet: String?, claims: [TokenClaim]) {
    self.issuer = issuer
    keys = keySet.flatMap { JSONWebKeys(json: $0) }
    self.claims = claims
  }

  /// - Parameter now: seconds since 1970.
  /// - Returns: when the token expires, in seconds since 1970.
  /// - Throws: `TokenProblem`.
  @discardableResult
  public func validate(_ token: [UInt8], now: Double) throws(TokenProblem) -> Double {
    guard let keys else { throw .noKeys }
    let payload = try Self.verified(token, keys)
    return try check(payload, now)
  }

  /// Whether a token that did not pass would perhaps pass with a newer key set.
  public func wantsOtherKeys(_ token: [UInt8]) -> Bool {
    guard let keys else { return true }
    guard token.count <= Self.sizeMax, let header = Self.json(token.prefix { $0 != UInt8(ascii: ".") }),
      header["alg"]?.text == Self.algorithm
    else { return false }
    return !keys.hasCandidate(id: header["kid"]?.text)
  }

  private static let algorithm = "RS256"

  /// The claims of a token whose signature is good.
  private static func verified(_ token: [UInt8], _ keys: JSONWebKeys) throws(TokenProblem) -> JSONValue {
    let dots = token.indices.filter { token[$0] == UInt8(ascii: ".") }
    guard token.count <= sizeMax, dots.count == 2 else { throw .badFormat }
    guard let header = json(token[..<dots[0]]), let signature = Base64URL.decode(token[(dots[1] + 1)...]),
      let algorithm = header["alg"]?.text
    else { throw .badFormat }
    // A token that says which extensions must be understood says so in vain (RFC 7515, section 4.1.11).
    if header["crit"] != nil { throw .badFormat }
    guard algorithm == Self.algorithm else { throw .badSignature }
    let signed = token[..<dots[1]]
    guard keys.isValid(signature, for: signed, id: header["kid"]?.text) else { throw .badSignature }
    guard let payload = json(token[(dots[0] + 1)..<dots[1]]), payload.object != nil else { throw .badFormat }
    return payload
  }

  private static func json(_ part: ArraySlice<UInt8>) -> JSONValue? {
    guard let bytes = Base64URL.decode(part) else { return nil }
    return try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))
  }

  private func check(_ payload: JSONValue, _ now: Double) throws(TokenProblem) -> Double {
    guard let issuer = payload["iss"], let expiry = payload["exp"] else { throw .claimNotPresent }
    guard let issuerText = issuer.text, let expires = Self.seconds(expiry) else { throw .claimFormat }
    if issuerText != self.issuer || expires <= now { throw .claimValue }
    for name in ["nbf", "iat"] {
      guard let claim = payload[name] else { continue }
      guard let time = Self.seconds(claim) else { throw .claimFormat }
      if time > now { throw .claimValue }
    }
    for claim in claims {
      guard let value = payload[claim.name] else { throw .claimNotPresent }
      try check(claim, value)
    }
    return expires
  }

  private func check(_ claim: TokenClaim, _ value: JSONValue) throws(TokenProblem) {
    switch claim.format {
    case .singleString:
      guard case .string(let text) = value else { throw .claimFormat }
      if !claim.values.contains(text) { throw .claimValue }
    case .stringArray:
      guard case .array(let items) = value else { throw .claimFormat }
      let texts = items.compactMap { item in if case .string(let text) = item { text } else { nil } }
      if texts.count != items.count { throw .claimFormat }
      if !Set(claim.values).isSubset(of: texts) { throw .claimValue }
    case .spaceSeparated:
      guard case .string(let text) = value else { throw .claimFormat }
      if !Set(claim.values).isSubset(of: text.split(separator: " ").map(String.init)) { throw .claimValue }
    }
  }

  private static func seconds(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }
}
