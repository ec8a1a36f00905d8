// Random bytes through every transformation and detector: nothing may trap, and work stays bound to the length.

import Testing

@testable import WebACL

@Suite("Web ACLs: fuzz")
struct WebACLFuzzTests {
  @Test("any bytes pass through every transformation, reader and detector")
  func garbage() {
    var random: UInt64 = 42
    func next() -> UInt64 {
      random ^= random << 13
      random ^= random >> 7
      random ^= random << 17
      return random
    }
    let alphabet = Array("'\"`<>()=;-#/*\\%&+|,.: \n\0axunio5{}[]@$u0041éselectonload".utf8) + [0xC2, 0xE2, 0xF0, 0xFF]
    let arena = Arena()
    let sql = SQLInjectionDetector()
    let script = CrossSiteScriptingDetector()
    for _ in 0..<3000 {
      let bytes = (0..<Int(next() % 60)).map { _ in alphabet[Int(next() % UInt64(alphabet.count))] }
      arena.reset()
      bytes.withUnsafeBufferPointer { view in
        for change in WebACL.Transformation.allCases {
          let once = Transformer.apply(change, view, arena)
          #expect(once.count <= max(16, 3 * view.count))
          _ = Transformer.apply(.urlDecodeUnicode, once, arena)
        }
        _ = sql.isAttack(view, isSensitive: next() & 1 == 0)
        _ = script.isAttack(view)
        _ = SourceAddress(view)
        var scanner = JSONScanner(view, pointers: next() & 1 == 0 ? nil : ["/a/0"], scope: .all, arena: arena)
        _ = scanner.scan()
      }
    }
  }

  @Test("texts made to cost the square of their length do not")
  func hostile() {
    let sql = SQLInjectionDetector()
    let script = CrossSiteScriptingDetector()
    let pieces = [
      "<a ", "<a x=", "<a x='", "or f(", "case when ", ";update ", "((((", "'\"", "/*", "&#", "<!--", "<ax=\"", "or 1)",
    ]
    for piece in pieces {
      let text = Array(String(repeating: piece, count: 20_000 / piece.utf8.count).utf8)
      text.withUnsafeBufferPointer { view in
        _ = sql.isAttack(view, isSensitive: false)
        _ = script.isAttack(view)
      }
    }
  }
}
