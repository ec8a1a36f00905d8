// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes a step: what blocks on the disk are checked with.

/// A running CRC-32C.
public struct CRC32C: Sendable {
  private var state: UInt32 = 0xffff_ffff

  public init() {}

  /// The checksum of all bytes so far.
  public var value: UInt32 { ~state }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state = tables.withUnsafeBufferPointer { Self.advance(state, bytes, $0) }
  }

  private static func advance(
    _ start: UInt32, _ bytes: UnsafeRawBufferPointer, _ t: UnsafeBufferPointer<UInt32>
  ) -> UInt32 {
    var crc = start
    var at = 0
    while at &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ UInt64(crc)
      crc = t[1792 &+ Int(word & 255)] ^ t[1536 &+ Int((word &>> 8) & 255)] ^ t[1280 &+ Int((word &>> 16) & 255)]
      crc ^= t[1024 &+ Int((word &>> 24) & 255)] ^ t[768 &+ Int((word &>> 32) & 255)]
      crc ^= t[512 &+ Int((word &>> 40) & 255)] ^ t[256 &+ Int((word &>> 48) & 255)] ^ t[Int(word &>> 56)]
      at &+= 8
    }
    while at < bytes.count {
      crc = t[Int((crc ^ UInt32(bytes[at])) & 255)] ^ (crc &>> 8)
      at &+= 1
    }
    return crc
  }
}

/// Eight tables of 256, one after the other (table n advances a byte by n further zero bytes).
private let tables: [UInt32] = {
  var t = [UInt32](repeating: 0, count: 2048)
  for i in 0..<256 {
    var crc = UInt32(i)
    for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82f6_3b78 : crc >> 1 }
    t[i] = crc
  }
  for i in 256..<2048 { t[i] = t[Int(t[i - 256] & 255)] ^ (t[i - 256] >> 8) }
  return t
}()
