// Random patterns and texts: both automata must agree with a plain backtracking interpreter of the pattern's tree, and
// no sequence of bytes may be more than refused.

import Testing

@testable import LinearRegex

/// Tries everything in Perl's order.
private struct Backtracker {
  let text: [UInt8]

  func match(_ node: Node, _ position: Int, _ rest: (Int) -> Int?) -> Int? {
    switch node {
    case .empty: return rest(position)
    case .set(let set): return position < text.count && set.contains(text[position]) ? rest(position + 1) : nil
    case .assertion(let assertion):
      let holds = assertion.holds(
        before: position > 0 ? text[position - 1] : nil, after: position < text.count ? text[position] : nil)
      return holds ? rest(position) : nil
    case .concatenation(let parts): return sequence(parts[...], position, rest)
    case .alternation(let branches):
      for branch in branches { if let end = match(branch, position, rest) { return end } }
      return nil
    case .group(let inner, _): return match(inner, position, rest)
    case .repetition(let inner, let min, let max, let isGreedy):
      return loop(inner, min, max, isGreedy, position, rest)
    }
  }

  private func sequence(_ parts: ArraySlice<Node>, _ position: Int, _ rest: (Int) -> Int?) -> Int? {
    guard let first = parts.first else { return rest(position) }
    return match(first, position) { sequence(parts.dropFirst(), $0, rest) }
  }

  private func loop(
    _ inner: Node, _ min: Int, _ max: Int?, _ isGreedy: Bool, _ position: Int, _ rest: (Int) -> Int?
  ) -> Int? {
    if min > 0 {
      return match(inner, position) { loop(inner, min - 1, max.map { $0 - 1 }, isGreedy, $0, rest) }
    }
    func again() -> Int? {
      if max == 0 { return nil }
      return match(inner, position) { end in
        end == position ? nil : loop(inner, 0, max.map { $0 - 1 }, isGreedy, end, rest)
      }
    }
    return isGreedy ? again() ?? rest(position) : rest(position) ?? again()
  }

  func firstMatch(_ node: Node) -> Range<Int>? {
    for start in 0...text.count { if let end = match(node, start, { $0 }) { return start..<end } }
    return nil
  }
}

@Suite("Regular expressions: fuzz")
struct LinearRegexFuzzTests {
  private func pattern(_ depth: Int, _ random: inout Generator) -> String {
    let choice = random.next() % (depth == 0 ? 6 : 13)
    switch choice {
    case 0, 1: return "a"
    case 2: return "b"
    case 3: return "[ab]"
    case 4: return "."
    case 5: return ["^", "$", "\\b", "[^a]", "\\w", " "][Int(random.next() % 6)]
    case 6, 7: return pattern(depth - 1, &random) + pattern(depth - 1, &random)
    case 8: return "(\(pattern(depth - 1, &random))|\(pattern(depth - 1, &random)))"
    case 9: return "(\(pattern(depth - 1, &random)))"
    // Of what takes a byte for certain: for empty turns of a loop, machines differ from Perl in which match they take.
    case 10: return "(?:a\(pattern(depth - 1, &random)))*"
    case 11: return "(?:\(pattern(depth - 1, &random))b)+?"
    default: return "(?:[ab]\(pattern(depth - 1, &random))){1,3}"
    }
  }

  @Test("both automata agree with a backtracking interpreter on random patterns")
  func agreement() throws {
    var random = Generator(state: 0x9E37_79B9_7F4A_7C15)
    for _ in 0..<1500 {
      let text = pattern(3, &random)
      let regex = try LinearRegex(text)
      var parser = try Parser(text, ignoresCase: false, firstGroup: 0)
      let node = try parser.parse()
      let matcher = LinearRegexMatcher(regex)
      for _ in 0..<6 {
        let length = Int(random.next() % 9)
        let input = (0..<length).map { _ in Array("ab \nab".utf8)[Int(random.next() % 6)] }
        let expected = Backtracker(text: input).firstMatch(node)
        #expect(matcher.matches(input) == (expected != nil), "\(text) on \(input)")
        #expect(matcher.firstMatch(in: input)?[0] == expected, "\(text) on \(input)")
      }
    }
  }

  @Test("any bytes are a pattern or refused")
  func garbage() {
    var random = Generator(state: 42)
    let alphabet = Array("ab\\[](){}*+?|^$.-,:=!<>P#ix0179dwsbxQE \u{E9}".utf8)
    var accepted = 0
    for _ in 0..<6_000 {
      let length = Int(random.next() % 16)
      let bytes = (0..<length).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
      guard let regex = try? LinearRegex(String(decoding: bytes, as: UTF8.self)) else { continue }
      accepted += 1
      let matcher = LinearRegexMatcher(regex)
      let text = Array("ab01 [x]\nQ-\u{E9}".utf8)
      #expect(matcher.matches(text) == (matcher.firstMatch(in: text) != nil))
    }
    #expect(accepted > 500)
  }
}
