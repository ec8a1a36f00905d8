// Where a header line lies in the bytes it was read from, and which of the fields a proxy must know it is.

/// A header line, as offsets into the bytes of its message.
public struct HeaderField {
  /// Fields that a proxy acts on; everything else passes as `.other`.
  public enum Kind: UInt8, Sendable {
    case other, host, connection, keepAlive, proxyConnection, te, upgrade, transferEncoding, contentLength, expect
    case xForwardedFor, xForwardedProto, xForwardedPort, xAmznTraceId
    /// Says again, or against a better one, how long the body is: it goes no further.
    case superfluous
  }

  /// Offset of the name, which is where the line begins.
  public var start: Int32
  public var nameLength: Int32
  public var valueStart: Int32
  /// Without white space around the value.
  public var valueLength: Int32
  /// Offset behind the line's CRLF.
  public var end: Int32
  public var kind: Kind
  /// The name is made of letters, digits and hyphens only.
  public var hasPlainName: Bool
}

extension HeaderField.Kind {
  /// The kind of a name. Lengths decide first, so most names are told apart without a comparison.
  @inlinable
  static func of(_ name: UnsafePointer<UInt8>, _ length: Int) -> HeaderField.Kind {
    switch length {
    case 2: return Token.equals(name, "te", 2) ? .te : .other
    case 4: return Token.equals(name, "host", 4) ? .host : .other
    case 6: return Token.equals(name, "expect", 6) ? .expect : .other
    case 7: return Token.equals(name, "upgrade", 7) ? .upgrade : .other
    case 10:
      if Token.equals(name, "connection", 10) { return .connection }
      return Token.equals(name, "keep-alive", 10) ? .keepAlive : .other
    case 14: return Token.equals(name, "content-length", 14) ? .contentLength : .other
    case 15:
      if Token.equals(name, "x-forwarded-for", 15) { return .xForwardedFor }
      return Token.equals(name, "x-amzn-trace-id", 15) ? .xAmznTraceId : .other
    case 16:
      if Token.equals(name, "x-forwarded-port", 16) { return .xForwardedPort }
      return Token.equals(name, "proxy-connection", 16) ? .proxyConnection : .other
    case 17:
      if Token.equals(name, "transfer-encoding", 17) { return .transferEncoding }
      return Token.equals(name, "x-forwarded-proto", 17) ? .xForwardedProto : .other
    default: return .other
    }
  }
}

/// Character classes of RFC 9110.
public enum Token {
  /// Whether a byte may stand in a token: letters, digits and !#$%&'*+-.^_`|~
  @inlinable @inline(__always)
  public static func contains(_ byte: UInt8) -> Bool {
    // One bit for each of the first 128 characters.
    let low: UInt64 = 0x03FF_6CFA_0000_0000
    let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
    if byte < 64 { return (low >> UInt64(byte)) & 1 == 1 }
    if byte < 128 { return (high >> UInt64(byte - 64)) & 1 == 1 }
    return false
  }

  /// Letters, digits and hyphen.
  @inlinable @inline(__always)
  public static func isPlain(_ byte: UInt8) -> Bool {
    let low: UInt64 = 0x03FF_2000_0000_0000
    let high: UInt64 = 0x07FF_FFFE_07FF_FFFE
    if byte < 64 { return (low >> UInt64(byte)) & 1 == 1 }
    if byte < 128 { return (high >> UInt64(byte - 64)) & 1 == 1 }
    return false
  }

  @inlinable @inline(__always)
  public static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }

  /// Whether `length` bytes are the given lower-case text, ignoring case.
  @inlinable @inline(__always)
  public static func equals(_ bytes: UnsafePointer<UInt8>, _ text: StaticString, _ length: Int) -> Bool {
    let expected = text.utf8Start
    for index in 0..<length where lowercased(bytes[index]) != expected[index] { return false }
    return true
  }

  /// Whether `length` bytes are exactly the given text, ignoring case; the text is lower-case.
  @inlinable
  public static func matches(_ bytes: UnsafePointer<UInt8>, _ length: Int, _ text: StaticString) -> Bool {
    length == text.utf8CodeUnitCount && equals(bytes, text, length)
  }

  /// Whether `length` bytes are exactly the given text, case and all.
  @inlinable
  public static func isExactly(_ bytes: UnsafePointer<UInt8>, _ length: Int, _ text: StaticString) -> Bool {
    guard length == text.utf8CodeUnitCount else { return false }
    let expected = text.utf8Start
    for index in 0..<length where bytes[index] != expected[index] { return false }
    return true
  }
}
