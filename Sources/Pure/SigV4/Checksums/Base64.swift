// Base64 (RFC 4648 §4), which checksums, MD5 headers and policies are written in.

/// The standard alphabet with padding.
public enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// Encodes bytes.
  public static func encode(_ bytes: [UInt8]) -> String {
    String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { out in
      var n = 0
      var i = 0
      while i < bytes.count {
        let left = bytes.count - i
        let word =
          UInt32(bytes[i]) << 16 | (left > 1 ? UInt32(bytes[i + 1]) << 8 : 0) | (left > 2 ? UInt32(bytes[i + 2]) : 0)
        out[n] = alphabet[Int(word >> 18)]
        out[n + 1] = alphabet[Int(word >> 12 & 63)]
        out[n + 2] = left > 1 ? alphabet[Int(word >> 6 & 63)] : UInt8(ascii: "=")
        out[n + 3] = left > 2 ? alphabet[Int(word & 63)] : UInt8(ascii: "=")
        n += 4
        i += 3
      }
      return n
    }
  }

  /// Decodes; nil for anything that is not base64 with its padding, without white space.
  public static func decode(_ text: String) -> [UInt8]? {
    let bytes = Array(text.utf8)
    guard bytes.count % 4 == 0 else { return nil }
    let padding = bytes.suffix(2).filter { $0 == UInt8(ascii: "=") }.count
    guard padding < 2 || bytes[bytes.count - 2] == UInt8(ascii: "=") else { return nil }
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count / 4 * 3)
    var word: UInt32 = 0
    for (i, byte) in bytes.enumerated() {
      if i >= bytes.count - padding {
        guard byte == UInt8(ascii: "=") else { return nil }
        word <<= 6
      } else {
        guard let six = value(byte) else { return nil }
        word = word << 6 | six
      }
      if i % 4 == 3 {
        out.append(UInt8(truncatingIfNeeded: word >> 16))
        out.append(UInt8(truncatingIfNeeded: word >> 8))
        out.append(UInt8(truncatingIfNeeded: word))
        word = 0
      }
    }
    out.removeLast(padding)
    return out
  }

  private static func value(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 65...90: UInt32(byte) - 65
    case 97...122: UInt32(byte) - 71
    case 48...57: UInt32(byte) + 4
    case 43: 62
    case 47: 63
    default: nil
    }
  }
}
