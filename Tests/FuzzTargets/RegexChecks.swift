// Two engines of regular expressions, each linear in its text: in each, finding a match and finding where it lies must agree.
import ByteRegex
import LinearRegex

enum RegexChecks {
  static func run(_ bytes: UnsafeBufferPointer<UInt8>) {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count < 200 else { return }
    let pattern = String(decoding: parts[0], as: UTF8.self)
    let text = Array(parts[1].prefix(500))
    let linear = try? LinearRegex(pattern)
    let other = try? ByteRegex(pattern)
    if let linear {
      let matcher = LinearRegexMatcher(linear)
      let found = matcher.firstMatch(in: text)
      precondition(matcher.matches(text) == (found != nil), "\(pattern): the automata disagree")
      if let whole = found?.first.flatMap({ $0 }) {
        precondition(whole.lowerBound >= 0 && whole.upperBound <= text.count)
      }
    }
    if let other {
      let set = ByteRegexSet([other])
      let found = text.withUnsafeBufferPointer { view in
        view.baseAddress.map { set.isAnyFound($0, view.count) }
      }
      let match = text.withUnsafeBufferPointer { other.firstMatch(in: $0) }
      if let found { precondition(found == (match != nil), "\(pattern): set and captures disagree") }
    }
  }
}
