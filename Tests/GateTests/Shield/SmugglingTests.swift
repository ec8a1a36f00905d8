// The corpus of request smuggling (Corpus/smuggling), replayed through the Gate: what reaches the target is what the
// file says, and no reader of it, however lenient, sees a request more.
import FoundationEssentials
import GateProtocol
import Glibc
import HTTPWire
import Synchronization
import Testing

@testable import GateCore

/// One file: what the target is to see, and the bytes a client sends.
struct SmugglingCase: Sendable, CustomTestStringConvertible {
  var name: String
  /// `METHOD target` of each request.
  var expected: [String]
  /// The request reaches the target in part before its body turns out to be broken.
  var isBroken: Bool
  var bytes: [UInt8]

  var testDescription: String { name }

  static let all: [SmugglingCase] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Corpus/smuggling").path
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { name in
      FileManager.default.contents(atPath: folder + "/" + name).flatMap { SmugglingCase(name, Array($0)) }
    }
  }()

  init?(_ name: String, _ file: [UInt8]) {
    let text = String(decoding: file, as: UTF8.self)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let split = lines.firstIndex(of: "--"),
      let expectation = lines[..<split].first(where: { $0.hasPrefix("expect: ") })
    else { return nil }
    self.name = name
    var wanted = String(expectation.dropFirst(8))
    isBroken = wanted.hasSuffix(" broken")
    if isBroken { wanted.removeLast(7) }
    expected =
      wanted == "none" ? [] : wanted.split(separator: ",").map { part in String(part.drop { $0 == " " }) }
    bytes = Self.unescape(lines[(split + 1)...].joined())
  }

  /// `\r`, `\n`, `\t`, `\\` and `\xNN` stand for bytes; the file's own line ends for nothing.
  private static func unescape(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let next = rest.popFirst() else {
        result.append(byte)
        continue
      }
      switch next {
      case UInt8(ascii: "r"): result.append(13)
      case UInt8(ascii: "n"): result.append(10)
      case UInt8(ascii: "t"): result.append(9)
      case UInt8(ascii: "x"):
        result.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      default: result.append(next)
      }
    }
    return result
  }
}

/// Readers of what reached the target, each with a leniency that real servers had.
private struct LenientReader {
  /// A Transfer-Encoding that has `chunked` anywhere in it is chunked, and goes before a length.
  var prefersChunks: Bool
  /// Lines may end with a line feed alone.
  var takesBareLineFeeds: Bool

  /// The `METHOD target` of each request that this reader sees in whole.
  func requests(_ bytes: [UInt8]) -> [String] {
    var result: [String] = []
    var rest = bytes[...]
    while let head = takeHead(&rest) {
      let words = (head.first ?? "").split(separator: " ")
      guard words.count >= 2 else { break }
      result.append("\(words[0]) \(words[1])")
      let fields = head.dropFirst().map { $0.lowercased() }
      let isChunked = fields.contains { $0.hasPrefix("transfer-encoding") && $0.contains("chunked") }
      let length = fields.last { $0.hasPrefix("content-length:") }
        .flatMap { Int($0.dropFirst(15).drop { $0 == " " }.prefix { $0.isNumber }) }
      if isChunked, prefersChunks || length == nil {
        if !skipChunks(&rest) { break }
      } else if let length {
        rest = rest.dropFirst(length)
      }
    }
    return result
  }

  private func takeLine(_ rest: inout ArraySlice<UInt8>) -> String? {
    var index = rest.startIndex
    while index < rest.endIndex {
      if rest[index] == 10, takesBareLineFeeds || (index > rest.startIndex && rest[index - 1] == 13) {
        var line = rest[rest.startIndex..<index]
        if line.last == 13 { line.removeLast() }
        rest = rest[(index + 1)...]
        return String(decoding: line, as: UTF8.self)
      }
      index += 1
    }
    return nil
  }

  private func takeHead(_ rest: inout ArraySlice<UInt8>) -> [String]? {
    var lines: [String] = []
    while let line = takeLine(&rest) {
      if line.isEmpty, lines.isEmpty { continue }
      if line.isEmpty { return lines }
      lines.append(line)
    }
    return nil
  }

  private func skipChunks(_ rest: inout ArraySlice<UInt8>) -> Bool {
    while let line = takeLine(&rest) {
      guard let size = Int(line.prefix { $0.isHexDigit }, radix: 16) else { return false }
      if size == 0 {
        while let trailer = takeLine(&rest) { if trailer.isEmpty { return true } }
        return false
      }
      rest = rest.dropFirst(size)
      _ = takeLine(&rest)
    }
    return false
  }
}

@Suite("Request smuggling", .timeLimit(.minutes(1)))
struct SmugglingTests {
  @Test("the corpus is there")
  func corpus() { #expect(SmugglingCase.all.count > 100) }

  @Test("the target sees exactly the requests that were sent", arguments: SmugglingCase.all)
  func replay(_ example: SmugglingCase) async throws {
    let seen = Mutex<[UInt8]>([])
    // Answers whatever looks like the end of a request, and keeps every byte.
    let server = try TestServer { socket, _ in
      var connection: [UInt8] = []
      var answered = 0
      while true {
        let bytes = try socket.receive()
        if bytes.isEmpty { return }
        connection += bytes
        seen.withLock { $0 += bytes }
        let complete = Self.strict(connection).count
        while answered < complete {
          answered += 1
          try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
      }
    }
    var statuses: [Int] = []
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      statuses = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send(example.bytes)
        let reader = MessageReader(socket)
        var statuses: [Int] = []
        let isHEAD = example.expected.first?.hasPrefix("HEAD") ?? false
        // A client that hangs up before its answers would have its requests given up.
        if example.expected.isEmpty { socket.endWriting() }
        // A reset after the answers is an end like another.
        while let answer = try? reader.next(toHEAD: isHEAD) {
          statuses.append(answer.status)
          if statuses.count == example.expected.count { socket.endWriting() }
        }
        return statuses
      }
    }
    let bytes = seen.withLock { $0 }
    if !example.isBroken { #expect(Self.strict(bytes) == example.expected, "\(statuses)") }
    for chunks in [true, false] {
      for lineFeeds in [true, false] {
        let reader = LenientReader(prefersChunks: chunks, takesBareLineFeeds: lineFeeds)
        #expect(reader.requests(bytes) == example.expected || (example.isBroken && bytes.isEmpty))
      }
    }
    if example.expected.isEmpty {
      #expect(bytes.isEmpty)
      #expect(statuses.count == 1 && statuses.allSatisfy { $0 >= 400 }, "\(statuses)")
    }
  }

  /// The requests that our own parser sees in whole.
  private static func strict(_ bytes: [UInt8]) -> [String] {
    var result: [String] = []
    var position = 0
    var head = MessageHead()
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      while position < bytes.count {
        guard case .complete(let length) = head.parseRequest(base + position, bytes.count - position) else { return }
        func text(_ slice: Slice) -> String {
          String(decoding: bytes[(position + slice.start)..<(position + slice.end)], as: UTF8.self)
        }
        let line = text(head.method) + " " + text(head.target)
        var body = BodyReader(head.requestFraming)
        position += length
        if !body.isDone {
          guard case .body(let taken, true) = body.read(base + position, bytes.count - position) else { return }
          position += taken
        }
        result.append(line)
      }
    }
    return result
  }
}
