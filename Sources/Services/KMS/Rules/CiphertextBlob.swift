// The form of what Encrypt returns for a symmetric key. AWS's own form is not public; callers treat it as opaque.

import AWSCore

/// A ciphertext: which key and generation made it, and the sealed bytes.
///
///     1   version (1)
///     1   0 for a key id that is a UUID, 1 for `mrk-…`
///     16  the key id's digits
///     8   the account, big-endian
///     32  the key material's id
///     12  nonce
///     n   ciphertext
///     16  tag
///
/// All before the nonce is authenticated, with the encryption context behind it.
struct CiphertextBlob {
  static let version: UInt8 = 1
  static let headerBytes = 58
  private static let nonceBytes = 12
  private static let tagBytes = 16

  var keyID: String
  var account: String
  var materialID: String
  /// The bytes before the nonce.
  var header: ArraySlice<UInt8>
  /// Nonce, ciphertext and tag.
  var sealed: ArraySlice<UInt8>

  /// Nil when the bytes have another form.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.headerBytes + Self.nonceBytes + Self.tagBytes, bytes[0] == Self.version, bytes[1] < 2
    else { return nil }
    let id = Array(hexadecimal(bytes[2..<18]).utf8)
    func part(_ range: Range<Int>) -> String { String(decoding: id[range], as: UTF8.self) }
    keyID =
      bytes[1] == 1
      ? "mrk-" + part(0..<32)
      : "\(part(0..<8))-\(part(8..<12))-\(part(12..<16))-\(part(16..<20))-\(part(20..<32))"
    var number: UInt64 = 0
    for byte in bytes[18..<26] { number = number << 8 | UInt64(byte) }
    let digits = String(number)
    account = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    materialID = hexadecimal(bytes[26..<58])
    header = bytes[..<Self.headerBytes]
    sealed = bytes[Self.headerBytes...]
  }

  /// The header of a new ciphertext; nil when the ids are of no form that fits.
  static func header(keyID: String, account: String, materialID: String) -> [UInt8]? {
    let isMultiRegion = keyID.hasPrefix("mrk-")
    guard let id = unhex(isMultiRegion ? keyID.utf8.dropFirst(4) : keyID.utf8.dropFirst(0)), id.count == 16,
      let material = unhex(materialID.utf8.dropFirst(0)), material.count == 32, let number = UInt64(account)
    else { return nil }
    var out: [UInt8] = [version, isMultiRegion ? 1 : 0]
    out.reserveCapacity(headerBytes)
    out += id
    for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: number >> UInt64(shift))) }
    out += material
    return out
  }

  /// Dashes are passed over.
  private static func unhex(_ text: String.UTF8View.SubSequence) -> [UInt8]? { unhexDigits(text) }

  private static func unhexDigits(_ text: some Sequence<UInt8>) -> [UInt8]? {
    var out: [UInt8] = []
    var high: UInt8?
    for byte in text where byte != 45 {
      let digit: UInt8
      switch byte {
      case 48...57: digit = byte - 48
      case 97...102: digit = byte - 87
      default: return nil
      }
      if let first = high {
        out.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return high == nil ? out : nil
  }
}
