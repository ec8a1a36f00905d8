// A Swift file as these tests read it: its text, and its code with comments and the contents of strings blanked.

import Foundation

struct SwiftSource: Sendable {
  /// Path from the top of the repository, such as `Sources/Pure/AWSCore/ARN.swift`.
  let path: String
  let text: String
  let lines: [Substring]
  /// The text with comments and string contents replaced by spaces, and a zero byte at its end.
  private let code: [UInt8]
  /// Where each line begins in `code`.
  private let lineStarts: [Int]

  init(path: String, text: String) {
    self.path = path
    self.text = text
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let bytes = Array(text.utf8)
    var code = bytes
    var starts = [0]
    for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") { starts.append(index + 1) }
    var lexer = Lexer(bytes: bytes + [0])
    while let range = lexer.nextHidden() {
      for index in range where bytes[index] != UInt8(ascii: "\n") { code[index] = UInt8(ascii: " ") }
    }
    self.code = code + [0]
    lineStarts = starts
  }

  /// The code of a line, counted from 1.
  private func codeLine(_ line: Int) -> String {
    let end = line < lineStarts.count ? lineStarts[line] - 1 : code.count - 1
    return String(decoding: code[lineStarts[line - 1]..<max(end, lineStarts[line - 1])], as: UTF8.self)
  }

  /// The modules that the file imports.
  var imports: Set<String> {
    var result: Set<String> = []
    for line in occurrences(of: "import") {
      let words = codeLine(line).split(separator: " ")
      guard let at = words.firstIndex(of: "import"), words[..<at].allSatisfy(Self.mayPrecedeImport) else { continue }
      var rest = words[(at + 1)...]
      let kinds = ["struct", "class", "enum", "func", "protocol", "typealias", "let", "var"]
      if let first = rest.first, kinds.contains(String(first)) { rest.removeFirst() }
      if let name = rest.first { result.insert(String(name.prefix { $0 != "." })) }
    }
    return result
  }

  private static func mayPrecedeImport(_ word: Substring) -> Bool {
    word.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains(word)
  }

  /// Line numbers (from 1) whose code contains `word`, not as a part of a longer name.
  func occurrences(of word: String) -> [Int] {
    let wanted = Array(word.utf8)
    guard let first = wanted.first, let last = wanted.last else { return [] }
    var result: [Int] = []
    code.withUnsafeBytes { code in
      guard let base = code.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
      var at = 0
      while let found = strstr(base + at, word) {
        let start = UnsafePointer(found) - base
        let end = start + wanted.count
        at = end
        if Self.isNameByte(first), start > 0, Self.isNameByte(code[start - 1]) { continue }
        if Self.isNameByte(last), Self.isNameByte(code[end]) { continue }
        let line = self.line(at: start)
        if result.last != line { result.append(line) }
      }
    }
    return result
  }

  /// The line, counted from 1, that holds the byte at `offset`.
  private func line(at offset: Int) -> Int {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    return low + 1
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
      || byte >= 128
  }

  /// Functions and initialisers with a body: the line they start in, and how many lines they have.
  var functions: [(name: String, line: Int, length: Int)] {
    var starts: [Int: String] = [:]
    for line in occurrences(of: "func") + occurrences(of: "init") {
      if let name = Self.functionName(in: codeLine(line)[...]) { starts[line] = name }
    }
    var result: [(String, Int, Int)] = []
    var open: [(name: String, line: Int, depth: Int)] = []
    var pending: (name: String, line: Int)?
    var depth = 0
    var line = 1
    if let name = starts[1] { pending = (name, 1) }
    for byte in code {
      switch byte {
      case UInt8(ascii: "\n"):
        line += 1
        if let name = starts[line] { pending = (name, line) }
      case UInt8(ascii: "{"):
        depth += 1
        if let started = pending {
          open.append((started.name, started.line, depth))
          pending = nil
        }
      case UInt8(ascii: "}"):
        if let last = open.last, last.depth == depth {
          result.append((last.name, last.line, line + 1 - last.line))
          open.removeLast()
        }
        depth -= 1
        // A requirement of a protocol has no body: the protocol's own end is not the start of one.
        pending = nil
      default: break
      }
    }
    return result
  }

