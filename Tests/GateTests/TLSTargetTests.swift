// Targets that speak HTTPS, and their health checks.
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("HTTPS targets", .timeLimit(.minutes(2)))
struct TLSTargetTests {
  private func group(_ check: GateSnapshot.HealthCheck = .init(probe: .none)) -> GateSnapshot.TargetGroup {
    .init(id: "tg", healthCheck: check, transport: .https)
  }

  @Test(
    "requests reach a target over TLS, connections are kept, and sessions are resumed",
    arguments: ["ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-TLS-1-2-2017-01"])
  func requests(policy: String) async throws {
    let large = String(repeating: "x", count: 300_000)
    let server = try TLSTestServer(policy: policy) { message in
      if message.target == "/close" { return ok("bye", "Connection: close\r\n") }
      return message.method == "POST" ? ok("\(message.body.count)") : ok(large)
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server.server)], group: group())
      try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        for _ in 0..<5 {
          try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          #expect(try reader.next()?.text == large)
          try socket.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(large.utf8.count)\r\n\r\n" + large)
          #expect(try reader.next()?.text == "\(large.utf8.count)")
        }
      }
      #expect(server.handshakes == 1)
      for _ in 0..<5 { #expect(try await get(port, "/close").text == "bye") }
      #expect(server.handshakes >= 5)
      #expect(server.resumed >= server.handshakes - 2)
    }
  }

  @Test("TLS on both sides")
  func both() async throws {
    let server = try TLSTestServer { message in ok(message["X-Forwarded-Proto"] ?? "-") }
    let made = try TestCertificates.shared.get()
    try await GateFixture.with { gate in
      var group = group()
      group.targets = [target(server.server)]
      let status = try await gate.client.apply(
        GateSnapshot(
          version: 1,
          loadBalancers: [
            .init(
              id: "lb", address: "127.0.0.1",
              listeners: [
                .init(
                  id: "l", port: 0, transport: .https, tls: .init(certificates: ["rsa"]),
                  defaultAction: .forward(to: "tg"))
              ])
          ], targetGroups: [group], certificates: made.all))
      let port = try #require(status.listener("l")?.port)
      #expect(try await getTLS(port).text == "https")
    }
  }

  @Test("a target that does not speak TLS is answered for with 502 and counted")
  func plainTarget() async throws {
    let server = try TestServer { socket, _ in
      _ = try socket.receive()
      try socket.send("HTTP/1.1 400 Bad Request\r\n\r\n")
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)], group: group())
      #expect(try await get(port).status == 502)
      #expect(try await gate.client.statistics().targetGroups[0].targetTLSErrors >= 1)
    }
  }

  @Test("health checks go over TLS and look at the status")
  func health() async throws {
    let good = try TLSTestServer { message in
      ok(String(repeating: "x", count: 20_000), message.target == "/ok" ? "" : "X: y\r\n")
    }
    let bad = try TLSTestServer { _ in "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" }
    let plain = try TestServer { _ in ok("") }
    try await GateFixture.with { gate in
      let check = GateSnapshot.HealthCheck(
        probe: .https, path: "/ok", interval: 0.2, timeout: 2, healthyThreshold: 2, unhealthyThreshold: 2)
      _ = try await gate.serve(
        targets: [target(good.server), target(bad.server), target(plain)], group: group(check))
      let arrived = try await eventually {
        let all = try await gate.client.health()
        return all.map(\.state) == [.healthy, .unhealthy, .unhealthy]
          && all[1].reason == .responseCodeMismatch && all[2].reason != nil
      }
      let all = try await gate.client.health()
      #expect(arrived, "\(all)")
    }
  }
}
