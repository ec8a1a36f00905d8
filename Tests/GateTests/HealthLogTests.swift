// Health check logs: a line for each probe of a target.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Health check logs", .timeLimit(.minutes(2)))
struct HealthLogTests {
  /// What is in a folder's segments, also in those that still grow.
  private func lines(_ folder: String) async throws -> [[String]] {
    try await run(["sh", "-c", "cat \(folder)/* 2>/dev/null || true"]).output
      .split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: false).map(String.init) }
  }

  @Test("every probe is written down, with what the target answered or why it failed")
  func probes() async throws {
    let folder = try temporaryFolder()
    let end = EndBox()
    let good = try TestServer { _ in ok("") }
    let bad = try TestServer { _ in "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" }
    let dead = try TestServer { _ in ok("") }
    dead.kill()
    let silent = try TestServer { socket, _ in
      _ = try socket.receive()
      end.waitBlocking()
    }
    let strange = try TestServer { socket, _ in
      _ = try socket.receive()
      try socket.send("220 mail.test\r\n\r\n")
      _ = try socket.receive()
    }
    let hasty = try TestServer { socket, _ in _ = try socket.receive() }
    let servers = [good, bad, dead, silent, strange, hasty]
    try await GateFixture.with(loops: 1) { gate in
      let status = try await gate.client.apply(
        GateSnapshot(
          version: 1,
          loadBalancers: [
            .init(
              id: "lb", address: "127.0.0.1", listeners: [.init(id: "l", port: 0, defaultAction: .forward(to: "tg"))],
              logs: .init(name: "app/lb/1", healthFolder: folder))
          ],
          targetGroups: [
            .init(
              id: "tg", targets: servers.map { target($0) },
              healthCheck: .init(path: "/healthz", interval: 0.2, timeout: 0.1, unhealthyThreshold: 2), name: "web"),
            .init(
              id: "other", targets: [target(good)],
              healthCheck: .init(path: "/healthz", interval: 0.2, timeout: 0.1), name: "unused"),
          ]))
      #expect(status.listener("l")?.port != nil)
      let isThere = try await eventually(seconds: 20) {
        let seen = Set(try await lines(folder).map { $0[3] })
        return servers.allSatisfy { seen.contains("127.0.0.1:\($0.port)") }
      }
      #expect(isThere)
    }
    for _ in servers { end.end() }
    let found = try await lines(folder)
    _ = try await run(["rm", "-r", folder])
    for line in found {
      #expect(line.count == 8 && line[0] == "http" && line[4] == "web", "\(line)")
      #expect(line[1].wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
      #expect(line[2].wholeMatch(of: /\d+\.\d{9}/) != nil)
    }
    func outcomes(_ server: TestServer) -> Set<String> {
      Set(found.filter { $0[3] == "127.0.0.1:\(server.port)" }.map { $0[5...].joined(separator: " ") })
    }
    // On a machine that has much to do a good target may be late once.
    #expect(outcomes(good).contains("PASS 200 -"))
    #expect(outcomes(bad).contains("FAIL 503 ResponseCodeMismatch"))
    #expect(outcomes(dead) == ["FAIL - ConnectionReset"])
    #expect(outcomes(silent) == ["FAIL - RequestTimedOut"])
    #expect(outcomes(strange).contains("FAIL - TargetError"))
    #expect(outcomes(hasty).contains("FAIL - ConnectionReset"))
  }

  @Test("probes of gRPC and HTTP/2 have their own words")
  func words() {
    var out = Bytes()
    var line = HealthLogLine(
      probe: .grpcs, time: 1_500_000, latency: 19_584, target: SocketAddress(address: 0x7F00_0001, port: 80),
      group: "web")
    line.status = 0
    line.reason = .grpcUnexpectedStatus
    line.append(to: &out)
    line.probe = .http2
    line.status = 200
    line.reason = nil
    line.append(to: &out)
    let text = String(decoding: UnsafeBufferPointer(start: out.first, count: out.count), as: UTF8.self)
    #expect(
      text == """
        grpc 1970-01-01T00:00:01.500000Z 0.019584000 127.0.0.1:80 web FAIL 0 GRPCUnexpectedStatus
        h2 1970-01-01T00:00:01.500000Z 0.019584000 127.0.0.1:80 web PASS 200 -

        """)
  }
}
