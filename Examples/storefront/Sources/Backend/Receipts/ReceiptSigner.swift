// Receipts: the text of an order that is signed, and the Ed25519 key made from the shop's secret.
//
// The secret itself never signs. A key pair is derived from it (HKDF, RFC 5869), the public half is kept in the
// database, and so receipts from before a rotation of the secret still verify, by the key that signed them.
import Crypto
import FoundationEssentials
import StorefrontKit

/// The text that is signed: one fact a line, in a fixed order, so that everybody arrives at the same bytes.
struct ReceiptStatement: Sendable {
  let text: String

  /// The statement of an order. Who bought it goes in as a digest, so that a receipt may be shown to others.
  init(order: String, number: Int, placed: String, name: String, email: String, address: String, lines: [Line]) {
    var text = "storefront receipt v1\norder \(order)\nnumber \(number)\nplaced \(placed)\n"
    for line in lines {
      text += "item \(line.product) \(line.quantity) x \(line.cents)\n"
    }
    text += "total \(lines.reduce(0) { $0 + $1.total }) USD cents\n"
    // Lengths keep "ab","c" and "a","bc" apart.
    let buyer = [name, email, address].map { "\($0.utf8.count):\($0)" }.joined()
    text += "buyer sha256 \(hex(SHA256.hash(data: Data(buyer.utf8))))\n"
    self.text = text
  }

  /// The statement of an order as it is in the database now.
  init(_ order: Order) {
    self.init(
      order: order.id, number: order.number, placed: order.placed, name: order.name, email: order.email,
      address: order.address, lines: order.lines)
  }
}

/// Signs statements with a key derived from PAYMENT_KEY.
struct ReceiptSigner: Sendable {
  /// What every receipt says it is signed with (RFC 8032).
  static let algorithm = "Ed25519"

  private let privateKey: Curve25519.Signing.PrivateKey
  /// The first 16 hexadecimal digits of the public key's SHA-256.
  let keyID: String
  /// 32 bytes in base64.
  let publicKey: String

  /// Derives the key pair from a secret of at least 16 bytes.
  /// - Throws: `SettingError` when it is shorter.
  init(secret: String) throws {
    guard secret.utf8.count >= 16 else {
      throw SettingError("PAYMENT_KEY has \(secret.utf8.count) bytes; it must have at least 16")
    }
    let seed = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: Data(secret.utf8)), info: Data("storefront receipt v1".utf8),
      outputByteCount: 32)
    privateKey = try Curve25519.Signing.PrivateKey(rawRepresentation: seed.withUnsafeBytes { Data($0) })
    let raw = privateKey.publicKey.rawRepresentation
    publicKey = raw.base64EncodedString()
    keyID = String(hex(SHA256.hash(data: raw)).prefix(16))
  }

  /// The signature of a text, in base64.
  func sign(_ text: String) throws -> String {
    try privateKey.signature(for: Data(text.utf8)).base64EncodedString()
  }

  /// Whether `signature` (base64) is that of `text` by the holder of `publicKey` (base64).
  static func verify(_ text: String, signature: String, publicKey: String) -> Bool {
    guard let raw = Data(base64Encoded: publicKey), let signature = Data(base64Encoded: signature),
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: raw)
    else { return false }
    return key.isValidSignature(signature, for: Data(text.utf8))
  }
}

/// Bytes as small hexadecimal digits.
func hex(_ bytes: some Sequence<UInt8>) -> String {
  var text = ""
  for byte in bytes {
    if byte < 16 { text += "0" }
    text += String(byte, radix: 16)
  }
  return text
}