  private static func functionName(in line: Substring) -> String? {
    let words = line.split(separator: " ")
    if let at = words.firstIndex(of: "func"), at + 1 < words.endIndex {
      return String(words[at + 1].prefix { $0 != "(" && $0 != "<" })
    }
    let start = words.first { !["public", "package", "private", "convenience", "override", "required"].contains($0) }
    if let start, start.hasPrefix("init(") || start.hasPrefix("init?(") || start.hasPrefix("init<") { return "init" }
    return nil
  }
}

/// Finds comments and string contents. Interpolations count as contents: what these tests look for is not in them.
private struct Lexer {
  /// The text, ended by a zero byte.
  let bytes: [UInt8]
  var at = 0

  /// The next comment or string content, or nil at the end.
  mutating func nextHidden() -> Range<Int>? {
    while at < bytes.count {
      at += bytes.withUnsafeBytes { buffer in
        buffer.baseAddress.map { strcspn($0.assumingMemoryBound(to: CChar.self) + at, "/\"#") } ?? 0
      }
      if starts("//") { return take { $0.skipLine() } }
      if starts("/*") { return take { $0.skipBlock() } }
      if let hashes = stringStart() { return take { $0.skipString(hashes) } }
      at += 1
    }
    return nil
  }

  private mutating func take(_ skip: (inout Lexer) -> Void) -> Range<Int> {
    let start = at
    skip(&self)
    return start..<min(at, bytes.count - 1)
  }

  private func starts(_ text: StaticString, at offset: Int = 0) -> Bool {
    let from = at + offset
    guard from + text.utf8CodeUnitCount <= bytes.count else { return false }
    for index in 0..<text.utf8CodeUnitCount where bytes[from + index] != text.utf8Start[index] { return false }
    return true
  }

  private mutating func skipLine() {
    while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { at += 1 }
  }

  private mutating func skipBlock() {
    var depth = 0
    while at < bytes.count {
      if starts("/*") {
        depth += 1
        at += 2
      } else if starts("*/") {
        depth -= 1
        at += 2
        if depth == 0 { return }
      } else {
        at += 1
      }
    }
  }

  /// The number of `#` before a string that starts here, or nil when none does.
  private func stringStart() -> Int? {
    var hashes = 0
    while at + hashes < bytes.count, bytes[at + hashes] == UInt8(ascii: "#") { hashes += 1 }
    return starts("\"", at: hashes) ? hashes : nil
  }

  private mutating func skipString(_ hashes: Int) {
    at += hashes
    let long = starts("\"\"\"")
    at += long ? 3 : 1
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\\"), follows(hashes, at + 1) {
        at += 1 + hashes
        if at < bytes.count, bytes[at] == UInt8(ascii: "(") { skipInterpolation() } else { at += 1 }
      } else if byte == UInt8(ascii: "\""), long ? starts("\"\"\"") : true, follows(hashes, at + (long ? 3 : 1)) {
        at += (long ? 3 : 1) + hashes
        return
      } else if byte == UInt8(ascii: "\n"), !long {
        return
      } else {
        at += 1
      }
    }
  }

  private mutating func skipInterpolation() {
    var depth = 0
    while at < bytes.count {
      if let hashes = stringStart() {
        skipString(hashes)
        continue
      }
      if bytes[at] == UInt8(ascii: "(") { depth += 1 }
      if bytes[at] == UInt8(ascii: ")") { depth -= 1 }
      at += 1
      if depth == 0 { return }
    }
  }

  private func follows(_ hashes: Int, _ index: Int) -> Bool {
    guard index + hashes <= bytes.count else { return false }
    return bytes[index..<(index + hashes)].allSatisfy { $0 == UInt8(ascii: "#") }
  }
}
