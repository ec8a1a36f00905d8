// The table of header fields that both sides of an HTTP/2 connection build up as they go (RFC 7541, section 2.3.2).

/// The most recently added fields, the newest first. No memory is held until a field is added.
struct HPACKDynamicTable: ~Copyable {
  struct Entry {
    var offset: Int32
    var nameLength: Int32
    var valueLength: Int32
    /// What the decoder found out about the text when it came.
    var isGood: Bool
  }

  /// What an entry costs beyond its text (section 4.1).
  static let entryOverhead = 32

  /// The size in use, as the sender chose it.
  private(set) var capacity: Int
  private(set) var size = 0
  private(set) var count = 0
  /// Texts, one behind the other, oldest first, from `start` to `end`.
  private var text: UnsafeMutablePointer<UInt8>?
  private var textCapacity = 0
  private var start = 0
  private var end = 0
  /// A ring: the oldest at `oldest`.
  private var entries: UnsafeMutablePointer<Entry>?
  private var entryCapacity = 0
  private var oldest = 0

  init(capacity: Int) { self.capacity = capacity }

  deinit {
    text?.deallocate()
    entries?.deallocate()
  }

  var bytes: UnsafeMutablePointer<UInt8> { text.unsafelyUnwrapped }

  /// The entry with this number; 0 is the newest.
  subscript(_ index: Int) -> Entry {
    entries.unsafelyUnwrapped[(oldest + count - 1 - index) & (entryCapacity - 1)]
  }

  mutating func resize(_ capacity: Int) {
    self.capacity = capacity
    evict(0)
  }

  /// Drops the oldest entries until there is room for `wanted` more.
  private mutating func evict(_ wanted: Int) {
    while size + wanted > capacity, count > 0 {
      let entry = entries.unsafelyUnwrapped[oldest]
      let length = Int(entry.nameLength + entry.valueLength)
      size -= length + Self.entryOverhead
      start = Int(entry.offset) + length
      oldest = (oldest + 1) & (entryCapacity - 1)
      count -= 1
    }
    if count == 0 {
      start = 0
      end = 0
    }
  }

  /// Adds a field. One that is larger than the whole table empties it (section 4.4). The name may lie in the table.
  mutating func add(
    _ name: UnsafePointer<UInt8>, _ nameLength: Int, _ value: UnsafePointer<UInt8>, _ valueLength: Int, isGood: Bool
  ) {
    let length = nameLength + valueLength
    evict(length + Self.entryOverhead)
    if length + Self.entryOverhead > capacity { return }
    makeRoom(length)
    let target = bytes + end
    target.update(from: name, count: nameLength)
    (target + nameLength).update(from: value, count: valueLength)
    if count == entryCapacity { growEntries() }
    entries.unsafelyUnwrapped[(oldest + count) & (entryCapacity - 1)] = Entry(
      offset: Int32(truncatingIfNeeded: end), nameLength: Int32(truncatingIfNeeded: nameLength),
      valueLength: Int32(truncatingIfNeeded: valueLength), isGood: isGood)
    count += 1
    end += length
    size += length + Self.entryOverhead
  }

  private mutating func makeRoom(_ length: Int) {
    // An empty field needs no room, but it needs a place.
    if text != nil, textCapacity - end >= length { return }
    let live = end - start
    if textCapacity - live >= length, let text {
      text.update(from: text + start, count: live)
    } else {
      var grown = max(512, textCapacity)
      while grown - live < length { grown *= 2 }
      let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: grown)
      if let text { fresh.update(from: text + start, count: live) }
      text?.deallocate()
      text = fresh
      textCapacity = grown
    }
    for index in 0..<count {
      entries.unsafelyUnwrapped[(oldest + index) & (entryCapacity - 1)].offset -= Int32(truncatingIfNeeded: start)
    }
    start = 0
    end = live
  }

  private mutating func growEntries() {
    let grown = max(16, entryCapacity * 2)
    let fresh = UnsafeMutablePointer<Entry>.allocate(capacity: grown)
    for index in 0..<count { fresh[index] = entries.unsafelyUnwrapped[(oldest + index) & (entryCapacity - 1)] }
    entries?.deallocate()
    entries = fresh
    entryCapacity = grown
    oldest = 0
  }
}
