// IPv4 addresses and networks.

enum Addresses {
  /// The address as a number; nil for anything but four decimal parts.
  static func ipv4(_ text: some StringProtocol) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      // One spelling for each address: no sign, no leading zeros.
      guard let byte = UInt8(part), String(byte) == part else { return nil }
      value = value << 8 | UInt32(byte)
    }
    return value
  }

  /// Address and prefix length of a CIDR block.
  static func network(_ text: String) -> (address: UInt32, bits: Int)? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = ipv4(parts[0]), let bits = Int(parts[1]), (0...32).contains(bits) else {
      return nil
    }
    return (address, bits)
  }

  static func contains(_ network: (address: UInt32, bits: Int), _ address: UInt32) -> Bool {
    network.bits == 0 || address >> (32 - UInt32(network.bits)) == network.address >> (32 - UInt32(network.bits))
  }

  /// The ranges that an ip target may be in: the private ones that AWS names, and loopback, where Castle's tasks are.
  static func mayBeTarget(_ address: UInt32) -> Bool {
    let allowed: [(UInt32, Int)] = [
      (0x0A00_0000, 8), (0x6440_0000, 10), (0xAC10_0000, 12), (0xC0A8_0000, 16), (0x7F00_0000, 8),
    ]
    return allowed.contains { network, bits in address >> (32 - UInt32(bits)) == network >> (32 - UInt32(bits)) }
  }
}
