// The reader of sources is itself tested: a rule that finds nothing must not be one that cannot find.

import Testing

@Suite("Reading sources")
struct SwiftSourceTests {
  private let source = SwiftSource(
    path: "Example.swift",
    text: ##"""
      // An example. import Commented
      import Foundation
      @testable public import struct Inner.Thing
      let text = "import Quoted try! \(call("try!")) \" try!"
      let raw = #"try! " still "# + name
      let long = """
        try! in a long string "quoted"
        """
      /* try! /* nested */ try! */
      func real() throws -> Int {
        let value = try! compute()
        return value
      }
      protocol Wanted {
        func requirement()
      }
      struct Holder {
        init(_ a: Int) {
        }
        func tryMe() { retry!.go() }
      }
      """##)

  @Test("imports are found, those in comments and strings are not")
  func imports() {
    #expect(source.imports == ["Foundation", "Inner"])
  }

  @Test("a word is found in code alone, and as a whole word")
  func words() {
    #expect(source.occurrences(of: "try!") == [11])
    #expect(source.occurrences(of: "name") == [5])
    #expect(source.occurrences(of: "absent") == [])
  }

  @Test("functions are measured from their first line to their closing brace")
  func functions() {
    let found = source.functions.sorted { $0.line < $1.line }
    #expect(found.map(\.name) == ["real", "init", "tryMe"])
    #expect(found.map(\.line) == [10, 18, 20])
    #expect(found.map(\.length) == [4, 2, 1])
  }
}
