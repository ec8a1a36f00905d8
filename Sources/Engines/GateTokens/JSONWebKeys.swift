// The public keys of a token's issuer (RFC 7517), for RS256: Application Load Balancers take no other signature.
import AWSCore
import Crypto
import CryptoExtras
import FoundationEssentials

/// A JSON Web Key Set.
public struct JSONWebKeys: Sendable {
  /// The largest document and the most keys that are taken (Application Load Balancer limits).
  public static let sizeMax = 150 << 10
  public static let keysMax = 10

  let keys: [(id: String?, key: _RSA.Signing.PublicKey)]

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
      if let algorithm = entry["alg"]?.text, algorithm != "RS256" { return nil }
      return (entry["kid"]?.text, key)
    }
  }

  private static func key(_ entry: JSONValue) -> _RSA.Signing.PublicKey? {
    func bytes(_ name: String) -> [UInt8]? { entry[name]?.text.flatMap { Base64URL.decode(Array($0.utf8)) } }
    guard entry["kty"]?.text == "RSA", let modulus = bytes("n"), let exponent = bytes("e") else { return nil }
    return try? _RSA.Signing.PublicKey(n: modulus, e: exponent)
  }

  /// Whether there is a key that may have signed a token: the one it names, or any when it names none.
  func hasCandidate(id: String?) -> Bool { keys.contains { Self.mayBe($0.id, id) } }

  private static func mayBe(_ known: String?, _ named: String?) -> Bool {
    named == nil || known == nil || named == known
  }

  /// Whether a text was signed by the key that the token names, or by any when it names none.
  func isValid(_ signature: [UInt8], for signed: ArraySlice<UInt8>, id: String?) -> Bool {
    let digest = SHA256.hash(data: signed)
    return keys.contains { known, key in
      Self.mayBe(known, id)
        && key.isValidSignature(
          _RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: .insecurePKCS1v1_5)
    }
  }
}
