// Cyclic redundancy checks, bit-reflected, eight bytes a step: what objects and the blocks on the disk are checked with.

import CChecksum

/// The tables and arithmetic of one reflected polynomial.
struct CRCTable<Word: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
  let polynomial: Word
  /// Eight tables of 256, one behind the other: table k is what a byte does after k further zero bytes.
  let words: [Word]

  init(polynomial: Word) {
    self.polynomial = polynomial
    var words = [Word](repeating: 0, count: 2048)
    for i in 0..<256 {
      var value = Word(truncatingIfNeeded: i)
      for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ polynomial : value >> 1 }
      words[i] = value
    }
    for i in 256..<2048 {
      let before = words[i - 256]
      words[i] = words[Int(truncatingIfNeeded: before & 0xFF)] ^ (before >> 8)
    }
    self.words = words
  }

  @inline(__always)
  func update(_ state: Word, _ bytes: UnsafeRawBufferPointer) -> Word {
    guard let base = bytes.baseAddress else { return state }
    return words.withUnsafeBufferPointer { table in
      var crc = state
      var at = 0
      let blocks = bytes.count & ~7
      while at < blocks {
        // The state is at most eight bytes, so it folds into the block whole.
        let block = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ UInt64(crc)
        let low = UInt32(truncatingIfNeeded: block)
        let high = UInt32(truncatingIfNeeded: block >> 32)
        crc = table[1792 + Int(low & 0xFF)]
        crc ^= table[1536 + Int((low >> 8) & 0xFF)]
        crc ^= table[1280 + Int((low >> 16) & 0xFF)]
        crc ^= table[1024 + Int(low >> 24)]
        crc ^= table[768 + Int(high & 0xFF)]
        crc ^= table[512 + Int((high >> 8) & 0xFF)]
        crc ^= table[256 + Int((high >> 16) & 0xFF)]
        crc ^= table[Int(high >> 24)]
        at += 8
      }
      while at < bytes.count {
        crc = table[Int(truncatingIfNeeded: crc & 0xFF) ^ Int(bytes[at])] ^ (crc >> 8)
        at += 1
      }
      return crc
    }
  }

  /// The product of two polynomials modulo ours (reflected: the top bit is x⁰).
  func product(_ a: Word, _ b: Word) -> Word {
    var a = a
    var b = b
    var result: Word = 0
    let top = Word(1) << (Word.bitWidth - 1)
    while a != 0 {
      if a & top != 0 { result ^= b }
      a <<= 1
      b = b & 1 == 1 ? (b >> 1) ^ polynomial : b >> 1
    }
    return result
  }

  /// The check of two texts joined, from the checks of both and the second's length in bytes.
  func combine(_ first: Word, _ second: Word, secondLength: Int) -> Word {
    let top = Word(1) << (Word.bitWidth - 1)
    var power = top
    var square = top >> 8
    var n = secondLength
    while n > 0 {
      if n & 1 == 1 { power = product(power, square) }
      square = product(square, square)
      n >>= 1
    }
    return product(first, power) ^ second
  }
}

/// CRC-32 as in zlib and Ethernet (ISO 3309), S3's `CRC32`.
public struct CRC32: Sendable {
  private static let table = CRCTable<UInt32>(polynomial: 0xEDB8_8320)
  private var state: UInt32 = .max
  public init() {}
  public mutating func update(_ bytes: UnsafeRawBufferPointer) { state = Self.table.update(state, bytes) }
  public var value: UInt32 { ~state }
  /// The check of two texts joined.
  public static func combine(_ first: UInt32, _ second: UInt32, secondLength: Int) -> UInt32 {
    table.combine(first, second, secondLength: secondLength)
  }
}

/// CRC-32C, Castagnoli's polynomial (RFC 9260, appendix A), S3's `CRC32C`: by the processor's own instruction where it
/// has one.
public struct CRC32C: Sendable {
  static let table = CRCTable<UInt32>(polynomial: 0x82F6_3B78)
  private var state: UInt32 = .max
  public init() {}
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state =
      castle_has_crc32c()
      ? castle_crc32c(state, bytes.baseAddress, bytes.count) : Self.table.update(state, bytes)
  }
  public var value: UInt32 { ~state }
  /// The check of two texts joined.
  public static func combine(_ first: UInt32, _ second: UInt32, secondLength: Int) -> UInt32 {
    table.combine(first, second, secondLength: secondLength)
  }
}

/// CRC-64 of the NVM Express specification, S3's `CRC64NVME`.
public struct CRC64NVME: Sendable {
  private static let table = CRCTable<UInt64>(polynomial: 0x9A6C_9329_AC4B_C9B5)
  private var state: UInt64 = .max
  public init() {}
  public mutating func update(_ bytes: UnsafeRawBufferPointer) { state = Self.table.update(state, bytes) }
  public var value: UInt64 { ~state }
  /// The check of two texts joined.
  public static func combine(_ first: UInt64, _ second: UInt64, secondLength: Int) -> UInt64 {
    table.combine(first, second, secondLength: secondLength)
  }
}
