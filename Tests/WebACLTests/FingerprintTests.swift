// Fingerprints of ClientHellos: published values, hellos at the borders, and hellos that are none.

import Digests
import Testing

@testable import WebACL

/// A ClientHello put together by hand.
struct HelloBytes {
  var version: UInt16 = 0x0303
  var ciphers: [UInt16] = []
  var extensions: [(type: UInt16, content: [UInt8])] = []
  /// false: it ends before the list of extensions, as hellos of old clients do.
  var hasExtensions = true

  static func words(_ values: [UInt16]) -> [UInt8] {
    values.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
  }

  /// Bytes behind their length of so many bytes.
  static func piece(_ size: Int, _ bytes: [UInt8]) -> [UInt8] {
    (0..<size).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes
  }

  static func list(_ size: Int, _ values: [UInt16]) -> [UInt8] { piece(size, words(values)) }

  static func protocols(_ names: [[UInt8]]) -> [UInt8] { piece(2, names.flatMap { piece(1, $0) }) }

  var bytes: [UInt8] {
    var body = Self.words([version]) + [UInt8](repeating: 7, count: 32) + Self.piece(1, [1, 2, 3])
    body += Self.list(2, ciphers) + Self.piece(1, [0])
    if hasExtensions {
      body += Self.piece(2, extensions.flatMap { Self.words([$0.type]) + Self.piece(2, $0.content) })
    }
    return [1] + Self.piece(3, body)
  }

  var fingerprints: ClientFingerprints? {
    bytes.withUnsafeBufferPointer { ClientFingerprints(hello: $0) }
  }
}

@Suite("Fingerprints of clients")
struct FingerprintTests {
  /// The hello of the format's own example: a browser of 2023, with GREASE among its suites, extensions and versions.
  private static let browser: HelloBytes = {
    var hello = HelloBytes()
    hello.ciphers = [
      0x3A3A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D,
      0x002F, 0x0035,
    ]
    let name = HelloBytes.piece(2, [0] + HelloBytes.piece(2, Array("shop.test".utf8)))
    hello.extensions = [
      (0x6A6A, []), (0x001B, [2, 0, 2]), (0x0000, name), (0x0033, [0, 0]),
      (0x0010, HelloBytes.protocols([Array("h2".utf8), Array("http/1.1".utf8)])), (0x4469, []), (0x0017, []),
      (0x002D, [1, 1]), (0x000D, HelloBytes.list(2, [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601])),
      (0x0005, [1, 0, 0, 0, 0]), (0x0023, []), (0x0012, []), (0x002B, HelloBytes.list(1, [0x9A9A, 0x0304, 0x0303])),
      (0xFF01, [0]), (0x000B, [1, 0]), (0x000A, HelloBytes.list(2, [0xDADA, 0x001D, 0x0017, 0x0018])), (0x0015, [0]),
      (0x2A2A, [0]),
    ]
    return hello
  }()

  @Test("the published examples of JA3 and JA4 come out")
  func published() throws {
    #expect(try #require(Self.browser.fingerprints).ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1")
    var old = HelloBytes(version: 769, ciphers: [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4])
    old.extensions = [(0, []), (10, HelloBytes.list(2, [23, 24, 25])), (11, [1, 0])]
    #expect(try #require(old.fingerprints).ja3 == "ada70206e40642a3e4461f35503241d5")
    var older = HelloBytes(version: 769, ciphers: [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99])
    older.hasExtensions = false
    #expect(try #require(older.fingerprints).ja3 == "de350869b8c85de67a350c8d186f11e6")
    #expect(try #require(older.fingerprints).ja4.hasPrefix("t10i110000_"))
    #expect(try #require(older.fingerprints).ja4.hasSuffix("_000000000000"))
  }

  @Test("the order of suites and extensions does not matter to JA4, and does to JA3; GREASE matters to neither")
  func order() throws {
    let first = try #require(Self.browser.fingerprints)
    var other = Self.browser
    other.ciphers.reverse()
    other.extensions.reverse()
    #expect(other.fingerprints?.ja4 == first.ja4)
    #expect(other.fingerprints?.ja3 != first.ja3)
    var plain = Self.browser
    plain.ciphers.removeFirst()
    plain.extensions.removeAll { $0.type == 0x6A6A || $0.type == 0x2A2A }
    #expect(plain.fingerprints == first)
  }

  @Test("the first protocol is told by its first and last character, or digits of its bytes")
  func protocols() {
    let cases: [([UInt8], String)] = [
      (Array("h2".utf8), "h2"), (Array("http/1.1".utf8), "h1"), (Array("x".utf8), "xx"), ([0xAB], "ab"),
      ([0xAB, 0xCD], "ad"), ([0x30, 0xAB], "3b"), ([0x30, 0x31, 0xAB, 0xCD], "3d"), ([], "00"),
    ]
    for (name, expected) in cases {
      var hello = HelloBytes(ciphers: [0x1301])
      hello.extensions = [(16, HelloBytes.protocols([name]))]
      #expect(hello.fingerprints?.ja4.hasPrefix("t12i0101\(expected)_") == true, "\(name)")
    }
    #expect(HelloBytes().fingerprints?.ja4 == "t12i000000_000000000000_000000000000")
    let many = HelloBytes(ciphers: (0..<200).map { 0x1000 + $0 })
    #expect(many.fingerprints?.ja4.hasPrefix("t12i9900") == true)
  }

