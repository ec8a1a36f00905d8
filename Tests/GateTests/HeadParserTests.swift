// The strict parser, against tables of good heads, smuggling shapes and random bytes.
import HTTPWire
import Testing

@Suite("HTTP/1.1 heads")
struct HeadParserTests {
  private func parse(_ text: String) -> HeadResult { parse(Array(text.utf8)) }

  private func parse(_ bytes: [UInt8]) -> HeadResult {
    var head = MessageHead()
    return bytes.withUnsafeBufferPointer { $0.baseAddress.map { head.parseRequest($0, bytes.count) } ?? .incomplete }
  }

  private func parseResponse(_ text: String) -> HeadResult {
    var head = MessageHead()
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBufferPointer { $0.baseAddress.map { head.parseResponse($0, bytes.count) } ?? .incomplete }
  }

  @Test(
    "good request heads are taken",
    arguments: [
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /a%20b?x=1&y= HTTP/1.1\r\nHost: a.example:8080\r\nAccept: */*\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nhost:a\r\n\r\n",
      "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Tab:\ta\tb \t\r\nX_Under: \u{e9}\r\n\r\n",
      "PURGE /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    ])
  func good(_ text: String) { #expect(parse(text) == .complete(text.utf8.count)) }

  @Test(
    "shapes that two servers could read differently are refused",
    arguments: [
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .differentContentLengths),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", .badContentLength),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", .badContentLength),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", .badContentLength),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", .badContentLength),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n", .badContentLength),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", .badContentLength),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", .bodyTooLong),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", .lengthRequired),
      (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
        .conflictingFraming
      ),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", .badTransferEncoding),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", .badTransferEncoding),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .badTransferEncoding),
      (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        .repeatedTransferEncoding
      ),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{0B}chunked\r\n\r\n", .badFieldValue),
      ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .conflictingFraming),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\n", .badFieldName),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", .badFieldName),
      ("POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n", .foldedLine),
      ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .foldedLine),
      ("GET / HTTP/1.1\nHost: a\n\n", .bareLineEnd),
      ("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineEnd),
      ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineEnd),
      ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", .bareLineEnd),
      ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", .badFieldValue),
      ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", .badFieldName),
      ("GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: b\r\n\r\n", .badFieldName),
      ("GET / HTTP/1.1\r\nHost: a\r\nNoColon\r\n\r\n", .badFieldName),
      ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", .badHost),
      ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost),
      ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .badHost),
      ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", .badHost),
      ("GET / HTTP/1.1\r\nX: y\r\n\r\n", .missingHost),
      ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
      ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .badRequestLine),
      ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
      ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
      ("GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
      ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
      ("GET /\r\nHost: a\r\n\r\n", .badRequestLine),
      (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
      ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
      ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .badVersion),
      ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", .badVersion),
      ("GET / http/1.1\r\nHost: a\r\n\r\n", .badRequestLine),
      ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", .badRequestLine),
      ("\u{16}\u{3}\u{1}\u{2}\0", .badRequestLine),
    ] as [(String, HeadRefusal)])
  func refused(_ text: String, _ refusal: HeadRefusal) { #expect(parse(text) == .refused(refusal)) }

  @Test(
    "what can be passed on in one clear form is taken, and classed as desync mitigation publishes it",
    arguments: [
      ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", .nonCompliantHeader),
      ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", .getHeadZeroContentLength),
      ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", .undefinedContentLengthSemantics),
      ("HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .undefinedTransferEncodingSemantics),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .duplicateContentLength),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .bothTEAndCLPresent),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n", .suspiciousHeader),
      ("POST / HTTP/1.1\r\nHost: a\r\nContentLength: 5\r\n\r\n", .suspiciousHeader),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nCache-Control: b\r\n\r\n", nil),
    ] as [(String, DesyncReason?)])
  func classes(_ text: String, _ reason: DesyncReason?) {
    let bytes = Array(text.utf8)
    var head = MessageHead()
    let result = bytes.withUnsafeBufferPointer {
      head.parseRequest($0.baseAddress ?? StaticString("").utf8Start, bytes.count)
    }
    #expect(result == .complete(bytes.count))
    #expect(head.anomaly == reason)
    if reason == .bothTEAndCLPresent { #expect(head.requestFraming == .chunked) }
  }

  @Test("after chunks in an answer of HTTP/1.0 the connection is not used again")
  func oldChunks() {
    for (version, keeps) in [("1.0", false), ("1.1", true)] {
      let text = "HTTP/\(version) 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
      var head = MessageHead()
      let bytes = Array(text.utf8)
      let result = bytes.withUnsafeBufferPointer { bytes in
        bytes.baseAddress.map { head.parseResponse($0, bytes.count) } ?? .incomplete
      }
      #expect(result == .complete(bytes.count))
      #expect(head.keepsAlive == keeps)
    }
  }

  @Test("sizes beyond the limits are refused with 414 and 431")
  func limits() {
    let long = String(repeating: "a", count: 17 << 10)
    #expect(parse("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n") == .refused(.lineTooLong))
    #expect(parse("GET /\(long)") == .refused(.lineTooLong))
    #expect(parse("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n") == .refused(.fieldTooLong))
    let field = "X: \(String(repeating: "b", count: 8000))\r\n"
    let head = "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: field, count: 9)
    #expect(parse(head) == .refused(.headTooLong))
    let many = "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 300)
    #expect(parse(many) == .refused(.tooManyFields))
    #expect(HeadRefusal.lineTooLong.status == 414)
    #expect(HeadRefusal.headTooLong.status == 431)
  }

  @Test("every beginning of a good head is incomplete, never refused or complete")
  func prefixes() {
    let texts = [
      "\r\nPOST /a?b=c HTTP/1.1\r\nHost: example.org:80\r\nContent-Length: 12\r\nX-Y: \tz \r\n\r\n",
      "GET / HTTP/1.0\r\nConnection: keep-alive, X-Y\r\n\r\n",
    ]
    for text in texts {
      let bytes = Array(text.utf8)
      for count in 1..<bytes.count { #expect(parse(Array(bytes[0..<count])) == .incomplete, "\(count) of \(text)") }
      #expect(parse(bytes) == .complete(bytes.count))
    }
    let response = Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n".utf8)
    for count in 1..<response.count {
      #expect(parseResponse(String(decoding: response[0..<count], as: UTF8.self)) == .incomplete)
    }
  }

  @Test("what the head says is found")
  func meaning() {
    var head = MessageHead()
    let text =
      "POST /p?q HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, x-secret, close\r\nUpgrade: websocket\r\nX-Secret: 1\r\n"
      + "Expect: 100-Continue\r\nX-Forwarded-For: 1.2.3.4\r\nContent-Length: 42\r\nx_y: 1\r\n\r\n"
    let bytes = Array(text.utf8)
    bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      let result = head.parseRequest(base, bytes.count)
      #expect(result == .complete(bytes.count))
      #expect(head.method == Slice(0, 4))
      #expect(head.target == Slice(5, 4))
      #expect(head.requestFraming == .length(42))
      #expect(head.connectionUpgrade && head.connectionClose && head.nominatesFields && !head.keepsAlive)
      #expect(head.expectsContinue && head.hasForwardedFor && head.hasUnusualNames)
      #expect(head.fieldCount == 8)
      let secret = head.nominates(head.fields[3], in: base)
      let host = head.nominates(head.fields[0], in: base)
      #expect(secret && !host)
    }
  }

  @Test(
    "answers that are no HTTP/1.1 are refused",
    arguments: [
      "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\nxxxxxxx",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
    ])
  func badAnswers(_ text: String) {
    guard case .refused = parseResponse(text) else {
      Issue.record("taken: \(text)")
      return
    }
  }

  @Test("random changes to good heads never break the parser, and what it takes it takes in any division")
  func fuzz() {
    var random = SplitMix(state: 0x5EED)
    let seeds = [
      "GET /a/b?c=d HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive, te\r\nX-A: b\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
      "PUT /x HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
    ].map { Array($0.utf8) }
    let pieces: [[UInt8]] = [
      [13, 10], [10], [13], [0], [32], [9], [58], [44], [255], Array("Content-Length: 1\r\n".utf8),
    ]
    for _ in 0..<20_000 {
      var bytes = seeds[Int(random.next() % 3)]
      for _ in 0..<(1 + random.next() % 4) {
        let position = Int(random.next() % UInt64(bytes.count + 1))
        switch random.next() % 3 {
        case 0: if position < bytes.count { bytes[position] = UInt8(truncatingIfNeeded: random.next()) }
        case 1: if position < bytes.count { bytes.remove(at: position) }
        default: bytes.insert(contentsOf: pieces[Int(random.next() % UInt64(pieces.count))], at: position)
        }
        if bytes.isEmpty { bytes = [71] }
      }
      guard case .complete(let length) = parse(bytes) else { continue }
      #expect(length <= bytes.count)
      // Whatever is taken ends with an empty line, has no bare line ends, and is incomplete one byte earlier.
      #expect(bytes[length - 4..<length].elementsEqual([13, 10, 13, 10]))
      for index in 0..<length where bytes[index] == 10 { #expect(index > 0 && bytes[index - 1] == 13) }
      #expect(parse(Array(bytes[0..<length - 1])) == .incomplete)
    }
  }
}

/// A seeded generator, so that a failure comes again.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
