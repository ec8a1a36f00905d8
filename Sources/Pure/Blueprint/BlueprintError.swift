// What is wrong in a castle.yaml, and what would be right.

/// One problem, with its place.
public struct BlueprintProblem: Sendable, Hashable, CustomStringConvertible {
  /// From 1.
  public let line: Int
  /// From 1, in Unicode scalars.
  public let column: Int
  public let message: String
  /// The nearest right word or value, when one is near.
  public let suggestion: String?

  public var description: String {
    "\(line):\(column): \(message)" + (suggestion.map { "; did you mean \($0)?" } ?? "")
  }
}

/// Every problem found in a castle.yaml, in the order of the file.
public struct BlueprintError: Error, Sendable, Hashable, CustomStringConvertible {
  public let problems: [BlueprintProblem]

  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// The word nearest to what was written, when it is near enough to have been meant.
func nearest(_ written: String, of words: some Sequence<String>) -> String? {
  let scored = words.map { (word: $0, distance: editDistance(written.lowercased(), $0.lowercased())) }
  guard let best = scored.min(by: { ($0.distance, $0.word) < ($1.distance, $1.word) }) else { return nil }
  return best.distance <= max(1, min(written.count, best.word.count) / 2) ? best.word : nil
}

/// How many insertions, deletions, replacements and swaps of neighbours turn one word into another.
func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a.unicodeScalars.prefix(64))
  let b = Array(b.unicodeScalars.prefix(64))
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in a.indices {
    var current = [i + 1] + Array(repeating: 0, count: b.count)
    for j in b.indices {
      current[j + 1] = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        current[j + 1] = min(current[j + 1], beforeLast[j - 1] + 1)
      }
    }
    beforeLast = last
    last = current
  }
  return last[b.count]
}
