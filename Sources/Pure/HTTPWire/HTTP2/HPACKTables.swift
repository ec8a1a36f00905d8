// The two tables of RFC 7541 that never change: common header fields (appendix A) and the Huffman code (appendix B).

/// Header fields with fixed numbers.
enum HPACKStaticTable {
  static let count = 61
  /// Numbers of the fields with a status in its place (`:status` 200, 204, 206, 304, 400, 404, 500).
  static let firstStatus = 8

  /// Field 1 is at index 1; index 0 is empty.
  private static let texts: [(name: StaticString, value: StaticString)] = [
    ("", ""), (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
  ]

  struct Entry {
    var name: UnsafePointer<UInt8>
    var nameLength: Int
    var value: UnsafePointer<UInt8>
    var valueLength: Int
  }

  /// The table, and where names begin in it.
  // Written once, before the first reader sees it, and never freed.
  struct Tables: @unchecked Sendable {
    let entries: UnsafeMutablePointer<Entry>
    /// By `hash`: the number of the first field whose name has it, 0 for none.
    let buckets: UnsafeMutablePointer<UInt8>
    /// For fields in the same bucket: the next one's number, 0 at the end.
    let next: UnsafeMutablePointer<UInt8>
  }

  static let tables: Tables = {
    let entries = UnsafeMutablePointer<Entry>.allocate(capacity: texts.count)
    let buckets = UnsafeMutablePointer<UInt8>.allocate(capacity: 128)
    let next = UnsafeMutablePointer<UInt8>.allocate(capacity: texts.count)
    buckets.initialize(repeating: 0, count: 128)
    next.initialize(repeating: 0, count: texts.count)
    for (index, text) in texts.enumerated() {
      (entries + index).initialize(
        to: Entry(
          name: text.name.utf8Start, nameLength: text.name.utf8CodeUnitCount, value: text.value.utf8Start,
          valueLength: text.value.utf8CodeUnitCount))
    }
    // From the last to the first, so that a bucket's list is in rising order.
    for index in stride(from: texts.count - 1, through: 1, by: -1) {
      let bucket = hash(entries[index].name, entries[index].nameLength)
      next[index] = buckets[bucket]
      buckets[bucket] = UInt8(index)
    }
    return Tables(entries: entries, buckets: buckets, next: next)
  }()

  /// A number below 128 from a lower-case name.
  @inline(__always)
  static func hash(_ name: UnsafePointer<UInt8>, _ length: Int) -> Int {
    if length == 0 { return 0 }
    let middle = Int(Token.lowercased(name[length >> 1]))
    let last = Int(Token.lowercased(name[length - 1]))
    return (length &* 11 &+ Int(Token.lowercased(name[0])) &* 5 &+ middle &* 3 &+ last) & 127
  }
}

/// The Huffman code. Codes of one length rise with their symbols, and longer codes follow shorter ones, so the lengths
/// say everything.
// Written once, before the first reader sees it, and never freed.
struct HuffmanTable: @unchecked Sendable {
  static let symbolCount = 257
  static let lengthMax = 30
  static let endOfString = 256

  private static let lengths: [UInt8] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26, 30,
  ]

  /// For each first byte: the symbol whose code it begins with and the code's length; length 0 for longer codes.
  let short: UnsafeMutablePointer<(symbol: UInt8, length: UInt8)>
  /// Symbols in the order of their codes.
  let ordered: UnsafeMutablePointer<UInt16>
  /// For each length: the first code beyond this length's codes, moved to the top of 32 bits.
  let limits: UnsafeMutablePointer<UInt64>
  /// For each length: index of its first symbol in `ordered`, and its first code.
  let firstIndex: UnsafeMutablePointer<Int>
  let firstCode: UnsafeMutablePointer<UInt32>

  static let shared = HuffmanTable()

  private init() {
    let lengths = Self.lengths
    short = .allocate(capacity: 256)
    short.initialize(repeating: (0, 0), count: 256)
    ordered = .allocate(capacity: Self.symbolCount)
    limits = .allocate(capacity: Self.lengthMax + 1)
    limits.initialize(repeating: 0, count: Self.lengthMax + 1)
    firstIndex = .allocate(capacity: Self.lengthMax + 1)
    firstIndex.initialize(repeating: 0, count: Self.lengthMax + 1)
    firstCode = .allocate(capacity: Self.lengthMax + 1)
    firstCode.initialize(repeating: 0, count: Self.lengthMax + 1)
    var code: UInt32 = 0
    var index = 0
    for length in 1...Self.lengthMax {
      code <<= 1
      firstIndex[length] = index
      firstCode[length] = code
      for symbol in lengths.indices where Int(lengths[symbol]) == length {
        (ordered + index).initialize(to: UInt16(symbol))
        index += 1
        if length <= 8 {
          let shift = UInt32(8 - length)
          for rest in 0..<(UInt32(1) << shift) {
            short[Int(code << shift | rest)] = (UInt8(symbol), UInt8(length))
          }
        }
        code += 1
      }
      limits[length] = UInt64(code) << UInt64(32 - length)
    }
  }

  /// Decodes a string; returns its length, or -1 when it is not well coded: a code for the end of the string, or an end
  /// in the middle of a code that is not made of up to seven ones.
  /// - Parameter output: has room for `count * 8 / 5` bytes.
  func decode(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ output: UnsafeMutablePointer<UInt8>) -> Int {
    var bits: UInt64 = 0  // the next bits, at the top
    var available = 0
    var position = 0
    var written = 0
    while true {
      while available <= 56, position < count {
        bits |= UInt64(bytes[position]) << UInt64(56 - available)
        position += 1
        available += 8
      }
      let entry = short[Int(bits >> 56)]
      if entry.length != 0, Int(entry.length) <= available {
        output[written] = entry.symbol
        written += 1
        bits <<= UInt64(entry.length)
        available -= Int(entry.length)
        continue
      }
      if available < 8 {
        // What is left is padding, or a code cut off.
        return available == 0 || bits >> UInt64(64 - available) == (1 << UInt64(available)) - 1 ? written : -1
      }
      let window = bits >> 32
      var length = 9
      while length <= Self.lengthMax, window >= limits[length] { length += 1 }
      if length > Self.lengthMax || length > available { return -1 }
      let offset = Int(UInt32(window >> UInt64(32 - length)) &- firstCode[length])
      let symbol = ordered[firstIndex[length] + offset]
      if symbol == Self.endOfString { return -1 }
      output[written] = UInt8(truncatingIfNeeded: symbol)
      written += 1
      bits <<= UInt64(length)
      available -= length
    }
  }
}
