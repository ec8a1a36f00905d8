// Percent-encoding as Signature Version 4 wants it (RFC 3986's unreserved characters, upper-case digits), on bytes.

/// AWS's `UriEncode` and its inverse, on UTF-8 bytes.
public enum PercentEncoding {
  /// What to do with a plus sign on the way in.
  enum Plus { case space, literal }
  /// What to do with slashes and encoded slashes in a path.
  enum Slash {
    /// `/` becomes `%2F`.
    case encode
    /// `/` stays, and so does `%2F`.
    case keep
    /// `/` stays, and `%2F` becomes `/`.
    case decode
  }

  /// Encodes everything but `A-Z a-z 0-9 - . _ ~`.
  /// - Parameter keepingSlash: leaves `/` as it is, for paths.
  public static func encode(_ text: String, keepingSlash: Bool = false) -> String {
    var text = text
    return text.withUTF8 { encode($0, keepingSlash: keepingSlash) }
  }

  /// The same for bytes that need not be UTF-8.
  public static func encode(_ bytes: UnsafeBufferPointer<UInt8>, keepingSlash: Bool = false) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 3) { out in
      var n = 0
      for byte in bytes { put(byte, keepingSlash, out, &n) }
      return n
    }
  }

  /// Decodes `%XX`. A percent sign without two digits behind it stays as it is.
  /// - Parameter plusIsSpace: also turns `+` into a space, as HTML forms and the query protocol have it.
  public static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String {
    String(decoding: decodeBytes(text, plusIsSpace: plusIsSpace), as: UTF8.self)
  }

  /// `decode` for what need not be UTF-8.
  public static func decodeBytes(_ text: some StringProtocol, plusIsSpace: Bool = false) -> [UInt8] {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    var i = 0
    while i < bytes.count {
      if bytes[i] == 0x25, i + 2 < bytes.count, let high = digit(bytes[i + 1]), let low = digit(bytes[i + 2]) {
        out.append(high << 4 | low)
        i += 3
      } else {
        out.append(plusIsSpace && bytes[i] == 0x2B ? 0x20 : bytes[i])
        i += 1
      }
    }
    return out
  }

  /// Decodes and encodes again in one pass, so that every spelling of a text gives the same result.
  static func normalize(_ text: Substring, slash: Slash, plus: Plus) -> String {
    var text = text
    return text.withUTF8 { bytes in
      String(unsafeUninitializedCapacity: bytes.count * 3) { out in
        var n = 0
        var i = 0
        while i < bytes.count {
          var byte = bytes[i]
          var keepsSlash = slash != .encode
          if byte == 0x25, i + 2 < bytes.count, let high = digit(bytes[i + 1]), let low = digit(bytes[i + 2]) {
            byte = high << 4 | low
            keepsSlash = slash == .decode
            i += 3
          } else {
            if byte == 0x2B, plus == .space { byte = 0x20 }
            i += 1
          }
          put(byte, keepsSlash, out, &n)
        }
        return n
      }
    }
  }

  @inline(__always)
  private static func put(
    _ byte: UInt8, _ keepingSlash: Bool, _ out: UnsafeMutableBufferPointer<UInt8>, _ n: inout Int
  ) {
    if isUnreserved(byte) || (keepingSlash && byte == 0x2F) {
      out[n] = byte
      n += 1
    } else {
      out[n] = 0x25
      out[n + 1] = upperDigit(byte >> 4)
      out[n + 2] = upperDigit(byte & 15)
      n += 3
    }
  }

  @inline(__always)
  private static func isUnreserved(_ b: UInt8) -> Bool {
    (b >= 0x61 && b <= 0x7A) || (b >= 0x41 && b <= 0x5A) || (b >= 0x2D && b <= 0x39 && b != 0x2F) || b == 0x5F
      || b == 0x7E
  }

  @inline(__always)
  private static func upperDigit(_ n: UInt8) -> UInt8 { n < 10 ? 0x30 + n : 0x37 + n }

  @inline(__always)
  static func digit(_ b: UInt8) -> UInt8? {
    switch b {
    case 0x30...0x39: b - 0x30
    case 0x41...0x46: b - 0x37
    case 0x61...0x66: b - 0x57
    default: nil
    }
  }
}
