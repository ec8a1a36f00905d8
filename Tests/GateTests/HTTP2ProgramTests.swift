// The load balancer with HTTP/2 clients that others wrote: curl, nghttp and h2load (Debian's nghttp2-client).
import GateProtocol
import Testing

@testable import GateCore

@Suite("HTTP/2 with real clients", .timeLimit(.minutes(2)))
struct HTTP2ProgramTests {
  private static let preferred = GateSnapshot.ListenerTLS(
    certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06", alpn: .http2Preferred)

  @Test("curl speaks HTTP/2 over TLS and without, uploads included")
  func curl() async throws {
    let server = try TestServer { message in
      ok("\(message["X-Forwarded-Proto"] ?? "-") \(message.body.count)")
    }
    let made = try TestCertificates.shared.get()
    let body = String(repeating: "0123456789abcdef", count: 20_000)
    try await GateFixture.with { gate in
      let tls = try await gate.serveTLS(targets: [target(server)], tls: Self.preferred)
      let common = ["-s", "-w", " %{http_version}", "--data-binary", "@-"]
      let first = try await run(
        ["curl", "--cacert", made.folder + "/ca.pem", "--resolve", "shop.test:\(tls):127.0.0.1"] + common
          + ["https://shop.test:\(tls)/"], input: body)
      #expect(first.output == "https 320000 2")
      let plain = try await gate.serveHTTP2(2, targets: [target(server)])
      let second = try await run(
        ["curl", "--http2-prior-knowledge"] + common + ["http://127.0.0.1:\(plain)/"], input: body)
      #expect(second.output == "http 320000 2")
      let third = try await run(["curl"] + common + ["http://127.0.0.1:\(plain)/"], input: "abc")
      #expect(third.output == "http 3 1.1")
    }
  }

  @Test("nghttp gets what it asks for, large answers too")
  func nghttp() async throws {
    let server = try TestServer { message in
      message.target == "/large" ? ok(String(repeating: "x", count: 1_000_000)) : ok("small")
    }
    try await GateFixture.with { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let small = try await run(["nghttp", "http://127.0.0.1:\(port)/"])
      #expect(small.status == 0 && small.output == "small")
      let large = try await run(["nghttp", "http://127.0.0.1:\(port)/large"])
      #expect(large.status == 0)
      #expect(large.output.utf8.count == 1_000_000)
      let verbose = try await run(["nghttp", "-nv", "http://127.0.0.1:\(port)/"])
      #expect(verbose.output.contains("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):128"))
      #expect(!verbose.output.contains("error_code=PROTOCOL_ERROR"))
    }
  }

  @Test("h2load completes 100,000 requests over TLS, and some without, and none fails", arguments: [true, false])
  func h2load(_ isSecure: Bool) async throws {
    let count = isSecure ? 100_000 : 4000
    let server = try TestServer { message in ok("\(message.target)") }
    try await GateFixture.with { gate in
      let port =
        try await isSecure
        ? gate.serveTLS(targets: [target(server)], tls: Self.preferred) : gate.serveHTTP2(targets: [target(server)])
      let address = "\(isSecure ? "https" : "http")://127.0.0.1:\(port)/"
      let (_, output) = try await run(["h2load", "-n", "\(count)", "-c", "4", "-m", "32", address])
      #expect(output.contains("\(count) succeeded, 0 failed, 0 errored, 0 timeout"), "\(output.suffix(800))")
      print("h2load: \(output.split(separator: "\n").first { $0.hasPrefix("finished in") } ?? "")")
      let statistics = try await gate.client.statistics()
      #expect(statistics.loadBalancers[0].requests == UInt64(count))
      #expect(statistics.loadBalancers[0].target.code2xx == UInt64(count))
      #expect(statistics.targets[0].activeRequests == 0)
    }
  }
}
