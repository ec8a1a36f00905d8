// Base64 (RFC 4648, section 4), on bytes: what blobs, checksums, MD5 headers and markers are written in.

/// The standard alphabet with padding.
public enum Base64 {
  private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  private static let padding = UInt8(ascii: "=")

  /// What each letter stands for; 255 for what is no letter.
  private static let values: [UInt8] = {
    var table = [UInt8](repeating: 255, count: 256)
    for value in 0..<64 { table[Int(alphabet.utf8Start[value])] = UInt8(value) }
    return table
  }()

  /// Encodes bytes.
  public static func encode(_ bytes: [UInt8]) -> String {
    let length = encodedLength(bytes.count)
    return String(unsafeUninitializedCapacity: length) { out in
      if let start = out.baseAddress { bytes.withUnsafeBufferPointer { encode($0, to: start) } }
      return length
    }
  }

  /// Encodes bytes, as ASCII.
  public static func encodeBytes(_ bytes: [UInt8]) -> [UInt8] {
    let length = encodedLength(bytes.count)
    return [UInt8](unsafeUninitializedCapacity: length) { out, count in
      if let start = out.baseAddress { bytes.withUnsafeBufferPointer { encode($0, to: start) } }
      count = length
    }
  }

  /// Decodes; nil for anything that is not base64 with its padding, without white space.
  public static func decode(_ text: String) -> [UInt8]? { decode(text, decodeStrictly) }

  /// Decodes what people and XML writers make: padding may be missing, white space is skipped; nil for anything else.
  public static func decodeLenient(_ text: String) -> [UInt8]? { decode(text, decodeLeniently) }

  // MARK: - Encoding

  private static func encodedLength(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  private static func encode(_ bytes: UnsafeBufferPointer<UInt8>, to out: UnsafeMutablePointer<UInt8>) {
    let letters = alphabet.utf8Start
    var at = 0
    var n = 0
    while at + 2 < bytes.count {
      let group = UInt32(bytes[at]) << 16 | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2])
      out[n] = letters[Int(group >> 18)]
      out[n + 1] = letters[Int(group >> 12 & 63)]
      out[n + 2] = letters[Int(group >> 6 & 63)]
      out[n + 3] = letters[Int(group & 63)]
      at += 3
      n += 4
    }
    let rest = bytes.count - at
    guard rest > 0 else { return }
    let group = UInt32(bytes[at]) << 16 | (rest == 2 ? UInt32(bytes[at + 1]) << 8 : 0)
    out[n] = letters[Int(group >> 18)]
    out[n + 1] = letters[Int(group >> 12 & 63)]
    out[n + 2] = rest == 2 ? letters[Int(group >> 6 & 63)] : padding
    out[n + 3] = padding
  }

  // MARK: - Decoding

  /// Text that is read, and bytes that come of it.
  private struct Decoding {
    let text: UnsafeBufferPointer<UInt8>
    let values: UnsafeBufferPointer<UInt8>
    let out: UnsafeMutablePointer<UInt8>
    var at = 0
    var count = 0

    /// Reads four letters at a time until something else comes.
    mutating func readGroups() {
      while at + 4 <= text.count {
        let a = values[Int(text[at])]
        let b = values[Int(text[at + 1])]
        let c = values[Int(text[at + 2])]
        let d = values[Int(text[at + 3])]
        guard a | b | c | d < 64 else { return }
        let group = UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
        out[count] = UInt8(truncatingIfNeeded: group >> 16)
        out[count + 1] = UInt8(truncatingIfNeeded: group >> 8)
        out[count + 2] = UInt8(truncatingIfNeeded: group)
        at += 4
        count += 3
      }
    }

    /// Writes the bytes of the last two or three letters.
    mutating func finish(_ group: UInt32, letters: Int) {
      if letters == 2 {
        out[count] = UInt8(truncatingIfNeeded: group >> 4)
        count += 1
      } else {
        out[count] = UInt8(truncatingIfNeeded: group >> 10)
        out[count + 1] = UInt8(truncatingIfNeeded: group >> 2)
        count += 2
      }
    }
  }

  private static func decode(_ text: String, _ read: (inout Decoding) -> Bool) -> [UInt8]? {
    var text = text
    var isRead = false
    let bytes = text.withUTF8 { text in
      [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { out, count in
        guard let start = out.baseAddress else { return }
        values.withUnsafeBufferPointer { values in
          var decoding = Decoding(text: text, values: values, out: start)
          isRead = read(&decoding)
          count = decoding.count
        }
      }
    }
    return isRead ? bytes : nil
  }

  private static func decodeStrictly(_ decoding: inout Decoding) -> Bool {
    let text = decoding.text
    guard text.count % 4 == 0 else { return false }
    decoding.readGroups()
    let at = decoding.at
    if at == text.count { return true }
    guard at + 4 == text.count, text[at + 3] == padding else { return false }
    let letters = text[at + 2] == padding ? 2 : 3
    var group: UInt32 = 0
    for byte in text[at..<(at + letters)] {
      let value = decoding.values[Int(byte)]
      guard value < 64 else { return false }
      group = group << 6 | UInt32(value)
    }
    decoding.finish(group, letters: letters)
    return true
  }

  private static func decodeLeniently(_ decoding: inout Decoding) -> Bool {
    let text = decoding.text
    var group: UInt32 = 0
    var letters = 0
    var paddings = 0
    while decoding.at < text.count {
      if letters == 0, paddings == 0 {
        decoding.readGroups()
        if decoding.at == text.count { break }
      }
      let byte = text[decoding.at]
      decoding.at += 1
      if byte == padding {
        paddings += 1
        continue
      }
      if byte == 32 || byte == 9 || byte == 10 || byte == 13 { continue }
      let value = decoding.values[Int(byte)]
      guard value < 64, paddings == 0 else { return false }
      group = group << 6 | UInt32(value)
      letters += 1
      if letters == 4 {
        decoding.out[decoding.count] = UInt8(truncatingIfNeeded: group >> 16)
        decoding.out[decoding.count + 1] = UInt8(truncatingIfNeeded: group >> 8)
        decoding.out[decoding.count + 2] = UInt8(truncatingIfNeeded: group)
        decoding.count += 3
        group = 0
        letters = 0
      }
    }
    guard paddings <= 2, letters != 1 else { return false }
    if letters == 0 { return paddings == 0 }
    decoding.finish(group, letters: letters)
    return true
  }
}
