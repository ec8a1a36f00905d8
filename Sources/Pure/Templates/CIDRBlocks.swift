// The arithmetic of Fn::Cidr.

/// Splits address blocks.
enum CIDRBlocks {
  /// The first `count` (1 to 256) sub-blocks of `block`, each with `hostBits` bits left for hosts (IPv4: 8 when nil,
  /// IPv6: 64); nil when the block is malformed or too small.
  static func split(_ block: String, count: Int, hostBits: Int?) -> [String]? {
    let parts = block.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let prefix = Int(parts[1]), (1...256).contains(count) else { return nil }
    let isIPv6 = parts[0].contains(":")
    let width = isIPv6 ? 128 : 32
    let bits = hostBits ?? (isIPv6 ? 64 : 8)
    guard (0...width).contains(prefix), (1...width).contains(bits), width - bits >= prefix,
      let address = isIPv6 ? ipv6(parts[0]) : ipv4(parts[0])
    else { return nil }
    let room = width - bits - prefix
    guard room >= 64 || count <= (1 << min(room, 62)) else { return nil }
    let hostMask: UInt128 = prefix == 0 ? .max : (UInt128(1) << UInt128(width - prefix)) - 1
    let base = address & ~hostMask
    return (0..<count).map { index in
      let start = base + UInt128(index) << UInt128(bits)
      return (isIPv6 ? ipv6Text(start) : ipv4Text(start)) + "/\(width - bits)"
    }
  }

  private static func ipv4(_ text: Substring) -> UInt128? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: UInt128 = 0
    for part in parts {
      guard let byte = UInt8(part) else { return nil }
      address = address << 8 | UInt128(byte)
    }
    return address
  }

  private static func ipv4Text(_ address: UInt128) -> String {
    (0..<4).map { String((address >> UInt128(24 - 8 * $0)) & 0xFF) }.joined(separator: ".")
  }

  private static func ipv6(_ text: Substring) -> UInt128? {
    func groups(_ text: Substring) -> [UInt16]? {
      if text.isEmpty { return [] }
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      let numbers = parts.compactMap { UInt16($0, radix: 16) }
      return numbers.count == parts.count ? numbers : nil
    }
    var all: [UInt16]
    if let gap = text.firstRange(of: "::") {
      guard let head = groups(text[..<gap.lowerBound]), let tail = groups(text[gap.upperBound...]),
        head.count + tail.count < 8
      else { return nil }
      all = head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    } else {
      guard let whole = groups(text) else { return nil }
      all = whole
    }
    guard all.count == 8 else { return nil }
    return all.reduce(0) { $0 << 16 | UInt128($1) }
  }

  /// The text of RFC 5952: the longest run of zero groups is shortened.
  private static func ipv6Text(_ address: UInt128) -> String {
    let groups = (0..<8).map { Int((address >> UInt128(112 - 16 * $0)) & 0xFFFF) }
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > best.count, end - start > 1 { best = start..<end }
      start = max(end, start + 1)
    }
    func text(_ part: ArraySlice<Int>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
    if best.isEmpty { return text(groups[...]) }
    return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
  }
}
