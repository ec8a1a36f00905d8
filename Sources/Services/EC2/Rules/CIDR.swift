// IPv4 networks.

/// An IPv4 network in CIDR notation, its host bits zero.
struct CIDR: Sendable, Hashable, CustomStringConvertible {
  var base: UInt32
  var bits: Int

  /// Nil when the text is not an IPv4 network. Host bits are cleared, as EC2 does.
  init?(_ text: String) {
    let halves = text.split(separator: "/", omittingEmptySubsequences: false)
    guard halves.count == 2, let bits = Int(halves[1]), (0...32).contains(bits), let address = CIDR.address(halves[0])
    else { return nil }
    self.bits = bits
    base = bits == 0 ? 0 : address & ~UInt32(0) << UInt32(32 - bits)
  }

  static func address(_ text: some StringProtocol) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard let octet = UInt8(part), part == "0" || part.first != "0" else { return nil }
      value = value << 8 | UInt32(octet)
    }
    return value
  }

  static func text(_ address: UInt32) -> String {
    "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
  }

  var size: UInt64 { 1 << UInt64(32 - bits) }
  private var last: UInt64 { UInt64(base) + size - 1 }

  func contains(_ other: CIDR) -> Bool { UInt64(other.base) >= UInt64(base) && other.last <= last }
  func overlaps(_ other: CIDR) -> Bool { UInt64(base) <= other.last && UInt64(other.base) <= last }

  /// The network's n-th address.
  func address(_ n: UInt32) -> String { CIDR.text(base &+ n) }

  var description: String { "\(CIDR.text(base))/\(bits)" }
}
