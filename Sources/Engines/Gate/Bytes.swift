// A growable queue of bytes: appended at the end, consumed from the front, no memory held while empty and released.
import Glibc

/// Bytes that wait to be parsed or sent.
struct Bytes: ~Copyable {
  private(set) var base: UnsafeMutablePointer<UInt8>?
  private(set) var capacity = 0
  private(set) var start = 0
  private(set) var end = 0

  init() {}

  deinit { free(base) }

  var count: Int { end - start }
  var isEmpty: Bool { end == start }

  /// The first unconsumed byte. Only to be used while `count` is above zero.
  var first: UnsafeMutablePointer<UInt8> { base.unsafelyUnwrapped + start }

  /// Makes room behind the end and returns it.
  mutating func reserve(_ wanted: Int) -> UnsafeMutablePointer<UInt8> {
    if capacity - end < wanted { makeRoom(wanted) }
    return base.unsafelyUnwrapped + end
  }

  private mutating func makeRoom(_ wanted: Int) {
    let length = count
    if start > 0, capacity - length >= wanted, let base {
      memmove(base, base + start, length)
    } else {
      var grown = max(512, capacity)
      while grown - length < wanted { grown *= 2 }
      guard let memory = malloc(grown) else { fatalError("out of memory") }
      let fresh = memory.assumingMemoryBound(to: UInt8.self)
      if let base { memcpy(fresh, base + start, length) }
      free(base)
      base = fresh
      capacity = grown
    }
    start = 0
    end = length
  }

  mutating func advanceEnd(_ count: Int) { end += count }

  mutating func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    guard count > 0 else { return }
    memcpy(reserve(count), bytes, count)
    end += count
  }

  mutating func append(_ text: StaticString) { append(text.utf8Start, text.utf8CodeUnitCount) }

  mutating func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { if let base = $0.baseAddress { append(base, $0.count) } }
  }

  /// Puts bytes in front of the one at `place`, counted from the first.
  mutating func insert(_ bytes: [UInt8], at place: Int) {
    if bytes.isEmpty { return }
    _ = reserve(bytes.count)
    let there = first + place
    memmove(there + bytes.count, there, count - place)
    _ = bytes.withUnsafeBytes { memcpy(there, $0.baseAddress.unsafelyUnwrapped, $0.count) }
    end += bytes.count
  }

  /// Named, so that a literal never becomes a String on a hot path.
  mutating func append(text: String) { append(Array(text.utf8)) }

  mutating func append(byte: UInt8) {
    reserve(1).pointee = byte
    end += 1
  }

  mutating func append(decimal value: UInt64) {
    var rest = value
    var digits = 1
    while rest >= 10 {
      rest /= 10
      digits += 1
    }
    let room = reserve(digits)
    rest = value
    for index in stride(from: digits - 1, through: 0, by: -1) {
      room[index] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
      rest /= 10
    }
    end += digits
  }

  /// The lowest `digits` hexadecimal digits.
  mutating func append(hexadecimal value: UInt64, digits: Int) {
    let room = reserve(digits)
    for index in 0..<digits {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - index))) & 15
      room[index] = digit < 10 ? digit + 0x30 : digit + 0x57
    }
    end += digits
  }

  /// An IPv4 address, host byte order.
  mutating func append(address: UInt32) {
    var shift: UInt32 = 24
    while true {
      append(decimal: UInt64((address >> shift) & 255))
      if shift == 0 { return }
      append(byte: 0x2E)
      shift -= 8
    }
  }

  /// `192.0.2.1:80`
  mutating func append(address: UInt32, port: UInt16) {
    append(address: address)
    append(byte: 0x3A)
    append(decimal: UInt64(port))
  }

  mutating func consume(_ count: Int) {
    start += count
    if start == end {
      start = 0
      end = 0
    }
  }

  mutating func clear() {
    start = 0
    end = 0
  }

  /// Forgets the contents, and gives memory beyond `keeping` bytes back.
  mutating func release(keeping: Int) {
    start = 0
    end = 0
    if capacity > keeping {
      free(base)
      base = nil
      capacity = 0
    }
  }
}
