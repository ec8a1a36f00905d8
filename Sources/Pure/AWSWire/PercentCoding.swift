// Percent-encoding (RFC 3986) and the pairs of a query string or form.

/// Percent-encoded text and the pairs of a query string or form.
public enum PercentCoding {
  /// The text behind percent-encoding; nil when an escape is broken or the bytes are not UTF-8.
  /// - Parameter plusIsSpace: forms and query strings write a space as `+`; paths do not.
  public static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
    decode(bytes: Array(text.utf8)[...], plusIsSpace: plusIsSpace)
  }

  static func decode(bytes: ArraySlice<UInt8>, plusIsSpace: Bool) -> String? {
    if !bytes.contains(where: { $0 == UInt8(ascii: "%") || (plusIsSpace && $0 == UInt8(ascii: "+")) }) {
      return String(validating: bytes, as: UTF8.self)
    }
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    var at = bytes.startIndex
    while at < bytes.endIndex {
      let byte = bytes[at]
      if byte == UInt8(ascii: "%") {
        guard at + 2 < bytes.endIndex, let high = hex(bytes[at + 1]), let low = hex(bytes[at + 2]) else { return nil }
        out.append(high << 4 | low)
        at += 3
      } else {
        out.append(plusIsSpace && byte == UInt8(ascii: "+") ? 32 : byte)
        at += 1
      }
    }
    return String(validating: out, as: UTF8.self)
  }

  static func hex(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: nil
    }
  }

  /// A name and its value in a query string; the value is nil where there was no `=`.
  public struct Pair: Sendable, Hashable {
    public var name: String
    public var value: String?
  }

  /// The pairs of a query string or form, decoded, in order; nil when one is not properly encoded or there are more
  /// than `WireLimits.formParameters`.
  public static func pairs(_ text: String) -> [Pair]? { pairs(bytes: Array(text.utf8)) }

  static func pairs(bytes: [UInt8]) -> [Pair]? {
    var pairs: [Pair] = []
    var start = 0
    while start < bytes.count {
      var end = start
      var equals: Int?
      while end < bytes.count, bytes[end] != UInt8(ascii: "&") {
        if equals == nil, bytes[end] == UInt8(ascii: "=") { equals = end }
        end += 1
      }
      if end > start {
        guard pairs.count < WireLimits.formParameters,
          let name = decode(bytes: bytes[start..<(equals ?? end)], plusIsSpace: true)
        else { return nil }
        var value: String?
        if let equals {
          guard let text = decode(bytes: bytes[(equals + 1)..<end], plusIsSpace: true) else { return nil }
          value = text
        }
        pairs.append(Pair(name: name, value: value))
      }
      start = end + 1
    }
    return pairs
  }
}
