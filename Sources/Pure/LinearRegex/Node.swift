// A parsed pattern.

/// What must hold between two bytes.
enum Assertion: UInt8, Sendable {
  case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary

  /// - Parameters:
  ///   - before: the byte before the place, nil at the start.
  ///   - after: the byte behind it, nil at the end.
  func holds(before: UInt8?, after: UInt8?) -> Bool {
    switch self {
    case .textStart: before == nil
    case .textEnd: after == nil
    case .lineStart: before == nil || before == 0x0A
    case .lineEnd: after == nil || after == 0x0A
    case .wordBoundary: Self.isWord(before) != Self.isWord(after)
    case .notWordBoundary: Self.isWord(before) == Self.isWord(after)
    }
  }

  private static func isWord(_ byte: UInt8?) -> Bool { byte.map(ByteSet.word.contains) ?? false }
}

indirect enum Node: Sendable {
  case empty
  case set(ByteSet)
  case assertion(Assertion)
  case concatenation([Node])
  case alternation([Node])
  /// `max` nil: without end.
  case repetition(Node, min: Int, max: Int?, isGreedy: Bool)
  case group(Node, index: Int)
}
