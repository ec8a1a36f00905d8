// Takes header blocks apart (RFC 7541), a field at a time, into the form `name: value CRLF`.

/// The receiving end of one direction of an HTTP/2 connection's header compression. Every block of the connection must
/// go through it whole and in order, wanted or not, since each may change the table.
public struct HPACKDecoder: ~Copyable {
  /// A field, written to the output as `name: value CRLF`.
  public struct Field: Equatable, Sendable {
    public var nameLength: Int
    public var valueLength: Int
    /// The name is a lower-case token (perhaps behind a colon), and the value has no control characters but tabs and no
    /// white space around it (RFC 9113, section 8.2.1).
    public var isGood: Bool

    /// Bytes written.
    public var length: Int { nameLength + valueLength + 4 }
  }

  public enum Step: Equatable, Sendable {
    case field(Field)
    case end
    /// The block is broken, and with it the connection (`COMPRESSION_ERROR`).
    case invalid
  }

  /// What the other side's encoder may use at most (our SETTINGS_HEADER_TABLE_SIZE).
  private let tableMax: Int
  private var table: HPACKDynamicTable
  private let statics = HPACKStaticTable.tables
  private let huffman = HuffmanTable.shared

  public init(tableMax: Int = HTTP2.tableSizeDefault) {
    self.tableMax = tableMax
    table = HPACKDynamicTable(capacity: tableMax)
  }

  /// Fields in the table now, and their size as section 4.1 counts it.
  public var tableCount: Int { table.count }
  public var tableSize: Int { table.size }

  /// The room that `next` may need for one field of a block of `count` bytes.
  public static func roomNeeded(_ count: Int, tableMax: Int = HTTP2.tableSizeDefault) -> Int {
    tableMax + count * 8 / 5 + 16
  }

  /// The field at `position`, which is moved behind it; `position` is 0 at the beginning of a block.
  /// - Parameter output: has room for `roomNeeded(count)` bytes.
  public mutating func next(
    _ block: UnsafePointer<UInt8>, _ position: inout Int, _ count: Int, _ output: UnsafeMutablePointer<UInt8>
  ) -> Step {
    var mayResize = position == 0
    while position < count {
      let byte = block[position]
      if byte & 0x80 != 0 {
        guard let index = Self.integer(block, &position, count, prefix: 7) else { return .invalid }
        return indexed(index, output)
      }
      if byte & 0x40 != 0 { return literal(block, &position, count, prefix: 6, adds: true, output) }
      if byte & 0x20 == 0 { return literal(block, &position, count, prefix: 4, adds: false, output) }
      // A change of the table's size stands before the first field (section 4.2).
      guard mayResize, let size = Self.integer(block, &position, count, prefix: 5), size <= tableMax else {
        return .invalid
      }
      table.resize(size)
      mayResize = true
    }
    return .end
  }

  // MARK: - Fields

  private func indexed(_ index: Int, _ output: UnsafeMutablePointer<UInt8>) -> Step {
    if index == 0 { return .invalid }
    if index <= HPACKStaticTable.count {
      let entry = statics.entries[index]
      output.update(from: entry.name, count: entry.nameLength)
      (output + entry.nameLength + 2).update(from: entry.value, count: entry.valueLength)
      return finish(output, entry.nameLength, entry.valueLength, isGood: true)
    }
    let number = index - HPACKStaticTable.count - 1
    if number >= table.count { return .invalid }
    let entry = table[number]
    let text = table.bytes + Int(entry.offset)
    let nameLength = Int(entry.nameLength)
    output.update(from: text, count: nameLength)
    (output + nameLength + 2).update(from: text + nameLength, count: Int(entry.valueLength))
    return finish(output, nameLength, Int(entry.valueLength), isGood: entry.isGood)
  }

  private mutating func literal(
    _ block: UnsafePointer<UInt8>, _ position: inout Int, _ count: Int, prefix: UInt8, adds: Bool,
    _ output: UnsafeMutablePointer<UInt8>
  ) -> Step {
    guard let index = Self.integer(block, &position, count, prefix: prefix) else { return .invalid }
    var nameLength = 0
    var isGood = true
    if index == 0 {
      nameLength = string(block, &position, count, output)
      if nameLength < 0 { return .invalid }
      isGood = Self.isGoodName(output, nameLength)
    } else if index <= HPACKStaticTable.count {
      nameLength = statics.entries[index].nameLength
      output.update(from: statics.entries[index].name, count: nameLength)
    } else {
      let number = index - HPACKStaticTable.count - 1
      if number >= table.count { return .invalid }
      let entry = table[number]
      nameLength = Int(entry.nameLength)
      output.update(from: table.bytes + Int(entry.offset), count: nameLength)
      isGood = entry.isGood || Self.isGoodName(output, nameLength)
    }
    let value = output + nameLength + 2
    let valueLength = string(block, &position, count, value)
    if valueLength < 0 { return .invalid }
    isGood = isGood && Self.isGoodValue(value, valueLength)
    if adds { table.add(output, nameLength, value, valueLength, isGood: isGood) }
    return finish(output, nameLength, valueLength, isGood: isGood)
  }

  private func finish(
    _ output: UnsafeMutablePointer<UInt8>, _ nameLength: Int, _ valueLength: Int, isGood: Bool
  ) -> Step {
    output[nameLength] = 0x3A
    output[nameLength + 1] = 0x20
    let end = output + nameLength + 2 + valueLength
    end[0] = 0x0D
    end[1] = 0x0A
    return .field(Field(nameLength: nameLength, valueLength: valueLength, isGood: isGood))
  }

  // MARK: - Integers and strings

  /// An integer (section 5.1); nil when it is cut off or larger than anything that could be meant.
  @inline(__always)
  private static func integer(
    _ block: UnsafePointer<UInt8>, _ position: inout Int, _ count: Int, prefix: UInt8
  ) -> Int? {
    let mask = UInt8(1) << prefix &- 1
    var value = Int(block[position] & mask)
    position += 1
    if value < Int(mask) { return value }
    var shift = 0
    while position < count {
      let byte = block[position]
      position += 1
      value += Int(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
      shift += 7
      if shift > 28 { return nil }
    }
    return nil
  }

  /// A string (section 5.2), written to the output; returns its length, -1 when it is broken.
  @inline(__always)
  private func string(
    _ block: UnsafePointer<UInt8>, _ position: inout Int, _ count: Int, _ output: UnsafeMutablePointer<UInt8>
  ) -> Int {
    guard position < count else { return -1 }
    let isHuffman = block[position] & 0x80 != 0
    guard let length = Self.integer(block, &position, count, prefix: 7), length <= count - position else { return -1 }
    let start = block + position
    position += length
    if isHuffman { return huffman.decode(start, length, output) }
    output.update(from: start, count: length)
    return length
  }

  static func isGoodName(_ name: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    var index = length > 0 && name[0] == 0x3A ? 1 : 0
    if index == length { return false }
    while index < length {
      let byte = name[index]
      if !Token.contains(byte) || byte &- 0x41 < 26 { return false }
      index += 1
    }
    return true
  }

  static func isGoodValue(_ value: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    if length == 0 { return true }
    let first = value[0]
    let last = value[length - 1]
    if first == 0x20 || first == 0x09 || last == 0x20 || last == 0x09 { return false }
    var highBits: UInt64 = 0
    return Scan.endOfText(value, 0, length, &highBits) == length
  }
}
