// Writes header blocks (RFC 7541) without a dynamic table: numbers for what the static table has, plain text for the
// rest. A load balancer's answers are short, and what a table would save in bytes it costs in time and memory.

/// Writes fields to memory that has room for them.
public struct HPACKEncoder: Sendable {
  private let statics = HPACKStaticTable.tables

  public init() {}

  /// The change of the dynamic table's size to nothing (section 6.3), for the front of a block.
  public static let emptyTable: UInt8 = 0x20

  /// The room that one field may need.
  public static func roomNeeded(_ nameLength: Int, _ valueLength: Int) -> Int { nameLength + valueLength + 12 }

  /// Writes `:status`; returns how many bytes. Needs five.
  @inlinable
  public func writeStatus(_ status: Int, _ output: UnsafeMutablePointer<UInt8>) -> Int {
    let number: UInt8
    switch status {
    case 200: number = 8
    case 204: number = 9
    case 206: number = 10
    case 304: number = 11
    case 400: number = 12
    case 404: number = 13
    case 500: number = 14
    default:
      output[0] = 0x08
      output[1] = 3
      output[2] = UInt8(truncatingIfNeeded: status / 100) + 0x30
      output[3] = UInt8(truncatingIfNeeded: status / 10 % 10) + 0x30
      output[4] = UInt8(truncatingIfNeeded: status % 10) + 0x30
      return 5
    }
    output[0] = 0x80 | number
    return 1
  }

  /// Writes a field; upper-case letters of the name become lower-case. Returns how many bytes.
  /// - Parameter output: has room for `roomNeeded` bytes.
  public func write(
    _ name: UnsafePointer<UInt8>, _ nameLength: Int, _ value: UnsafePointer<UInt8>, _ valueLength: Int,
    _ output: UnsafeMutablePointer<UInt8>
  ) -> Int {
    var written = 0
    var number = Int(statics.buckets[HPACKStaticTable.hash(name, nameLength)])
    var nameNumber = 0
    while number != 0 {
      let entry = statics.entries[number]
      if entry.nameLength == nameLength, Self.equals(entry.name, name, nameLength) {
        if entry.valueLength == valueLength, valueLength > 0, Self.isSame(entry.value, value, valueLength) {
          output[0] = 0x80 | UInt8(truncatingIfNeeded: number)
          return 1
        }
        if nameNumber == 0 { nameNumber = number }
      }
      number = Int(statics.next[number])
    }
    if nameNumber != 0 {
      written = Self.writeInteger(nameNumber, prefix: 4, output)
    } else {
      output[0] = 0
      written = 1 + Self.writeInteger(nameLength, prefix: 7, output + 1)
      for index in 0..<nameLength { output[written + index] = Token.lowercased(name[index]) }
      written += nameLength
    }
    written += Self.writeInteger(valueLength, prefix: 7, output + written)
    (output + written).update(from: value, count: valueLength)
    return written + valueLength
  }

  /// Writes a field from two texts.
  public func write(_ name: StaticString, _ value: StaticString, _ output: UnsafeMutablePointer<UInt8>) -> Int {
    write(name.utf8Start, name.utf8CodeUnitCount, value.utf8Start, value.utf8CodeUnitCount, output)
  }

  @inline(__always)
  private static func equals(
    _ text: UnsafePointer<UInt8>, _ name: UnsafePointer<UInt8>, _ length: Int
  ) -> Bool {
    for index in 0..<length where text[index] != Token.lowercased(name[index]) { return false }
    return true
  }

  private static func isSame(_ text: UnsafePointer<UInt8>, _ other: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    for index in 0..<length where text[index] != other[index] { return false }
    return true
  }

  /// An integer with nothing above its prefix.
  @inline(__always)
  private static func writeInteger(_ value: Int, prefix: UInt8, _ output: UnsafeMutablePointer<UInt8>) -> Int {
    let limit = Int(UInt8(1) << prefix) - 1
    if value < limit {
      output[0] = UInt8(truncatingIfNeeded: value)
      return 1
    }
    output[0] = UInt8(truncatingIfNeeded: limit)
    var rest = value - limit
    var written = 1
    while rest >= 0x80 {
      output[written] = UInt8(truncatingIfNeeded: rest) | 0x80
      rest >>= 7
      written += 1
    }
    output[written] = UInt8(truncatingIfNeeded: rest)
    return written + 1
  }
}
