// Regular expressions over bytes: what matches, what is refused, and that nobody can make matching slow.
import ByteRegex
import GateProtocol
import Testing

@testable import GateCore

@Suite("Regular expressions")
struct RegexTests {
  @Test(
    "patterns are found as in Perl",
    arguments: [
      ("a", "xay", true), ("^a", "xa", false), ("a$", "xa", true), ("^$", "", true), ("a.c", "abc", true),
      ("a.c", "a\nc", false), ("[a-c]+x", "zzbcx", true), ("[^a]b", "ab", false), ("[]a]", "]", true),
      ("[a-]", "-", true), (#"\d{3}"#, "ab123", true), (#"\d{3}$"#, "12a", false), (#"^\w+\s\w+$"#, "ab cd", true),
      (#"\bcat\b"#, "a cat.", true), (#"\bcat\b"#, "concat", false), (#"\Bcat"#, "concat", true),
      ("(a|b)*c", "ababc", true), ("^(?:ab){2,3}$", "ababab", true), ("^(?:ab){2,3}$", "ab", false),
      ("^a{2,}$", "aaaa", true), ("a{,2}", "a{,2}", true), ("x{", "x{", true), ("(?i)HeLLo", "say hello", true),
      ("(?i:A)b", "ab", true), ("(?i:A)b", "aB", false), ("^/api/?(.*)$", "/api/x", true), (#"\x41\x{42}"#, "AB", true),
      ("[[:alpha:]]+[[:digit:]]", "ab1", true), ("[[:^digit:]]", "1", false), (#"a\.b"#, "axb", false),
      ("(?P<n>a)(?<m>b)", "ab", true), ("a||b", "", true), (#"\Aab\z"#, "ab", true), ("é", "caf\u{e9}", true),
      ("a*?b", "aab", true), ("()", "", true), ("(a*)*$", "aaab", true), ("(?:a{0}){1000}b", "b", true),
    ])
  func found(_ pattern: String, _ text: String, _ expected: Bool) throws {
    let regex = try ByteRegex(pattern)
    #expect(regex.isFound(in: text) == expected)
    #expect(isFoundBySet(regex, text) == expected)
  }

  @Test(
    "what cannot be matched in linear time, or means nothing here, is refused by name",
    arguments: [
      ("(?=a)", "a lookahead"), ("(?!a)", "a lookahead"), ("(?<=a)", "a lookbehind"), ("(?<!a)", "a lookbehind"),
      (#"(a)\1"#, "a backreference"), ("(?>a)", "an atomic group"), ("a++", "a possessive quantifier"),
      (#"\p{L}"#, "a Unicode class"), ("(?R)", "a subroutine or recursion"), ("(?s)a", "the flag s"),
    ])
  func unsupported(_ pattern: String, _ what: String) {
    #expect(throws: RegexError.unsupported(what)) { try ByteRegex(pattern) }
  }

  @Test(
    "broken and oversized patterns are refused", arguments: ["(a", "a)", "[a", "*a", "a{3,2}", "[z-a]", "\\", "^*"])
  func broken(_ pattern: String) { #expect(throws: RegexError.self) { try ByteRegex(pattern) } }

  @Test("a pattern cannot be made large by counting", arguments: ["((a{1000}){1000}){1000}", "a{1001}"])
  func large(_ pattern: String) { #expect(throws: RegexError.tooLarge) { try ByteRegex(pattern) } }

  @Test("captures are those of the leftmost match that Perl finds")
  func captures() throws {
    #expect(try groups("^mywebsite-(.+).com$", "mywebsite-example.com") == ["mywebsite-example.com", "example"])
    #expect(try groups("(a+)(b*)", "xxaabbb") == ["aabbb", "aa", "bbb"])
    #expect(try groups("(a|ab)(c|bcd)(d*)", "abcd") == ["abcd", "a", "bcd", ""])
    #expect(try groups("(a)|(b)", "b") == ["b", nil, "b"])
    #expect(try groups("(.*?)/(.*)", "x/y/z") == ["x/y/z", "x", "y/z"])
    #expect(try groups("nothing", "else") == nil)
  }

  @Test("the set and the single matcher agree on random patterns and texts")
  func agree() throws {
    var random = Seeded(7)
    let pieces = [
      "a", "b", "c", ".", "[ab]", "[^a]", "(a|b)", "(?:ab)", "^", "$", "\\b", "\\w", "x*", "a+", "b?", "(c{2})",
    ]
    var regexes: [ByteRegex] = []
    for _ in 0..<100 {
      let pattern = (0..<(1 + random.next() % 5)).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }
        .joined()
      if let regex = try? ByteRegex(pattern) { regexes.append(regex) }
    }
    #expect(regexes.count > 70)
    let set = ByteRegexSet(regexes)
    for _ in 0..<60 {
      let text = String(
        decoding: (0..<(random.next() % 12)).map { _ in Array("abcx -".utf8)[Int(random.next() % 6)] }, as: UTF8.self)
      let bytes = Array(text.utf8)
      var found: Set<Int> = []
      bytes.withUnsafeBufferPointer {
        set.match($0.baseAddress ?? StaticString("").utf8Start, bytes.count) { found.insert($0) }
      }
      for (index, regex) in regexes.enumerated() {
        #expect(regex.isFound(in: text) == found.contains(index), "\(regex.pattern) in \(text)")
      }
    }
  }

  @Test("random bytes as a pattern are taken or refused, never more")
  func fuzz() {
    var random = Seeded(11)
    let alphabet = Array("ab()[]{}*+?|^$\\dwbx1,-:.iP<>=!".utf8)
    var taken = 0
    for _ in 0..<1200 {
      let pattern = String(
        decoding: (0..<(random.next() % 14)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] },
        as: UTF8.self)
      guard let regex = try? ByteRegex(pattern) else { continue }
      taken += 1
      #expect(regex.isFound(in: "abab1:x") == isFoundBySet(regex, "abab1:x"), "\(pattern)")
    }
    #expect(taken > 30)
  }

  @Test("a pattern that makes backtracking explode takes a long text in stride")
  func linear() throws {
    let regex = try ByteRegex("^(([a-z])+.)+[A-Z]([a-z])+$")
    let text = String(repeating: "a", count: 5_000)
    #expect(!isFoundBySet(regex, text))
    // More states than are kept: the automaton forgets and goes on.
    let wide = try ByteRegex("(a|b)*a(a|b){12}$")
    var random = Seeded(3)
    let mixed = String(
      decoding: (0..<3_000).map { _ in UInt8(97 + random.next() % 2) } + Array("abbbbbbbbbbbb".utf8), as: UTF8.self)
    #expect(isFoundBySet(wide, mixed))
  }

  @Test("transforms replace the first match, and say when the result is no URL or host")
  func transforms() throws {
    func apply(_ kind: GateSnapshot.Transform.Kind, _ regex: String, _ replacement: String, _ text: String) throws
      -> String
    {
      let made = CompiledTransform(.init(kind: kind, regex: regex, replacement: replacement))
      let transform = try #require(made)
      let outcome = Array(text.utf8).withUnsafeBufferPointer { transform.apply($0) }
      switch outcome {
      case .noMatch: return "-"
      case .rewritten(let bytes): return String(decoding: bytes, as: UTF8.self)
      case .failed(let reason): return reason
      }
    }
    #expect(
      try apply(.url, "^/dp/([A-Za-z0-9]+)/?", "/product.php?id=$1", "/dp/B09G3HRMW") == "/product.php?id=B09G3HRMW")
    #expect(try apply(.url, "^/dp/", "/x/", "/other") == "-")
    #expect(try apply(.url, "a", "$$$0$2b", "/aa") == "/$aba")
    #expect(try apply(.url, "^/", " ", "/a") == "TransformInvalidPath")
    #expect(try apply(.url, ".*", "", "/a") == "TransformInvalidPath")
    #expect(
      try apply(.host, "^mywebsite-(.+).com$", "internal.dev.$1.myweb.com", "MyWebsite-example.com")
        == "internal.dev.example.myweb.com")
    #expect(try apply(.host, "a", "a b", "a.test") == "TransformInvalidHost")
  }

  private func groups(_ pattern: String, _ text: String) throws -> [String?]? {
    let bytes = Array(text.utf8)
    let match = try bytes.withUnsafeBufferPointer { try ByteRegex(pattern).firstMatch(in: $0) }
    return match?.map { range in range.map { String(decoding: bytes[$0], as: UTF8.self) } }
  }

  private func isFoundBySet(_ regex: ByteRegex, _ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBufferPointer {
      ByteRegexSet([regex]).isAnyFound($0.baseAddress ?? StaticString("").utf8Start, bytes.count)
    }
  }
}
