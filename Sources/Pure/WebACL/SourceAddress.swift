// Addresses of both families as numbers, and networks of them in a tree.

/// An IPv4 or IPv6 address; IPv4 addresses in IPv6's clothes (`::ffff:…`) are IPv4 addresses.
public struct SourceAddress: Hashable, Sendable {
  public let isV6: Bool
  let high: UInt64
  let low: UInt64

  /// An IPv4 address in host byte order.
  public init(v4: UInt32) { self.init(isV6: false, UInt64(v4) << 32, 0) }

  private init(isV6: Bool, _ high: UInt64, _ low: UInt64) {
    self.isV6 = isV6
    self.high = high
    self.low = low
  }

  /// An IPv6 address, its first and last 64 bits.
  public init(v6High: UInt64, _ v6Low: UInt64) {
    if v6High == 0, v6Low >> 32 == 0xFFFF {
      self.init(v4: UInt32(truncatingIfNeeded: v6Low))
    } else {
      self.init(isV6: true, v6High, v6Low)
    }
  }

  /// Parses text such as `192.0.2.1` or `2001:db8::1`; white space, brackets and a port around it are taken away.
  public init?(_ text: ByteView) {
    var start = 0
    var end = text.count
    while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
    while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
    if start < end, text[start] == UInt8(ascii: "[") {
      guard let close = text[start..<end].firstIndex(of: UInt8(ascii: "]")) else { return nil }
      start += 1
      end = close
    }
    guard end > start, end - start <= 45 else { return nil }
    let slice = UnsafeBufferPointer(rebasing: text[start..<end])
    let colons = slice.reduce(0) { $0 + ($1 == 0x3A ? 1 : 0) }
    if colons <= 1 {
      guard let value = Self.v4(slice) else { return nil }
      self.init(v4: value)
    } else {
      guard let (high, low) = Self.v6(slice) else { return nil }
      self.init(v6High: high, low)
    }
  }

  public init?(_ text: String) {
    var text = text
    guard let parsed = text.withUTF8({ SourceAddress($0) }) else { return nil }
    self = parsed
  }

  private static func v4(_ text: ByteView) -> UInt32? {
    var value: UInt32 = 0
    var part: UInt32 = 0
    var digits = 0
    var parts = 0
    for (index, byte) in text.enumerated() {
      if byte == 0x2E || (byte == 0x3A && parts == 3) {
        guard digits > 0, parts < 4 else { return nil }
        value = value << 8 | part
        parts += 1
        part = 0
        digits = 0
        if byte == 0x3A {
          // What follows is a port.
          guard index + 1 < text.count, text[(index + 1)...].allSatisfy({ $0 &- 0x30 <= 9 }) else { return nil }
          return value
        }
      } else {
        guard byte &- 0x30 <= 9, digits < 3 else { return nil }
        part = part * 10 + UInt32(byte - 0x30)
        digits += 1
        if part > 255 { return nil }
      }
    }
    guard digits > 0, parts == 3 else { return nil }
    return value << 8 | part
  }

  private static func v6(_ text: ByteView) -> (UInt64, UInt64)? {
    var groups: [UInt16] = []
    var gap: Int?
    var index = 0
    while index < text.count {
      if text[index] == 0x3A {
        guard index + 1 < text.count, text[index + 1] == 0x3A, gap == nil else {
          // A single colon stands between groups only.
          guard index > 0, text[index - 1] != 0x3A, index + 1 < text.count, text[index + 1] != 0x3A else {
            return nil
          }
          index += 1
          continue
        }
        gap = groups.count
        index += 2
        continue
      }
      var end = index
      while end < text.count, text[end] != 0x3A { end += 1 }
      let part = UnsafeBufferPointer(rebasing: text[index..<end])
      if part.contains(0x2E) {
        guard end == text.count, let tail = v4(part) else { return nil }
        groups.append(UInt16(tail >> 16))
        groups.append(UInt16(tail & 0xFFFF))
      } else {
        guard part.count <= 4 else { return nil }
        var value: UInt16 = 0
        for byte in part {
          guard let digit = Hex.value(byte) else { return nil }
          value = value << 4 | UInt16(digit)
        }
        groups.append(value)
      }
      index = end
    }
    if let gap {
      guard groups.count <= 7 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    let high = groups[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return (high, groups[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) })
  }

  /// Bit `index` from the front.
  func bit(_ index: Int) -> Bool {
    index < 64 ? (high >> UInt64(63 - index)) & 1 == 1 : (low >> UInt64(127 - index)) & 1 == 1
  }

  /// The text of the address (RFC 5952 for IPv6).
  public var text: String {
    if !isV6 {
      let value = UInt32(truncatingIfNeeded: high >> 32)
      return "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
    }
    let groups = (0..<8).map { index in
      UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index & 3)))
    }
    // The longest run of zeros, of two at least, becomes ::
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > max(best.count, 1) { best = start..<end }
      start = max(end, start + 1)
    }
    func join(_ part: ArraySlice<UInt16>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
    if best.isEmpty { return join(groups[...]) }
    return join(groups[..<best.lowerBound]) + "::" + join(groups[best.upperBound...])
  }
}

