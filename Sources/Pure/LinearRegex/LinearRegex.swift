// Regular expressions whose cost is bounded by the text's length, whatever the pattern and the text: a pattern becomes
// an automaton that is followed byte by byte and never goes back. What only backtracking can do (back references,
// looking around, possessive and atomic groups) is refused when the pattern is compiled.

/// Why a pattern cannot be used.
public struct LinearRegexError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong or not supported.
  public let reason: String
  /// Where in the pattern, in bytes.
  public let offset: Int

  init(_ reason: String, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String { "\(reason) (at offset \(offset))" }
}

/// Bounds on patterns.
public enum LinearRegexLimits {
  /// Bytes in a pattern.
  public static let patternMax = 4096
  /// The largest number in `{n,m}`.
  public static let repeatMax = 1000
  /// Groups inside groups.
  public static let nestingMax = 50
  /// Instructions of the automaton.
  public static let programMax = 10_000
  /// States that a matcher remembers before it begins anew.
  static let cachedStatesMax = 2_000
  /// Places in all remembered states together, which is what their memory goes to.
  static let cachedPlacesMax = 200_000
}

/// A compiled pattern. The syntax is Perl's, on bytes: `.` and classes take one byte, letters of other alphabets match
/// as their UTF-8 bytes, `$` without `(?m)` is the very end of the text. An immutable value; a `LinearRegexMatcher` per
/// thread does the matching.
public struct LinearRegex: Sendable {
  /// The pattern, or the patterns of which any may match.
  public let patterns: [String]
  /// The number of capturing groups; group 0, the whole match, is not counted.
  public let groupCount: Int
  /// Numbers of the named groups.
  public let groupNames: [String: Int]
  let program: Program

  /// - Parameters:
  ///   - pattern: Perl syntax without what needs backtracking.
  ///   - ignoresCase: ASCII letters match in both cases, as with `(?i)`.
  /// - Throws: where and why the pattern is not valid or not supported.
  public init(_ pattern: String, ignoresCase: Bool = false) throws(LinearRegexError) {
    try self.init(anyOf: [pattern], ignoresCase: ignoresCase)
  }

  /// A set of patterns, matched in one pass; groups are numbered through all of them.
  /// - Throws: as for one pattern; of an empty set too.
  public init(anyOf patterns: [String], ignoresCase: Bool = false) throws(LinearRegexError) {
    guard !patterns.isEmpty else { throw LinearRegexError("there is no pattern", at: 0) }
    var nodes: [Node] = []
    var groups = 0
    var names: [String: Int] = [:]
    for pattern in patterns {
      var parser = try Parser(pattern, ignoresCase: ignoresCase, firstGroup: groups)
      nodes.append(try parser.parse())
      groups = parser.groupCount
      names.merge(parser.groupNames) { first, _ in first }
    }
    self.patterns = patterns
    groupCount = groups
    groupNames = names
    program = try Program(nodes.count == 1 ? nodes[0] : .alternation(nodes), groups: groups)
  }
}
