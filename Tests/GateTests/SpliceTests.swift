// Long answers, which pass through a pipe of the loop instead of its memory.
import CLinux
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("Long answers", .timeLimit(.minutes(2)))
struct SpliceTests {
  /// Bytes in which every misplaced, lost or doubled part shows.
  private static func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = Random(seed: seed)
    return [UInt8](unsafeUninitializedCapacity: count + 8) { bytes, length in
      for index in stride(from: 0, to: count, by: 8) {
        UnsafeMutableRawPointer(bytes.baseAddress.unsafelyUnwrapped + index).storeBytes(
          of: random.next(), as: UInt64.self)
      }
      length = count
    }
  }

  /// Answers `/FRAMING/SEED/COUNT` with that many bytes: `length`, `chunks` (large and small ones) or `end`.
  private static func server() throws -> TestServer {
    try TestServer { socket, core in
      let reader = MessageReader(socket)
      while let message = try reader.next() {
        core.countRequest()
        let parts = message.target.split(separator: "/")
        guard parts.count == 3, let seed = UInt64(parts[1]), let count = Int(parts[2]) else { return }
        let body = pattern(count, seed: seed)
        switch parts[0] {
        case "length":
          try socket.send(Array("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n".utf8) + body)
        case "chunks":
          try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
          var sent = 0
          for size in [700_000, 10, 32 << 10, 1, 65_536, 400_000].cycled(upTo: count) {
            try socket.send(Array("\(String(size, radix: 16))\r\n".utf8) + body[sent..<sent + size] + [13, 10])
            sent += size
          }
          try socket.send("0\r\n\r\n")
        case "half":
          return try socket.send(
            Array("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n".utf8) + body[..<(count / 2)])
        default:
          return try socket.send(Array("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8) + body)
        }
      }
    }
  }

  private static func ask(_ socket: RawSocket, _ path: String) throws {
    try socket.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
  }

  @Test("arrive byte for byte, by length, in chunks and to the end, and the connections are kept")
  func whole() async throws {
    let server = try Self.server()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      let answers: [Message?] = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        return try ["length/1", "chunks/2", "length/3", "end/4"].map { path in
          try Self.ask(socket, "/\(path)/3000000")
          return try reader.next()
        }
      }
      for (index, answer) in answers.enumerated() {
        #expect(answer?.body == Self.pattern(3_000_000, seed: UInt64(index + 1)), "answer \(index)")
      }
      #expect(server.connections == 1)
      let counted = try await gate.client.statistics().loadBalancers[0].responseBytes
      #expect(counted > 12_000_000 && counted < 12_002_000)
    }
  }

  @Test("wait for a client that does not read, and arrive whole when it does")
  func slowReader() async throws {
    let server = try Self.server()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      let socket = try await onThread {
        let socket = try RawSocket(port: port)
        try Self.ask(socket, "/length/5/24000000")
        return socket
      }
      // Sockets and memory on the way are full when nothing moves any more.
      var sent: UInt64 = 0
      let isFull = try await eventually(seconds: 30) {
        let before = sent
        sent = try await gate.client.statistics().loadBalancers[0].responseBytes
        return sent > 0 && sent == before
      }
      #expect(isFull && sent < 24_000_000, "\(sent)")
      // The loop's pipe serves another in the meantime.
      #expect(try await get(port, "/length/6/3000000").body == Self.pattern(3_000_000, seed: 6))
      let body = try await onThread { try MessageReader(socket).next()?.body }
      #expect(body == Self.pattern(24_000_000, seed: 5))
    }
  }

  @Test("that are given up by their clients leave nothing for others")
  func givenUp() async throws {
    let server = try Self.server()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      async let deserters: Void = onThread {
        for number in 0..<40 {
          let socket = try RawSocket(port: port)
          if number % 2 == 0 { socket.setReset() }
          try Self.ask(socket, "/\(number % 3 == 0 ? "end" : "length")/7/4000000")
          var left = number * 20_000
          while left > 0 { left -= try socket.receive().count }
        }
      }
      let answers = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        return try (0..<20).map { number in
          try Self.ask(socket, "/length/\(number)/2000000")
          return try reader.next()?.body == Self.pattern(2_000_000, seed: UInt64(number))
        }
      }
      try await deserters
      #expect(answers == Array(repeating: true, count: 20))
      #expect(try await eventually { try await gate.client.statistics().loadBalancers[0].activeConnections == 0 })
    }
  }

  @Test("that break off at their target break off at the client, which sees all that came")
  func brokenOff() async throws {
    let server = try Self.server()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      let seen = try await onThread {
        let socket = try RawSocket(port: port)
        try Self.ask(socket, "/half/8/4000000")
        let reader = MessageReader(socket)
        guard try reader.head() != nil else { throw TestFailure("no head") }
        var body = reader.buffer
        while true {
          let bytes = try socket.receive()
          if bytes.isEmpty { return body }
          body += bytes
        }
      }
      #expect(seen == Array(Self.pattern(4_000_000, seed: 8)[..<2_000_000]))
      #expect(try await get(port, "/length/9/2000000").body == Self.pattern(2_000_000, seed: 9))
    }
  }

  @Test("pass through upgraded connections")
  func upgraded() async throws {
    let server = try TestServer { socket, _ in
      guard try MessageReader(socket).head() != nil else { return }
      try socket.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
      try socket.send(Self.pattern(4_000_000, seed: 10))
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      let bytes = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        let reader = MessageReader(socket)
        guard try reader.head() != nil else { throw TestFailure("no head") }
        return try reader.take(4_000_000)
      }
      #expect(bytes == Self.pattern(4_000_000, seed: 10))
    }
  }
}

