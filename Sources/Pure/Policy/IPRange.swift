// IP addresses and CIDR ranges, both families (RFC 4632, RFC 4291).

/// A CIDR range, or one address as a range of itself.
struct IPRange: Sendable, Hashable {
  /// Four or sixteen bytes.
  let address: [UInt8]
  let prefix: Int

  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let first = parts.first, let address = Self.address(String(first)) else { return nil }
    self.address = address
    if parts.count == 2 {
      guard let prefix = Int(parts[1]), prefix >= 0, prefix <= address.count * 8 else { return nil }
      self.prefix = prefix
    } else {
      prefix = address.count * 8
    }
  }

  func contains(_ other: [UInt8]) -> Bool {
    guard other.count == address.count else { return false }
    let whole = prefix / 8
    for i in 0..<whole where other[i] != address[i] { return false }
    guard prefix % 8 != 0 else { return true }
    let mask = ~(UInt8.max >> UInt8(prefix % 8))
    return (other[whole] ^ address[whole]) & mask == 0
  }

  /// The bytes of an address; IPv4 mapped into IPv6 comes out as IPv4.
  static func address(_ text: String) -> [UInt8]? {
    guard text.utf8.contains(UInt8(ascii: ":")) else { return v4(text[...]) }
    guard let bytes = v6(text) else { return nil }
    let mapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 255 && bytes[11] == 255
    return mapped ? Array(bytes[12...]) : bytes
  }

  private static func v4(_ text: Substring) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var out: [UInt8] = []
    for part in parts {
      guard part.utf8.count <= 3, part.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let byte = UInt8(part) else {
        return nil
      }
      out.append(byte)
    }
    return out
  }

  private static func v6(_ text: String) -> [UInt8]? {
    let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
    guard halves.count <= 2 else { return nil }
    var sides: [[UInt8]] = []
    for (i, half) in halves.enumerated() {
      var side: [UInt8] = []
      let groups = half.isEmpty ? [] : half.split(separator: ":", omittingEmptySubsequences: false)
      for (j, group) in groups.enumerated() {
        if group.contains("."), i == halves.count - 1, j == groups.count - 1 {
          guard let tail = v4(group) else { return nil }
          side += tail
        } else {
          guard !group.isEmpty, group.utf8.count <= 4, group.allSatisfy(\.isHexDigit),
            let value = UInt16(group, radix: 16)
          else { return nil }
          side += [UInt8(value >> 8), UInt8(value & 255)]
        }
      }
      sides.append(side)
    }
    if sides.count == 1 { return sides[0].count == 16 ? sides[0] : nil }
    let gap = 16 - sides[0].count - sides[1].count
    guard gap >= 2 else { return nil }
    return sides[0] + [UInt8](repeating: 0, count: gap) + sides[1]
  }
}
