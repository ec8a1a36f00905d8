// Header blocks as HTTP/1.1 heads: what passes, what is malformed (RFC 9113, section 8), and limits.
import Testing

@testable import HTTPWire

/// Writes header blocks as plain literals, without tables.
func literalBlock(_ fields: [(String, String)]) -> [UInt8] {
  func integer(_ value: Int) -> [UInt8] {
    if value < 127 { return [UInt8(value)] }
    var rest = value - 127
    var bytes: [UInt8] = [127]
    while rest >= 128 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
  var block: [UInt8] = []
  for (name, value) in fields {
    block.append(0)
    block += integer(name.utf8.count)
    block += Array(name.utf8)
    block += integer(value.utf8.count)
    block += Array(value.utf8)
  }
  return block
}

@Suite("HTTP/2 heads")
struct HTTP2HeadTests {
  private static let plain = [(":method", "GET"), (":scheme", "http"), (":path", "/a?b"), (":authority", "shop.test")]

  private func request(_ fields: [(String, String)], hasBody: Bool = false) -> (HTTP2HeadReader.Outcome, String) {
    var reader = HTTP2HeadReader()
    var decoder = HPACKDecoder()
    let block = literalBlock(fields)
    let outcome = block.withUnsafeBufferPointer { bytes in
      bytes.baseAddress.map { reader.readRequest($0, bytes.count, &decoder, hasBody: hasBody) } ?? .invalid
    }
    guard case .head(let length) = outcome else { return (outcome, "") }
    return (outcome, String(decoding: UnsafeBufferPointer(start: reader.head, count: length), as: UTF8.self))
  }

  @Test("a request's block becomes an HTTP/1.1 head")
  func requestHead() {
    #expect(request(Self.plain + [("x-a", "1")]).1 == "GET /a?b HTTP/1.1\r\nHost: shop.test\r\nx-a: 1\r\n\r\n")
    #expect(
      request(Self.plain + [("cookie", "a=1"), ("x-a", ""), ("cookie", "b=2")], hasBody: true).1
        == "GET /a?b HTTP/1.1\r\nHost: shop.test\r\nx-a: \r\nTransfer-Encoding: chunked\r\nCookie: a=1; b=2\r\n\r\n")
    #expect(
      request(Self.plain + [("content-length", "3"), ("host", "SHOP.test"), ("te", "trailers")], hasBody: true).1
        == "GET /a?b HTTP/1.1\r\nHost: shop.test\r\ncontent-length: 3\r\nte: trailers\r\n\r\n")
    #expect(
      request(Array(Self.plain.prefix(3)) + [("host", "a")]).1 == "GET /a?b HTTP/1.1\r\nhost: a\r\n\r\n")
    #expect(
      request([(":method", "OPTIONS"), (":scheme", "https"), (":path", "*"), (":authority", "a")]).1
        == "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(
      request([(":method", "CONNECT"), (":authority", "a:443")]).1 == "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
  }

  @Test(
    "what may not be in a request is malformed",
    arguments: [
      [("Upper", "1")], [("connection", "close")], [("keep-alive", "1")], [("proxy-connection", "x")],
      [("transfer-encoding", "chunked")], [("upgrade", "websocket")], [("te", "gzip")], [(":path", "/")],
      [("x", "1"), (":late", "1")], [(":protocol", "websocket")], [(":status", "200")], [("x", "a\r\nb: c")],
      [("x", "\0")], [("x", " a")], [("x", "a\t")], [("a b", "1")], [("a:b", "1")], [("", "1")], [("a\r\nb", "1")],
      [("host", "other.test")], [("x", "1"), ("host", "shop.tes")],
    ])
  func malformedFields(_ extra: [(String, String)]) { #expect(request(Self.plain + extra).0 == .malformed) }

  @Test("pseudo-header fields must be there, each once, before all others")
  func pseudo() {
    for missing in 0..<3 {
      var fields = Self.plain
      fields.remove(at: missing)
      #expect(request(fields).0 == .malformed)
    }
    for (name, value) in [(":path", ""), (":path", "a"), (":path", "*"), (":scheme", "ftp"), (":method", "")] {
      #expect(request(Self.plain.map { $0.0 == name ? (name, value) : $0 }).0 == .malformed, "\(name) \(value)")
    }
    #expect(request([("x", "1")] + Self.plain).0 == .malformed)
    #expect(request(Self.plain + [(":method", "GET")]).0 == .malformed)
    #expect(request([(":method", "CONNECT"), (":authority", "a"), (":path", "/")]).0 == .malformed)
    #expect(request([]).0 == .invalid || request([]).0 == .malformed)
  }

  @Test("what smuggles a line past the block is refused by the parser of heads at the latest")
  func smuggling() {
    for (name, value) in [
      (":path", "/ HTTP/1.1\r\nX: 1"), (":path", "/a b"), (":method", "GET /x HTTP/1.1\r\nA: b\r\n\r\nGET"),
      (":method", "G T"), (":authority", "a\r\nX: 1"), (":authority", "a b"), (":authority", "u@h"),
      (":path", "/\u{7f}"),
    ] {
      let (outcome, text) = request(Self.plain.map { $0.0 == name ? (name, value) : $0 })
      if case .head = outcome {
        var head = MessageHead()
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBufferPointer { bytes in
          bytes.baseAddress.map { head.parseRequest($0, bytes.count) } ?? .incomplete
        }
        if case .complete = result { Issue.record("\(name) \(value) passed as \(text)") }
      } else {
        #expect(outcome == .malformed)
      }
    }
  }

  @Test("a list beyond 64 KB is too large, a bomb is a bomb, and the table survives the first")
  func limits() {
    #expect(request(Self.plain + [("x", String(repeating: "a", count: 66_000))]).0 == .tooLarge)
    #expect(request(Self.plain + (0..<50).map { ("x\($0)", String(repeating: "a", count: 1_500)) }).0 == .tooLarge)
    #expect(request([(":method", "GET"), (":path", "/" + String(repeating: "a", count: 30_000))]).0 == .tooLarge)
    var reader = HTTP2HeadReader()
    var decoder = HPACKDecoder()
    // One large entry, named again and again by one byte.
    var block: [UInt8] = [0x40, 1, 0x61, 127] + [UInt8](hexadecimal("811e")) + [UInt8](repeating: 0x62, count: 3968)
    block += [UInt8](repeating: 0xBE, count: 200)
    let outcome = block.withUnsafeBufferPointer { bytes in
      bytes.baseAddress.map { reader.readRequest($0, bytes.count, &decoder, hasBody: false) } ?? .invalid
    }
    #expect(outcome == .bomb)
  }

  @Test("a response's block becomes a head, trailers have no pseudo-header fields")
  func responses() {
    var reader = HTTP2HeadReader()
    var decoder = HPACKDecoder()
    func read(_ fields: [(String, String)], trailers: Bool = false) -> String? {
      let block = literalBlock(fields)
      let outcome = block.withUnsafeBufferPointer { bytes -> HTTP2HeadReader.Outcome in
        guard let base = bytes.baseAddress else { return .invalid }
        return trailers
          ? reader.readTrailers(base, bytes.count, &decoder) : reader.readResponse(base, bytes.count, &decoder)
      }
      guard case .head(let length) = outcome else { return nil }
      return String(decoding: UnsafeBufferPointer(start: reader.head, count: length), as: UTF8.self)
    }
    #expect(read([(":status", "204"), ("etag", "x")]) == "HTTP/1.1 204 \r\netag: x\r\n\r\n")
    #expect(read([("grpc-status", "0")], trailers: true) == "HTTP/1.1 200 \r\ngrpc-status: 0\r\n\r\n")
    for bad in [
      [(":status", "20")], [(":status", "101")], [("etag", "x")], [(":status", "200"), (":status", "200")],
      [(":status", "200"), (":path", "/")], [(":status", "200"), ("connection", "close")],
    ] { #expect(read(bad) == nil) }
    #expect(read([(":status", "200")], trailers: true) == nil)
    #expect(read([("content-length", "1")], trailers: true) == nil)
  }

  @Test("random blocks never make a head that the parser of heads reads otherwise")
  func fuzz() {
    var random = Seeded(42)
    var reader = HTTP2HeadReader()
    var head = MessageHead()
    let names = [
      ":method", ":path", ":scheme", ":authority", "host", "cookie", "te", "x", "content-length", "X", "a b",
    ]
    let values = ["GET", "/", "http", "shop.test", "trailers", "3", "", " ", "a\r\nb", "*", "CONNECT", "/x y"]
    for _ in 0..<5000 {
      var decoder = HPACKDecoder()
      var fields: [(String, String)] = random.next() % 2 == 0 ? Self.plain : []
      for _ in 0..<(random.next() % 6) {
        fields.append(
          (names[Int(random.next() % UInt64(names.count))], values[Int(random.next() % UInt64(values.count))]))
      }
      var block = literalBlock(fields)
      if random.next() % 3 == 0, !block.isEmpty {
        block[Int(random.next() % UInt64(block.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      let outcome = block.withUnsafeBufferPointer { bytes in
        bytes.baseAddress.map {
          reader.readRequest($0, bytes.count, &decoder, hasBody: random.next() % 2 == 0)
        } ?? .malformed
      }
      guard case .head(let length) = outcome else { continue }
      // Either the whole of it is one head, or it is refused; never part of it.
      switch head.parseRequest(reader.head, length) {
      case .complete(let used): #expect(used == length)
      case .incomplete: Issue.record("incomplete: \(fields)")
      case .refused: break
      }
    }
  }
}
