// Broken documents are refused with an error, never with a crash. The seed is fixed, so a failure repeats.

import AWSCore
import AWSWire
import Testing

@Suite("Broken documents")
struct FuzzTests {
  static let cases = (try? Golden.cases("requests.json")) ?? []

  private func read(_ request: WireRequest, _ routed: RoutedRequest) {
    // Either outcome is right; the process being there afterwards is the test.
    guard let operation = routed.operation else { return }
    _ = try? routed.codec.decode(request, operation: operation, model: routed.model)
  }

  @Test("a request cut off at any byte is read or refused", arguments: cases.indices)
  func truncated(index: Int) throws {
    let request = try WireRequest(golden: Self.cases[index])
    let routed = try Models.router.route(request, signingName: Self.cases[index]["signingName"]?.string)
    for length in 0..<request.body.count {
      var cut = routed.request
      cut.body = Array(request.body[..<length])
      read(cut, routed)
    }
  }

  @Test("a request with random changes is read or refused", arguments: cases.indices)
  func mutated(index: Int) throws {
    let request = try WireRequest(golden: Self.cases[index])
    let routed = try Models.router.route(request, signingName: Self.cases[index]["signingName"]?.string)
    var random = SeededGenerator(state: UInt64(index) + 2026)
    let interesting =
      Array("{}[]\"\\<>&;/='%.,:0123456789eE-+\u{0}\u{1f}\u{7f}".utf8) + [0x80, 0xBF, 0xC0, 0xFF, 0x9F, 0x5F]
    for _ in 0..<150 {
      var changed = routed.request
      for _ in 0..<Int.random(in: 1...4, using: &random) where !changed.body.isEmpty {
        let at = Int.random(in: 0..<changed.body.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: changed.body[at] = UInt8.random(in: 0...255, using: &random)
        case 1: changed.body[at] = interesting.randomElement(using: &random) ?? 0
        case 2: changed.body.remove(at: at)
        default: changed.body.insert(interesting.randomElement(using: &random) ?? 0, at: at)
        }
      }
      read(changed, routed)
      _ = try? JSON.parse(changed.body)
      _ = try? XMLNode.parse(changed.body)
      _ = try? Models.router.route(changed, signingName: nil)
    }
  }

  @Test("random bytes as a path and a query string are routed or refused")
  func paths() {
    var random = SeededGenerator(state: 7)
    let letters = Array("/%?&=+.aZ09{}~\u{e9}:@")
    for _ in 0..<2000 {
      func text() -> String {
        String((0..<Int.random(in: 0..<20, using: &random)).map { _ in letters.randomElement(using: &random) ?? "a" })
      }
      let request = WireRequest(
        method: ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"].randomElement(using: &random) ?? "GET",
        path: "/" + text(), query: text(), headers: ["Host": text()])
      if let routed = try? Models.router.route(request, signingName: "s3") { _ = try? routed.input() }
    }
  }

  @Test("documents that nest too deep are refused")
  func deep() {
    let depth = 100_000
    #expect(throws: JSONError.self) { try JSON.parse(Array(repeating: UInt8(ascii: "["), count: depth)) }
    #expect(throws: XMLError.self) { try XMLNode.parse(Array(String(repeating: "<a>", count: depth).utf8)) }
    let keys = String(repeating: "a.", count: depth)
    let request = WireRequest(
      method: "POST", path: "/", headers: ["Content-Type": "application/x-www-form-urlencoded"],
      body: Array("Action=ListUsers&Version=2010-05-08&\(keys)=1".utf8))
    #expect(throws: AWSError.self) { try Models.router.route(request, signingName: "iam").input() }
  }

  @Test("XML may not bring a document type or entities of its own")
  func entities() throws {
    #expect(throws: XMLError.self) {
      try XMLNode.parse(Array("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".utf8))
    }
    #expect(throws: XMLError.self) { try XMLNode.parse(Array("<a>&b;</a>".utf8)) }
    let node = try XMLNode.parse(
      Array("<?xml version='1.0'?><!-- c --><x:a y:b='&#65;&lt;'>&#x1F3F0;<![CDATA[<&>]]></x:a>".utf8))
    #expect(node.name == "a")
    #expect(node.text == "\u{1F3F0}<&>")
    #expect(node.attribute("b") == "A<")
  }
}
