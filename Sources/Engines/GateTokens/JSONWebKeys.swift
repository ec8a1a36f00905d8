// The public keys of a token's issuer (RFC 7517), for RS256 and ES256.
import AWSCore
import Crypto
import CryptoExtras
import FoundationEssentials

/// A JSON Web Key Set.
public struct JSONWebKeys: Sendable {
  enum Key: Sendable {
    case rsa(_RSA.Signing.PublicKey)
    case p256(P256.Signing.PublicKey)

    var algorithm: String {
      switch self {
      case .rsa: "RS256"
      case .p256: "ES256"
      }
    }
  }

  /// The largest document and the most keys that are taken (Application Load Balancer limits).
  public static let sizeMax = 150 << 10
  public static let keysMax = 10

  let keys: [(id: String?, key: Key)]

  /// Reads a key set. Keys of other kinds and for other uses are passed over.
  /// - Returns: nil for what is no key set or exceeds the limits.
  public init?(json: String) {
    guard json.utf8.count <= Self.sizeMax,
      let document = try? JSONDecoder().decode(JSONValue.self, from: Data(json.utf8)),
      let entries = document["keys"]?.array, entries.count <= Self.keysMax
    else { return nil }
    keys = entries.compactMap { entry in
      if let use = entry["use"]?.text, use != "sig" { return nil }
      guard let key = Self.key(entry) else { return nil }
      if let algorithm = entry["alg"]?.text, algorithm != key.algorithm { return nil }
      return (entry["kid"]?.text, key)
    }
  }

  private static func key(_ entry: JSONValue) -> Key? {
    func bytes(_ name: String) -> [UInt8]? { entry[name]?.text.flatMap { Base64URL.decode(Array($0.utf8)) } }
    switch entry["kty"]?.text {
    case "RSA":
      guard let modulus = bytes("n"), let exponent = bytes("e"),
        let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent)
      else { return nil }
      return .rsa(key)
    case "EC":
      guard entry["crv"]?.text == "P-256", let x = bytes("x"), let y = bytes("y"), x.count == 32, y.count == 32,
        let key = try? P256.Signing.PublicKey(rawRepresentation: x + y)
      else { return nil }
      return .p256(key)
    default: return nil
    }
  }

  /// The keys that may have signed a token: the one it names, or all when it names none.
  func candidates(id: String?, algorithm: String) -> [Key] {
    keys.filter { $0.key.algorithm == algorithm && (id == nil || $0.id == nil || $0.id == id) }.map(\.key)
  }
}

extension JSONWebKeys.Key {
  func isValid(_ signature: [UInt8], for signed: ArraySlice<UInt8>) -> Bool {
    let digest = SHA256.hash(data: signed)
    switch self {
    case .rsa(let key):
      return key.isValidSignature(
        _RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: .insecurePKCS1v1_5)
    case .p256(let key):
      guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
      return key.isValidSignature(signature, for: digest)
    }
  }
}
