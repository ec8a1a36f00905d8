// The Range header (RFC 9110, section 14), of which S3 takes one range.

/// A range of bytes as a request asks for it.
enum ByteRange: Equatable {
  /// `bytes=5-9`, `bytes=5-`.
  case from(Int, through: Int?)
  /// `bytes=-5`: the last so many.
  case suffix(Int)

  /// Nil for what S3 does not look at: another unit, several ranges, nonsense.
  init?(_ text: String) {
    guard text.hasPrefix("bytes=") else { return nil }
    let parts = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map {
      $0.drop { $0 == " " }
    }
    guard parts.count == 2 else { return nil }
    if parts[0].isEmpty {
      guard let count = Self.number(parts[1]) else { return nil }
      self = .suffix(count)
    } else {
      guard let first = Self.number(parts[0]) else { return nil }
      if parts[1].isEmpty {
        self = .from(first, through: nil)
      } else {
        guard let last = Self.number(parts[1]), last >= first else { return nil }
        self = .from(first, through: last)
      }
    }
  }

  private static func number(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text) ?? .max
  }

  /// The offsets in content of this size; nil when nothing of it is asked for.
  func offsets(in size: Int) -> Range<Int>? {
    switch self {
    case .from(let first, let last):
      guard first < size else { return nil }
      return first..<(last.map { $0 >= size ? size : $0 + 1 } ?? size)
    case .suffix(let count):
      guard count > 0, size > 0 else { return nil }
      return max(0, size - count)..<size
    }
  }
}
