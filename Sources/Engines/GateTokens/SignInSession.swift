// A user's session at a load balancer, and the token that tells targets of it.
import AWSCore
import Crypto
import FoundationEssentials

/// What a load balancer remembers of a user who signed in; it is kept in the user's own cookies, sealed.
public struct SignInSession: Codable, Sendable, Equatable {
  public var subject: String
  public var accessToken: String
  /// The claims of the provider's user info endpoint, as JSON.
  public var claims: String
  /// When the user has to sign in anew, whatever the provider says; seconds since 1970.
  public var expires: Double
  /// When the access token ends, in seconds since 1970; nil where the provider does not say.
  public var accessExpires: Double?
  /// What the provider gives another access token for; nil where it gives none.
  public var refreshToken: String?

  public init(
    subject: String, accessToken: String, claims: String, expires: Double, accessExpires: Double? = nil,
    refreshToken: String? = nil
  ) {
    self.subject = subject
    self.accessToken = accessToken
    self.claims = claims
    self.expires = expires
    self.accessExpires = accessExpires
    self.refreshToken = refreshToken
  }

  /// Whether the provider is to be asked for another access token. Without a refresh token the session goes on with the
  /// old one until it ends, as Application Load Balancers have it.
  public func isStale(at now: Double) -> Bool {
    guard refreshToken != nil, let accessExpires else { return false }
    return accessExpires <= now
  }
}

/// A request of a user's browser that waits for the provider's word.
public struct SignInState: Codable, Sendable, Equatable {
  /// Where the user wanted to go: path and query.
  public var url: String
  /// The rule that asked for the sign-in.
  public var priority: Int
  /// What the browser's cookie must say too, so that nobody can be signed in as somebody else.
  public var nonce: String
  /// Seconds since 1970.
  public var expires: Double

  public init(url: String, priority: Int, nonce: String, expires: Double) {
    self.url = url
    self.priority = priority
    self.nonce = nonce
    self.expires = expires
  }
}

extension TokenSeal {
  /// Seals a value as text.
  public func sealValue(_ value: some Encodable, purpose: String) -> String? {
    guard let data = try? JSONEncoder().encode(value) else { return nil }
    return seal(Array(data), purpose: purpose)
  }

  /// The value of a sealed text.
  public func openValue<Value: Decodable>(_ type: Value.Type, _ text: [UInt8], purpose: String) -> Value? {
    guard let plain = text.withUnsafeBufferPointer({ open($0, purpose: purpose) }) else { return nil }
    return try? JSONDecoder().decode(type, from: Data(plain))
  }
}

/// Signs what targets are told of a user (`x-amzn-oidc-data`), with ES256.
public struct IdentitySigner: Sendable {
  private let key: P256.Signing.PrivateKey
  /// The key's name, by which targets ask for the public key.
  public let keyID: String

  /// - Parameter secret: the snapshot's cookie key; the same secret gives the same key.
  public init?(secret: [UInt8]) {
    let seed = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: secret), info: Array("castle-gate identity".utf8), outputByteCount: 32)
    guard let key = seed.withUnsafeBytes({ try? P256.Signing.PrivateKey(rawRepresentation: Array($0)) }) else {
      return nil
    }
    self.key = key
    let digits = SHA256.hash(data: key.publicKey.rawRepresentation).prefix(16).map { byte in
      String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }
    keyID = [digits[0..<4], digits[4..<6], digits[6..<8], digits[8..<10], digits[10..<16]]
      .map { $0.joined() }.joined(separator: "-")
  }

  /// The public key for targets, as PEM.
  public var publicKey: String { key.publicKey.pemRepresentation }

  /// A JSON Web Token of the session's claims, with padded Base64 as Application Load Balancers write it.
  /// - Parameters:
  ///   - signer: the load balancer's name.
  ///   - expires: seconds since 1970.
  public func token(_ session: SignInSession, issuer: String, client: String, signer: String, expires: Int) -> String? {
    var payload =
      (try? JSONDecoder().decode(JSONValue.self, from: Data(session.claims.utf8)))?.object ?? [:]
    payload["exp"] = .integer(expires)
    payload["iss"] = .string(issuer)
    let head: JSONValue = .object([
      "typ": "JWT", "kid": .string(keyID), "alg": "ES256", "iss": .string(issuer), "client": .string(client),
      "signer": .string(signer), "exp": .integer(expires),
    ])
    guard let first = Self.part(head), let second = Self.part(.object(payload)),
      let signature = try? key.signature(for: SHA256.hash(data: Data("\(first).\(second)".utf8)))
    else { return nil }
    return "\(first).\(second).\(Self.padded(Array(signature.rawRepresentation)))"
  }

  private static func part(_ value: JSONValue) -> String? {
    (try? JSONEncoder().encode(value)).map { padded(Array($0)) }
  }

  private static func padded(_ bytes: [UInt8]) -> String {
    let text = Base64URL.encode(bytes)
    return text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
  }
}