/// Networks with a value each; a look-up follows the address's bits and costs at most as many steps as it has.
public struct AddressTree<Value: Sendable>: Sendable {
  /// A stretch of bits that is the same for all below it.
  private struct Node: Sendable {
    /// How many bits are decided here, counted from the address's front.
    var length: Int
    var address: SourceAddress
    var value: Value?
    var children: (Int32, Int32) = (-1, -1)
  }

  private var nodes: [Node] = []
  private var roots: (v4: Int32, v6: Int32) = (-1, -1)

  public init() {}

  public var isEmpty: Bool { nodes.isEmpty }

  /// Adds a network such as `192.0.2.0/24`, or a single address; false when the text is none.
  public mutating func insert(_ network: String, _ value: Value) -> Bool {
    let parts = network.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let address = SourceAddress(String(parts[0])) else { return false }
    let width = address.isV6 ? 128 : 32
    let isMapped = !address.isV6 && parts[0].contains(":")
    guard var length = parts.count == 2 ? Int(parts[1]) : width else { return false }
    if isMapped, parts.count == 2 { length -= 96 }
    guard (0...width).contains(length) else { return false }
    insert(address, length, value)
    return true
  }

  private mutating func insert(_ address: SourceAddress, _ length: Int, _ value: Value) {
    let root = address.isV6 ? roots.v6 : roots.v4
    let top = insert(address, length, value, at: root)
    if address.isV6 { roots.v6 = top } else { roots.v4 = top }
  }

  /// Inserts below a node and returns what stands in its place.
  private mutating func insert(_ address: SourceAddress, _ length: Int, _ value: Value, at index: Int32) -> Int32 {
    guard index >= 0 else { return append(Node(length: length, address: address, value: value)) }
    let node = nodes[Int(index)]
    let common = Self.commonBits(node.address, address, min(node.length, length))
    if common == node.length {
      if common == length {
        nodes[Int(index)].value = value
        return index
      }
      if address.bit(common) {
        nodes[Int(index)].children.1 = insert(address, length, value, at: node.children.1)
      } else {
        nodes[Int(index)].children.0 = insert(address, length, value, at: node.children.0)
      }
      return index
    }
    var fork = Node(length: common, address: address, value: common == length ? value : nil)
    if node.address.bit(common) { fork.children.1 = index } else { fork.children.0 = index }
    if common < length {
      let leaf = append(Node(length: length, address: address, value: value))
      if address.bit(common) { fork.children.1 = leaf } else { fork.children.0 = leaf }
    }
    return append(fork)
  }

  private mutating func append(_ node: Node) -> Int32 {
    nodes.append(node)
    return Int32(nodes.count - 1)
  }

  private static func commonBits(_ left: SourceAddress, _ right: SourceAddress, _ limit: Int) -> Int {
    let high = (left.high ^ right.high).leadingZeroBitCount
    let same = high < 64 ? high : 64 + (left.low ^ right.low).leadingZeroBitCount
    return min(same, limit)
  }

  /// The value of the narrowest network that holds the address.
  public func find(_ address: SourceAddress) -> Value? {
    var index = address.isV6 ? roots.v6 : roots.v4
    var best: Value?
    while index >= 0 {
      let node = nodes[Int(index)]
      if Self.commonBits(node.address, address, node.length) < node.length { break }
      if let value = node.value { best = value }
      let width = address.isV6 ? 128 : 32
      if node.length >= width { break }
      index = address.bit(node.length) ? node.children.1 : node.children.0
    }
    return best
  }
}
