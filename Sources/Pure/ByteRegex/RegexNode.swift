// A pattern as a tree.

/// Why a pattern is not taken.
public enum RegexError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Not a pattern; the text says what is wrong.
  case syntax(String)
  /// A pattern of another dialect, which could not be matched in linear time or means nothing over bytes.
  case unsupported(String)
  /// The pattern would become too large a program.
  case tooLarge

  public var description: String {
    switch self {
    case .syntax(let what): "the regular expression is not valid: \(what)"
    case .unsupported(let what): "the regular expression uses \(what), which is not supported"
    case .tooLarge: "the regular expression is too large"
    }
  }
}

/// What holds at a place between two bytes.
enum RegexAssertion: UInt8, Sendable {
  case start, end, wordBoundary, notWordBoundary
}

indirect enum RegexNode: Sendable {
  case empty
  case bytes(ByteSet)
  case assertion(RegexAssertion)
  case sequence([RegexNode])
  case alternatives([RegexNode])
  /// `max` nil for no upper bound.
  case repetition(RegexNode, min: Int, max: Int?, isLazy: Bool)
  /// A capture group with its number.
  case group(RegexNode, Int)
}

/// Bounds on patterns.
public enum RegexLimits {
  /// The largest count in `{n,m}`.
  public static let repetitionMax = 1000
  /// Parentheses within parentheses.
  public static let depthMax = 100
  /// Instructions in a compiled pattern.
  public static let programMax = 10_000
}
