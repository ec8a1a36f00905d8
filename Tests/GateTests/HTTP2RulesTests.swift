// Rules of RFC 9113 that only strict peers notice: what the fuzzers of the sessions found.
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore
@testable import HTTPWire

private typealias Wire = HTTP2Wire

private func group() -> GateSnapshot.TargetGroup {
  GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none), protocolVersion: .http2)
}

/// A target that speaks HTTP/2: hands each frame to the closure, until it says that this is the end.
private func target(_ take: @escaping @Sendable (HTTP2Wire, Frame) throws -> Bool) throws -> TestServer {
  try TestServer { socket, _ in
    let wire = HTTP2Wire(socket)
    try wire.takePreface()
    try wire.send(Wire.settings([]))
    while let frame = try wire.next(), try take(wire, frame) {}
  }
}

@Suite("HTTP/2 rules", .timeLimit(.minutes(2)))
struct HTTP2RulesTests {
  @Test("larger windows are acknowledged before they are used")
  func acknowledgedFirst() async throws {
    let server = try TestServer { _ in ok(String(repeating: "a", count: 50_000)) }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let (before, after) = try await onThread {
        let wire = try Wire(port: port, settings: [(.initialWindowSize, 2000)])
        wire.credits = false
        try wire.send(Wire.request(1))
        var before = 0
        while before < 2000, let frame = try wire.next() {
          if frame.type == .data { before += frame.payload.count } else { try wire.take(frame) }
        }
        try wire.send(Wire.settings([(.initialWindowSize, 60_000)]))
        // The first frame behind the full window.
        return (before, try wire.next())
      }
      #expect(before == 2000)
      #expect(after?.type == .settings && after?.flags == HTTP2.Flag.ack)
    }
  }

  @Test("a header table made smaller is agreed to at the front of the next block, once")
  func smallerTable() async throws {
    let server = try TestServer { _ in ok("x") }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let firsts = try await onThread {
        // The smallest counts, whatever comes after it.
        let wire = try Wire(port: port, settings: [(.headerTableSize, 0), (.headerTableSize, 4096)])
        var firsts: [UInt8] = []
        for stream in [1, 3] as [UInt32] {
          try wire.send(Wire.request(stream))
          while let frame = try wire.next() {
            if frame.type == .headers { firsts.append(frame.payload.first ?? 0) }
            try wire.take(frame)
            if frame.endsStream { break }
          }
        }
        return firsts
      }
      // Nothing but the change, then :status 200 from the static table.
      #expect(firsts == [0x20, 0x88])
    }
  }

  @Test("a target's smaller header table is agreed to as well")
  func smallerTableOfTarget() async throws {
    let firsts = Mutex<[UInt8]>([])
    let server = try target { wire, frame in
      try wire.take(frame)
      guard frame.type == .headers else { return true }
      firsts.withLock { $0.append(frame.payload.first ?? 0) }
      try wire.send(Wire.settings([(.headerTableSize, 0)]), Wire.answer(frame.stream, "fine"))
      return true
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group())
      for _ in 0..<3 { #expect(try await http2(port, Wire.request(1)).text == "fine") }
      #expect(firsts.withLock { $0.map { $0 == 0x20 } } == [false, true, false])
    }
  }

  @Test("an answer to HEAD that has a body is refused")
  func bodyOfHEAD() async throws {
    let server = try target { wire, frame in
      try wire.take(frame)
      if frame.type == .headers { try wire.send(Wire.answer(frame.stream, "a body", [("content-length", "6")])) }
      return true
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group())
      let answer = try await http2(port, Wire.request(1, method: "HEAD"))
      #expect(answer.body.isEmpty && answer.reset == HTTP2.ErrorCode.internalError.rawValue)
      #expect(try await http2(port, Wire.request(1)).text == "a body")
    }
  }

  @Test("a target that leaves behind what it began to answer breaks that answer off, once")
  func leftBehind() async throws {
    let server = try target { wire, frame in
      try wire.take(frame)
      if frame.type == .headers {
        try wire.send(
          Wire.headers(frame.stream, [(":status", "200")], end: false),
          Wire.frame(.goAway, 0, 0, Wire.number(0) + Wire.number(0)))
      }
      return true
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group())
      let answer = try await http2(port, Wire.request(1))
      #expect(answer.status == 200 && answer.trailers.isEmpty)
      #expect(answer.reset == HTTP2.ErrorCode.internalError.rawValue)
    }
  }

  @Test("errors of a target's connection end it with their code")
  func errorsOfTargets() async throws {
    for (what, frames) in [
      ("a target that may be pushed to", Wire.settings([(.enablePush, 1)])),
      ("DATA on an idle stream", Wire.data(9, [1])), ("DATA on an even stream", Wire.data(2, [1])),
    ] {
      let ended = ResultBox<UInt32>()
      let server = try target { wire, frame in
        if frame.type == .headers { try wire.send(frames) }
        if frame.type == .goAway {
          try wire.take(frame)
          ended.set(.success(wire.goAway ?? 0))
        }
        return true
      }
      try await GateFixture.with(loops: 1) { gate in
        let port = try await gate.serveHTTP2(targets: [target(server)], group: group())
        #expect(try await http2(port, Wire.request(1, method: "POST")).status == 502, "\(what)")
        #expect(try await ended.get() == HTTP2.ErrorCode.protocolError.rawValue, "\(what)")
      }
    }
  }

  @Test("interim answers without end are refused")
  func interimFlood() async throws {
    let server = try target { wire, frame in
      try wire.take(frame)
      guard frame.type == .headers else { return frame.type != .resetStream }
      let hint = Wire.headers(
        frame.stream, [(":status", "103"), ("link", String(repeating: "a", count: 8000))], end: false)
      for _ in 0..<20 { try wire.send(hint) }
      return true
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group())
      let answer = try await http2(port, Wire.request(1))
      #expect(answer.status == 502 && answer.interim.count < 10)
    }
  }
}
