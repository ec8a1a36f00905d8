// Rules with regular expressions on one part of the request: all expressions of a listener are looked for in one pass.
import ByteRegex
import GateProtocol

/// Which rules the regular expressions on the host, or on the path, let through.
final class PatternRules {
  private let patterns: ByteRegexSet
  /// The rule that each pattern belongs to.
  private var owners: [Int] = []
  /// Rules without such a condition.
  private var free: RuleSet
  /// Those and the ones whose patterns were found in the request at hand.
  private var allowed: RuleSet
  private var isFresh = false

  init(
    _ rules: [GateSnapshot.Rule], ignoresCase: Bool, _ values: (GateSnapshot.Condition) -> [String]
  ) {
    free = RuleSet(count: rules.count)
    var compiled: [ByteRegex] = []
    for (index, rule) in rules.enumerated() {
      let texts = rule.conditions.flatMap(values)
      if texts.isEmpty { free.insert(index) }
      for text in texts {
        // The snapshot was checked: a pattern that does not compile is not there.
        guard let pattern = try? ByteRegex(text, ignoresCase: ignoresCase) else { continue }
        compiled.append(pattern)
        owners.append(index)
      }
    }
    patterns = ByteRegexSet(compiled)
    allowed = free
  }

  /// A new request begins.
  @inline(__always)
  func begin() { isFresh = false }

  /// The allowed rules among 64; the text is looked at only when one of the candidates needs it.
  @inline(__always)
  func allowed(_ word: Int, among bits: UInt64, _ text: UnsafePointer<UInt8>, _ count: Int) -> UInt64 {
    if bits & ~free.words[word] == 0 { return ~0 }
    if !isFresh { look(text, count) }
    return allowed.words[word]
  }

  private func look(_ text: UnsafePointer<UInt8>, _ count: Int) {
    isFresh = true
    for word in free.words.indices { allowed.words[word] = free.words[word] }
    patterns.match(text, count) { allowed.insert(owners[$0]) }
  }
}