@Suite("A loop's pipe") struct SplicePipeTests {
  private final class Plain: Connection {
    override func onReadable() {}
  }

  /// Two connections of a loop and the other ends of their sockets.
  private struct Bench {
    let loop: EventLoop
    let from: Plain
    let to: Plain
    let writer: RawSocket
    let reader: RawSocket

    init() throws {
      loop = try EventLoop(
        index: 0, control: try Mailbox<ControlMessage>(), mailbox: try Mailbox<LoopMessage>(), logs: try LogWriter())
      func pair() throws -> (Int32, RawSocket) {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw TestFailure("socketpair") }
        guard fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 else { throw TestFailure("fcntl") }
        return (ends[0], RawSocket(descriptor: ends[1]))
      }
      let (source, writer) = try pair()
      let (sink, reader) = try pair()
      from = Plain(loop: loop, descriptor: source)
      to = Plain(loop: loop, descriptor: sink)
      self.writer = writer
      self.reader = reader
      from.mayRead = true
    }

    func end() {
      from.close()
      to.close()
    }

    /// Bytes in the pipe.
    func held() throws -> Int {
      var count: Int32 = -1
      let reader = try #require(loop.pipe).reader
      #expect(ioctl(reader, UInt(FIONREAD), &count) == 0)
      return Int(count)
    }
  }

  @Test("keeps nothing: what the receiver does not take waits in memory")
  func remainder() throws {
    let bench = try Bench()
    defer { bench.end() }
    let sent = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    var passed = 0
    var given = 0
    while bench.to.out.isEmpty {
      try bench.writer.send(sent)
      given += sent.count
      while bench.to.out.isEmpty, let count = bench.from.splice(to: bench.to), count > 0 { passed += count }
      #expect(try bench.held() == 0)
    }
    #expect(bench.from.receivedBytes == UInt64(passed))
    // Nothing passes it while it waits.
    #expect(bench.from.splice(to: bench.to) == nil)
    var arrived: [UInt8] = []
    while arrived.count + bench.to.out.count < passed { arrived += try bench.reader.receive() }
    arrived += UnsafeBufferPointer(start: bench.to.out.first, count: bench.to.out.count)
    #expect(arrived.count == passed && passed <= given)
    #expect(arrived.indices.allSatisfy { arrived[$0] == sent[$0 % sent.count] })
  }

  @Test("says what failed, and is empty afterwards")
  func failures() throws {
    let bench = try Bench()
    defer { bench.end() }
    #expect(bench.from.splice(to: bench.to) == -1)
    #expect(!bench.from.mayRead)
    try bench.writer.send(String(repeating: "x", count: 100_000))
    shutdown(bench.reader.descriptor, Int32(SHUT_RDWR))
    #expect(bench.from.splice(to: bench.to) == -3)
    #expect(try bench.held() == 0)
    let other = try Bench()
    defer { other.end() }
    other.writer.endWriting()
    #expect(other.from.splice(to: other.to) == 0)
  }

  @Test("is left out for little, and where there is none")
  func without() throws {
    let bench = try Bench()
    defer { bench.end() }
    try bench.writer.send(String(repeating: "x", count: 100_000))
    #expect(bench.from.splice(to: bench.to, atMost: 1000) == nil)
    bench.loop.pipe = nil
    #expect(bench.from.splice(to: bench.to) == nil)
  }

  @Test("is for connections on which much comes")
  func plenty() throws {
    var plenty = Plenty()
    #expect(!plenty.isExpected)
    plenty.expect()
    for _ in 0..<20 { plenty.note(100_000) }
    for _ in 0..<7 { plenty.note(100) }
    #expect(plenty.isExpected)
    plenty.note(100)
    #expect(!plenty.isExpected)
    plenty.note(100)
    #expect(!plenty.isExpected)
  }
}

extension [Int] {
  /// The sizes over and over, and what is left at the end.
  fileprivate func cycled(upTo total: Int) -> [Int] {
    var sizes: [Int] = []
    var sum = 0
    while sum < total {
      let size = Swift.min(self[sizes.count % count], total - sum)
      sizes.append(size)
      sum += size
    }
    return sizes
  }
}
