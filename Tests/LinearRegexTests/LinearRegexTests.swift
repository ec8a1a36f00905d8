// Patterns, their matches and groups, and what is refused.

import LinearRegex
import Testing

private func groups(_ pattern: String, _ text: String) throws -> [String?]? {
  let bytes = Array(text.utf8)
  return LinearRegexMatcher(try LinearRegex(pattern)).firstMatch(in: bytes)?.map { range in
    range.map { String(decoding: bytes[$0], as: UTF8.self) }
  }
}

private func matches(_ pattern: String, _ text: String, ignoresCase: Bool = false) throws -> Bool {
  let matcher = LinearRegexMatcher(try LinearRegex(pattern, ignoresCase: ignoresCase))
  let first = matcher.matches(text)
  // The second time the states are remembered.
  #expect(matcher.matches(text) == first)
  #expect((matcher.firstMatch(in: Array(text.utf8)) != nil) == first, "\(pattern) on \(text)")
  return first
}

@Suite("Regular expressions in linear time")
struct LinearRegexTests {
  @Test(
    "patterns match what Perl's would",
    arguments: [
      ("abc", "xxabcxx"), ("^/api/v[0-9]+/", "/api/v12/users"), ("a{2,3}$", "baaa"), ("(?i)SELECT", "a select b"),
      ("\\bunion\\b", "1 union all"), ("[^a-c]", "abcd"), ("\\d{3}-\\d{4}", "call 555-1234"), ("a.c", "abc"),
      ("(?s)a.c", "a\nc"), ("(?m)^b$", "a\nb\nc"), ("[[:alpha:]]{4}", "12word"), ("\\x41\\x{42}", "AB"), ("x*", ""),
      ("(foo|bar)+baz", "foobarbaz"), ("[]a]", "]"), ("[a-]", "-"), ("a{,3}", "a{,3}"), ("(?:a|b|)c", "c"),
      ("\\.php\\z", "/index.php"), ("é+", "caféé"), ("\\Qa.b\\E+", "a.bb"), ("(?x) a b # comment", "ab"), ("", "x"),
      ("(?#note)a", "a"), ("\\w+@\\w+\\.com", "to me@example.com"),
      ("^(?:a?){50}a{50}$", String(repeating: "a", count: 50)),
      ("\\Bb", "ab"), ("(?i:A)b", "ab"), ("[\\w.-]+", "x-y"), ("(a*)*b", "aaab"), ("(a*)+$", "aaa"),
    ])
  func found(pattern: String, text: String) throws {
    #expect(try matches(pattern, text))
  }

  @Test(
    "patterns do not match what Perl's would not",
    arguments: [
      ("abc", "abd"), ("^b", "ab"), ("a$", "ab"), ("a.c", "a\nc"), ("\\bunion\\b", "reunion"), ("(?i:A)b", "AB"),
      ("[^a-c]", "abc"), ("a{3}", "aa"), ("(?m)^b$", "ab\nbc"), ("\\d", "abc"), ("\\.php$", "/index.php?x"),
      ("a+b", "aaac"), ("\\Bb", "b"), ("^$", "x"), ("(?-i)a", "A"),
    ])
  func missed(pattern: String, text: String) throws {
    #expect(try !matches(pattern, text))
  }

  @Test("case is ignored where asked, in classes too")
  func ignoringCase() throws {
    #expect(try matches("sel[e-g]ct", "SELECT", ignoresCase: true))
    #expect(try !matches("[^e]", "E", ignoresCase: true))
  }

  @Test("groups tell where they matched, greedy and lazy, left branch first")
  func captures() throws {
    #expect(try groups("^/(v[0-9])/(.*)$", "/v2/users/7") == ["/v2/users/7", "v2", "users/7"])
    #expect(try groups("<(.+?)>", "a<b>c>") == ["<b>", "b"])
    #expect(try groups("<(.+)>", "a<b>c>") == ["<b>c>", "b>c"])
    #expect(try groups("(a)|(b)", "b") == ["b", nil, "b"])
    #expect(try groups("a|ab", "ab") == ["a"])
    #expect(try groups("(?:(a)|b)*", "ab") == ["ab", "a"])
    #expect(try groups("x", "abc") == nil)
    let named = try LinearRegex("(?<host>[^.]+)\\.(?P<zone>.+)")
    #expect(named.groupNames == ["host": 1, "zone": 2])
    #expect(named.groupCount == 2)
  }

  @Test("a set of patterns is matched in one pass")
  func sets() throws {
    let matcher = LinearRegexMatcher(try LinearRegex(anyOf: ["^/admin", "\\.bak$", "(?i)etc/passwd"]))
    #expect(matcher.matches("/admin/x"))
    #expect(matcher.matches("/db.BAK") == false)
    #expect(matcher.matches("/db.bak"))
    #expect(matcher.matches("/../ETC/passwd"))
    #expect(matcher.matches("/x/admin") == false)
  }

  @Test(
    "what needs backtracking, and what is no pattern, is refused with a reason",
    arguments: [
      ("(a)\\1", "back references are not supported"), ("(?=a)", "looking ahead is not supported"),
      ("(?<!a)b", "looking behind is not supported"), ("a++", "possessive quantifiers are not supported"),
      ("(?>a)", "atomic and branch reset groups are not supported"), ("(", "a group does not end"),
      (")", "there is no group that ) could end"), ("[a", "a class does not end"), ("*a", "there is nothing to repeat"),
      ("a{2,1}", "a count's bounds are in the wrong order"), ("a{1001}", "a count is above 1000"),
      ("(?:a{1000}){1000}", "the pattern is too large"),
      ("(?:(?:(?:(?:){1000}){1000}){1000}){1000}", "the pattern is too large"),
      ("\\p{L}", "Unicode classes are not supported"), ("[b-a]", "a range's bounds are in the wrong order"),
      ("a\\", "the pattern ends with a backslash"), ("[é]", "classes take ASCII characters and \\x escapes only"),
    ])
  func refused(pattern: String, reason: String) {
    let error = #expect(throws: LinearRegexError.self) { try LinearRegex(pattern) }
    #expect(error?.reason == reason)
  }

  @Test("patterns that are catastrophic elsewhere end, on long texts, in work bound to the text's length")
  func noCatastrophe() throws {
    let text = String(repeating: "a", count: 5_000) + "!"
    for pattern in ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*)*x", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a|b|ab)*c"] {
      #expect(try !matches(pattern, text), "\(pattern)")
    }
    // More states than are remembered: they are made anew, and the answer is the same.
    var random = Generator(state: 7)
    let noise = (0..<8_000).map { _ in random.next() & 1 == 0 ? UInt8(ascii: "a") : UInt8(ascii: "b") }
    let matcher = LinearRegexMatcher(try LinearRegex("a[ab]{14}c"))
    #expect(!matcher.matches(noise))
    #expect(matcher.matches(noise + Array("aabababababababc".utf8)))
  }
}

/// A generator with a seed (xorshift).
struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
