// Broken and hostile HTTP/2: each error has its code, each flood its end, and other connections do not notice.
import GateProtocol
import Testing

@testable import GateCore
@testable import HTTPWire

private typealias Wire = HTTP2Wire

@Suite("HTTP/2 errors and abuse", .timeLimit(.minutes(2)))
struct HTTP2AbuseTests {
  /// Sends frames on a fresh connection and gives the code with which it is ended.
  private func end(_ port: UInt16, settings: [(HTTP2.Setting, UInt32)] = [], _ frames: [[UInt8]]) async throws
    -> HTTP2.ErrorCode?
  {
    try await onThread {
      let wire = try Wire(port: port, settings: settings)
      // A connection that has been ended takes no more: what was said before counts.
      do { for frame in frames { try wire.send(frame) } } catch is TestFailure {}
      return try wire.end().flatMap { HTTP2.ErrorCode(rawValue: $0) }
    }
  }

  @Test("errors of the connection end it with their code")
  func connectionErrors() async throws {
    let server = try TestServer { _ in ok("x") }
    try await GateFixture.with { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let get = Wire.request(1)
      let cases: [(String, HTTP2.ErrorCode, [[UInt8]])] = [
        ("DATA on stream 0", .protocolError, [Wire.data(0, [1])]),
        ("DATA on an idle stream", .protocolError, [Wire.data(5, [1])]),
        ("HEADERS on stream 0", .protocolError, [Wire.request(0)]),
        ("an even stream", .protocolError, [Wire.request(2)]),
        ("a lower stream", .streamClosed, [Wire.request(5), Wire.request(3)]),
        ("DATA behind the end", .streamClosed, [get, Wire.data(1, [1])]),
        ("padding larger than the frame", .protocolError, [Wire.frame(.data, 8, 1, [9, 1])]),
        ("a frame beyond the size", .frameSizeError, [Wire.frame(.data, 0, 1, .init(repeating: 0, count: 16_385))]),
        ("PING of seven bytes", .frameSizeError, [Wire.frame(.ping, 0, 0, .init(repeating: 0, count: 7))]),
        ("PING on a stream", .protocolError, [Wire.frame(.ping, 0, 1, .init(repeating: 0, count: 8))]),
        ("SETTINGS of five bytes", .frameSizeError, [Wire.frame(.settings, 0, 0, .init(repeating: 0, count: 5))]),
        ("SETTINGS on a stream", .protocolError, [Wire.frame(.settings, 0, 1)]),
        ("SETTINGS acknowledged with a payload", .frameSizeError, [Wire.frame(.settings, 1, 0, [0, 1, 0, 0, 0, 0])]),
        ("a window of 2^31", .flowControlError, [Wire.settings([(.initialWindowSize, 0x8000_0000)])]),
        ("ENABLE_PUSH 2", .protocolError, [Wire.settings([(.enablePush, 2)])]),
        ("MAX_FRAME_SIZE too small", .protocolError, [Wire.settings([(.maxFrameSize, 16_383)])]),
        ("WINDOW_UPDATE of nothing", .protocolError, [Wire.frame(.windowUpdate, 0, 0, Wire.number(0))]),
        ("WINDOW_UPDATE too far", .flowControlError, [Wire.frame(.windowUpdate, 0, 0, Wire.number(0x7FFF_FFFF))]),
        ("WINDOW_UPDATE of three bytes", .frameSizeError, [Wire.frame(.windowUpdate, 0, 0, [0, 0, 1])]),
        ("WINDOW_UPDATE on an idle stream", .protocolError, [Wire.frame(.windowUpdate, 0, 7, Wire.number(1))]),
        ("RST_STREAM on an idle stream", .protocolError, [Wire.frame(.resetStream, 0, 1, Wire.number(0))]),
        ("RST_STREAM of three bytes", .frameSizeError, [get, Wire.frame(.resetStream, 0, 1, [0, 0, 0])]),
        ("PRIORITY of four bytes", .frameSizeError, [Wire.frame(.priority, 0, 1, [0, 0, 0, 0])]),
        ("PUSH_PROMISE", .protocolError, [Wire.frame(.pushPromise, 4, 1, [0, 0, 0, 2, 0x82])]),
        ("CONTINUATION of nothing", .protocolError, [Wire.frame(.continuation, 4, 1, [0x82])]),
        (
          "a frame inside a block", .protocolError,
          [Wire.frame(.headers, 1, 1, [0x82]), Wire.frame(.ping, 0, 0, .init(repeating: 0, count: 8))]
        ),
        (
          "CONTINUATION of another stream", .protocolError,
          [Wire.frame(.headers, 1, 1, [0x82]), Wire.frame(.continuation, 4, 3, [0x84])]
        ),
        ("a broken block", .compressionError, [Wire.frame(.headers, 5, 1, [0x80])]),
        ("a table larger than ours", .compressionError, [Wire.frame(.headers, 5, 1, [0x3F, 0xE2, 0x1F])]),
        ("a GOAWAY cut short", .frameSizeError, [Wire.frame(.goAway, 0, 0, [0, 0, 0, 0])]),
      ]
      for (what, code, frames) in cases {
        let got = try await end(port, frames)
        #expect(got == code, "\(what): \(String(describing: got))")
      }
      let noSettings = try await onThread {
        let wire = HTTP2Wire(try RawSocket(port: port))
        try wire.send(
          Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8), Wire.frame(.ping, 0, 0, .init(repeating: 0, count: 8)))
        return try wire.end()
      }
      #expect(noSettings == 1)
      #expect(try await http2(port, get).text == "x")
    }
  }

  @Test("malformed requests reset their stream and nothing else, and reach no target")
  func streamErrors() async throws {
    let server = try TestServer { message in ok(message.target) }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      for (number, fields) in [
        [("Upper", "1")], [("connection", "close")], [("x", "1"), (":path", "/")], [("content-length", "5")],
        [("x", "a\r\ny: b")], [("content-length", "1"), ("content-length", "2")], [("content-length", "x")],
      ].enumerated() {
        let answer = try await http2(port, Wire.request(1, "/bad", fields))
        #expect(answer.reset == 1, "\(number)")
      }
      let tooLong = try await http2(
        port, Wire.request(1, "/bad", method: "POST", [("content-length", "2")], end: false), Wire.data(1, [1, 2, 3]))
      #expect(tooLong.reset == 1)
      let tooShort = try await http2(
        port, Wire.request(1, "/bad", method: "POST", [("content-length", "2")], end: false), Wire.data(1, [1]))
      #expect(tooShort.reset == 1)
      let twice = try await http2(
        port, Wire.request(1, "/bad", method: "POST", end: false), Wire.headers(1, [("x", "1")], end: false))
      #expect(twice.reset == 1)
      let large = try await http2(
        port,
        Wire.headers(1, [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")], flags: 0),
        (0..<5).flatMap { part in
          Wire.frame(
            .continuation, part == 4 ? 4 : 0, 1, literalBlock([("x\(part)", String(repeating: "a", count: 14_000))]))
        })
      #expect(large.status == 431)
      let line = try await http2(port, Wire.request(1, "/", [("x", String(repeating: "a", count: 16_370))]))
      #expect(line.status == 431 || line.goAway != nil)
    }
  }

  @Test("more streams than are allowed are refused, and may be asked again")
  func tooManyStreams() async throws {
    let server = try TestServer { socket, _ in
      _ = try MessageReader(socket).next()
      _ = try socket.receive()
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let refused = try await onThread {
        let wire = try Wire(port: port)
        for number in 0..<130 { try wire.send(Wire.request(UInt32(number) * 2 + 1)) }
        return [try wire.answer(257).reset, try wire.answer(259).reset]
      }
      #expect(refused == [7, 7])
    }
  }

  @Test("floods end with ENHANCE_YOUR_CALM and are counted; others are served on")
  func floods() async throws {
    let server = try TestServer { socket, _ in
      let reader = MessageReader(socket)
      while let message = try reader.next() {
        if message.target == "/big" {
          try socket.send(ok(String(repeating: "a", count: 200_000)))
        } else if message.target == "/wait" {
          _ = try socket.receive()
        } else {
          try socket.send(ok("fine"))
        }
      }
    }
    try await GateFixture.with { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let bomb: [UInt8] =
        [0x82, 0x86, 0x84, 0x41, 1, 0x61, 0x40, 1, 0x61, 127, 0x81, 0x1E]
        + [UInt8](repeating: 0x62, count: 3968) + [UInt8](repeating: 0xBE, count: 200)
      let floods: [(String, [(HTTP2.Setting, UInt32)], [[UInt8]])] = [
        (
          "rapid reset", [],
          (0..<400).map { Wire.request($0 * 2 + 1, "/wait") + Wire.frame(.resetStream, 0, $0 * 2 + 1, Wire.number(8)) }
        ),
        (
          "resets that it makes us send", [],
          (0..<400).map { Wire.request($0 * 2 + 1, "/wait") + Wire.frame(.windowUpdate, 0, $0 * 2 + 1, Wire.number(0)) }
        ),
        (
          "CONTINUATION without end", [],
          [Wire.frame(.headers, 1, 1, [0x82])]
            + (0..<200).map { _ in Wire.frame(.continuation, 0, 1, [0x00, 1, 0x61, 0]) }
        ),
        (
          "empty CONTINUATION", [],
          [Wire.frame(.headers, 1, 1)] + (0..<200).map { _ in Wire.frame(.continuation, 0, 1) }
        ),
        ("SETTINGS", [], (0..<1500).map { _ in Wire.settings([]) }),
        ("PING", [], (0..<1500).map { _ in Wire.frame(.ping, 0, 0, .init(repeating: 1, count: 8)) }),
        ("PRIORITY", [], (0..<1500).map { _ in Wire.frame(.priority, 0, 1, .init(repeating: 0, count: 5)) }),
        ("unknown frames", [], (0..<1500).map { _ in Wire.frame(99, 0, 0) }),
        (
          "empty DATA", [],
          [Wire.request(1, "/wait", method: "POST", end: false)] + (0..<1500).map { _ in Wire.data(1, [], end: false) }
        ),
        ("WINDOW_UPDATE", [], (0..<2500).map { _ in Wire.frame(.windowUpdate, 0, 0, Wire.number(1)) }),
        (
          "tiny windows", [(.initialWindowSize, 1)],
          [Wire.request(1, "/big")]
        ),
        ("a header bomb", [], [Wire.frame(.headers, 5, 1, bomb)]),
      ]
      for (what, settings, frames) in floods {
        let code = try await end(port, settings: settings, frames)
        #expect(code == .enhanceYourCalm, "\(what): \(String(describing: code))")
      }
      #expect(try await http2(port, Wire.request(1)).text == "fine")
      let statistics = try await gate.client.statistics()
      #expect(statistics.loadBalancers[0].http2Abuses == UInt64(floods.count))
    }
  }

  @Test("random frames never crash the Gate, which serves on")
  func fuzz() async throws {
    let server = try TestServer { _ in ok("fine") }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      try await onThread {
        var random = Seeded(9113)
        for _ in 0..<300 {
          var bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Wire.settings([])
          for _ in 0..<(random.next() % 12) {
            let stream = UInt32(random.next() % 8)
            switch random.next() % 4 {
            case 0: bytes += Wire.request(stream, "/", method: "POST", end: random.next() % 2 == 0)
            case 1: bytes += Wire.data(stream, random.bytes(Int(random.next() % 50)), end: random.next() % 2 == 0)
            default:
              let payload = random.bytes(Int(random.next() % 20))
              bytes += Wire.frame(UInt8(random.next() % 11), UInt8(truncatingIfNeeded: random.next()), stream, payload)
            }
          }
          let socket = try RawSocket(port: port)
          try socket.send(bytes)
          socket.endWriting()
          // A connection that was ended may be reset under us.
          do { while try !socket.receive().isEmpty {} } catch is TestFailure {}
        }
      }
      #expect(try await http2(port, Wire.request(1)).text == "fine")
      let statistics = try await gate.client.statistics()
      #expect(statistics.loadBalancers[0].activeConnections <= 1)
      #expect(statistics.targets[0].activeRequests == 0)
    }
  }
}
