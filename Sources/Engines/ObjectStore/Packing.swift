// A small binary encoding for what SQLite need not look into: several times faster than JSON on the way of each object.

/// Writes length-prefixed values.
struct Packer {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ number: Int) {
    var rest = UInt64(bitPattern: Int64(number))
    while rest >= 128 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func add(_ value: [UInt8]) {
    add(value.count)
    bytes.append(contentsOf: value)
  }

  mutating func add(_ text: String) {
    add(text.utf8.count)
    bytes.append(contentsOf: text.utf8)
  }

  mutating func add(_ text: String?) {
    add(text == nil ? 0 : 1)
    if let text { add(text) }
  }

  mutating func add(_ dictionary: [String: String]) {
    add(dictionary.count)
    for (key, value) in dictionary {
      add(key)
      add(value)
    }
  }
}

/// Reads what ``Packer`` wrote; anything else is an error.
struct Unpacker {
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private func broken() -> ObjectStoreError { .corrupt("an index entry cannot be read") }

  mutating func int() throws -> Int {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard at < bytes.count, shift < 64 else { throw broken() }
      let byte = bytes[at]
      at += 1
      value |= UInt64(byte & 127) << shift
      if byte < 128 { return Int(Int64(bitPattern: value)) }
      shift += 7
    }
  }

  mutating func slice() throws -> ArraySlice<UInt8> {
    let count = try int()
    guard count >= 0, count <= bytes.count - at else { throw broken() }
    defer { at += count }
    return bytes[at..<(at + count)]
  }

  mutating func string() throws -> String { String(decoding: try slice(), as: UTF8.self) }

  mutating func optionalString() throws -> String? { try int() == 0 ? nil : try string() }

  mutating func dictionary() throws -> [String: String] {
    var result: [String: String] = [:]
    for _ in 0..<(try int()) {
      let key = try string()
      result[key] = try string()
    }
    return result
  }
}
