// What clients see when targets refuse, die, are slow or lie, and what is saved by trying again.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Failing targets", .timeLimit(.minutes(2)))
struct FailureTests {
  /// A server whose port refuses.
  private func dead() throws -> TestServer {
    let server = try TestServer { _ in "" }
    server.kill()
    return server
  }

  @Test("no target is 503, a refusing one 502, with ALB's pages")
  func noTarget() async throws {
    let dead = try dead()
    try await GateFixture.with { gate in
      var port = try await gate.serve(1, targets: [])
      let none = try await get(port)
      #expect(none.status == 503)
      #expect(none.text.contains("<center><h1>503 Service Temporarily Unavailable</h1></center>"))
      #expect(none["Content-Type"] == "text/html")
      port = try await gate.serve(2, targets: [target(dead)])
      let refused = try await get(port)
      #expect(refused.status == 502)
      #expect(
        refused.text
          == "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
      )
      #expect(refused["Connection"] == "keep-alive")
      let statistics = try await gate.client.statistics()
      #expect(statistics.targetGroups[0].connectionErrors == 1)
      #expect(statistics.loadBalancers[0].elb.code5xx == 2)
    }
  }

  @Test("a refused connection is tried on another target, for any method")
  func otherTarget() async throws {
    let server = try TestServer { message in ok(message.text) }
    let (first, last) = (try dead(), try dead())
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(first), target(server), target(last)])
      for _ in 0..<10 {
        let answer = try await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        #expect(answer.status == 200 && answer.text == "hi")
      }
    }
  }

  @Test("a kept connection that the target closed meanwhile costs no request")
  func staleConnection() async throws {
    // Every connection serves one request and then closes without saying so.
    let server = try TestServer { socket, _ in
      if let message = try MessageReader(socket).next() { try socket.send(ok(message.target)) }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      let statuses = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        var statuses: [Int] = []
        for _ in 0..<100 {
          try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          statuses.append(try reader.next()?.status ?? 0)
        }
        return statuses
      }
      #expect(statuses.filter { $0 != 200 }.isEmpty)
      // What may not be sent twice goes over no connection that is known to be closed.
      for _ in 0..<5 {
        #expect(try await eventually { try await gate.client.statistics().targets[0].connections == 0 })
        #expect(try await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").status == 200)
      }
    }
  }

  @Test("a target that dies before it answers: GET goes elsewhere, POST is 502")
  func diesEarly() async throws {
    let dying = try TestServer { _ in "" }
    let server = try TestServer { _ in ok("fine") }
    try await GateFixture.with { gate in
      let port = try await gate.serve(1, targets: [target(dying), target(server)])
      for _ in 0..<6 { #expect(try await get(port).status == 200) }
      let second = try await gate.serve(2, targets: [target(dying)])
      #expect(try await exchange(second, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status == 502)
      #expect(try await get(second).status == 502)
    }
  }

  @Test("an answer that is no HTTP is 502, and one that breaks off ends the client's connection")
  func malformed() async throws {
    let lying = try TestServer { socket, _ in
      let message = try MessageReader(socket).next()
      switch message?.target {
      case "/cut": try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
      case "/chunks": try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
      case "/two": try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
      case "/half": try socket.send("HTTP/1.1 200 OK\r\nContent-Le")
      default: try socket.send("hello, I am not HTTP\r\n\r\n")
      }
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(lying)])
      for path in ["/", "/two", "/half"] { #expect(try await get(port, path).status == 502, "\(path)") }
      for path in ["/cut", "/chunks"] {
        await #expect(throws: (any Error).self, "\(path)") { try await get(port, path) }
      }
    }
  }

  @Test("a silent target is 504, a silent client 408 or closed")
  func timeouts() async throws {
    let silent = try TestServer { socket, _ in
      while try !socket.receive().isEmpty {}
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(silent)], attributes: .init(idleTimeout: 0.3))
      let answer = try await get(port)
      #expect(answer.status == 504)
      #expect(answer.text.contains("504 Gateway Time-out"))
      #expect(try await exchange(port, "GET / HTTP/1.1\r\nHost").status == 408)
      #expect(try await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab").status == 408)
      let idle = try await onThread { try RawSocket(port: port).receiveToEnd() }
      #expect(idle.isEmpty)
    }
  }

  @Test("a client that goes away is counted and its request taken from the target")
  func clientLeaves() async throws {
    let ended = EndBox()
    let silent = try TestServer { socket, _ in
      while try !socket.receive().isEmpty {}
      ended.end()
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(silent)])
      try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while silent.connections == 0 { _ = try? RawSocket(port: port) }
      }
      await ended.wait()
      #expect(try await eventually { try await gate.client.statistics().loadBalancers[0].clientAborts == 1 })
    }
  }

  @Test("an early answer to an unfinished upload reaches the client")
  func earlyAnswer() async throws {
    let server = try TestServer { socket, _ in
      _ = try MessageReader(socket).head()
      try socket.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
      while try !socket.receive().isEmpty {}
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      let answer = try await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome")
      #expect(answer.status == 413 && answer.text == "big")
      #expect(answer["Connection"] == "close")
    }
  }
}
