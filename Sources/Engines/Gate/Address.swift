// IPv4 addresses as numbers in host byte order.

/// An address and port to connect to.
struct SocketAddress: Hashable, Sendable {
  var address: UInt32
  var port: UInt16
}

enum IPv4 {
  /// The number of a dotted address; nil when it is not one.
  static func parse(_ text: some StringProtocol) -> UInt32? {
    if text == "localhost" { return 0x7F00_0001 }
    var value: UInt32 = 0
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    for part in parts {
      guard let number = UInt8(part) else { return nil }
      value = value << 8 | UInt32(number)
    }
    return value
  }

  static func text(_ address: UInt32) -> String {
    "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
  }

  /// A network such as `10.0.0.0/8`, as its masked address and mask.
  static func network(_ text: String) -> (address: UInt32, mask: UInt32)? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let address = parse(parts[0]), parts.count <= 2 else { return nil }
    guard let bits = parts.count == 2 ? Int(parts[1]) : 32, (0...32).contains(bits) else { return nil }
    let mask: UInt32 = bits == 0 ? 0 : ~0 << UInt32(32 - bits)
    return (address & mask, mask)
  }
}