  @Test("what is cut off, too long or no hello has no fingerprint")
  func broken() {
    let whole = Self.browser.bytes
    for count in 0..<whole.count {
      let isRead = whole.prefix(count).withContiguousStorageIfAvailable { ClientFingerprints(hello: $0) != nil }
      #expect(isRead == false, "\(count)")
    }
    var server = whole
    server[0] = 2
    #expect(server.withUnsafeBufferPointer { ClientFingerprints(hello: $0) } == nil)
    #expect((whole + [0]).withUnsafeBufferPointer { ClientFingerprints(hello: $0) } == nil)
    #expect(HelloBytes(ciphers: Array(repeating: 0x1301, count: 512)).fingerprints != nil)
    #expect(HelloBytes(ciphers: Array(repeating: 0x1301, count: 513)).fingerprints == nil)
    var odd = HelloBytes(ciphers: [1])
    odd.extensions = [(10, [0, 1, 5])]
    #expect(odd.fingerprints == nil)
    odd.extensions = Array(repeating: (5, []), count: 513)
    #expect(odd.fingerprints == nil)
  }

  @Test("changed bytes never lead beyond the hello")
  func garbage() {
    var random: UInt64 = 99
    func next(_ bound: Int) -> Int {
      random ^= random << 13
      random ^= random >> 7
      random ^= random << 17
      return Int(random % UInt64(bound))
    }
    let whole = Self.browser.bytes
    for _ in 0..<5000 {
      // Memory of just this size, so that a read beyond it can be seen by who looks for it.
      let view = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: whole.count)
      defer { view.deallocate() }
      _ = view.initialize(from: whole)
      for _ in 0..<(1 + next(6)) { view[next(whole.count)] = UInt8(next(256)) }
      guard let found = ClientFingerprints(hello: ByteView(view)) else { continue }
      #expect(found.ja3.utf8.count == 32 && found.ja4.utf8.count == 36)
    }
  }

  @Test("SHA-256 is what it should be")
  func hash() {
    func digest(_ text: String) -> String {
      Array(text.utf8).withUnsafeBufferPointer { Hex.text(SHA2.sha256($0)) }
    }
    #expect(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
  }

  @Test("rules match fingerprints, rates count by them, and a request without one falls back")
  func rules() throws {
    let fingerprints = try #require(Self.browser.fingerprints)
    func isBlocked(_ statement: WebACL.Statement, _ has: Bool = true) throws -> Bool {
      let acl = WebACL(id: "a", rules: [.init(name: "r", priority: 0, statement, .block())])
      let compiled = try CompiledWebACL(acl)
      #expect(compiled.needsFingerprints)
      return try Trial(fingerprints: has ? fingerprints : nil).judge(WebACLEvaluator(compiled)).isBlocked
    }
    func match(_ field: WebACL.Field, _ text: String) -> WebACL.Statement {
      .byteMatch(WebACL.Inspection(field), .exactly, Array(text.utf8))
    }
    #expect(try isBlocked(match(.ja3(fallback: false), fingerprints.ja3)))
    #expect(try isBlocked(match(.ja4(fallback: false), fingerprints.ja4)))
    #expect(try !isBlocked(match(.ja4(fallback: true), fingerprints.ja3)))
    #expect(try isBlocked(match(.ja4(fallback: true), "x"), false))
    // A key that is not there: the rule matches or does not, and nothing is counted.
    #expect(try isBlocked(.rate(WebACL.Rate(limit: 10, keys: [.ja3(fallback: true)])), false))
    #expect(try !isBlocked(.rate(WebACL.Rate(limit: 10, keys: [.ja3(fallback: false)])), false))
    let acl = WebACL(
      id: "a",
      rules: [.init(name: "r", priority: 0, .rate(WebACL.Rate(limit: 10, keys: [.ja4(fallback: false)])), .block())])
    let evaluator = WebACLEvaluator(try CompiledWebACL(acl))
    _ = try Trial(fingerprints: fingerprints).judge(evaluator)
    _ = try Trial(source: "192.0.2.2", fingerprints: fingerprints).judge(evaluator)
    _ = try Trial().judge(evaluator)
    #expect(evaluator.drainRates().first?.counts.map(\.count) == [2])
    #expect(try !CompiledWebACL(WebACL(id: "a", rules: [])).needsFingerprints)
    var logged = WebACL(id: "a", rules: [])
    logged.logging = WebACL.Logging()
    #expect(try CompiledWebACL(logged).needsFingerprints)
  }
}
