// HTTPS listeners: real handshakes with curl, openssl s_client and a client of our own.
import COpenSSL
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("HTTPS listeners", .timeLimit(.minutes(2)))
struct TLSTests {
  @Test("curl verifies the certificate, and the target learns of https")
  func curl() async throws {
    let server = try TestServer { message in
      ok("\(message["X-Forwarded-Proto"] ?? "-") \(message["X-Forwarded-Port"] ?? "-") \(message["Host"] ?? "-")")
    }
    let made = try TestCertificates.shared.get()
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(targets: [target(server)])
      let (status, output) = try await run([
        "curl", "-s", "--cacert", made.folder + "/ca.pem", "--resolve", "shop.test:\(port):127.0.0.1",
        "https://shop.test:\(port)/a",
      ])
      #expect(status == 0)
      #expect(output == "https \(port) shop.test:\(port)")
    }
  }

  @Test("requests follow each other on one connection, large bodies pass both ways")
  func keepAlive() async throws {
    let large = String(repeating: "0123456789abcdef", count: 40_000)
    let server = try TestServer { message in
      message.method == "POST" ? ok("\(message.body.count)") : ok(message.target == "/large" ? large : "small")
    }
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(targets: [target(server)])
      try await onThread {
        let client = try TLSTestClient(port: port)
        let reader = client.reader
        for _ in 0..<3 {
          try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          #expect(try reader.next()?.text == "small")
          try client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
          #expect(try reader.next()?.text == large)
          try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(large.utf8.count)\r\n\r\n" + large)
          #expect(try reader.next()?.text == "\(large.utf8.count)")
          // TLS 1.3: keys may change at any time.
          try client.updateKeys()
        }
        // Two requests in one record.
        try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try reader.next()?.text == "small")
        #expect(try reader.next()?.text == large)
      }
      #expect(server.connections >= 1)
    }
  }

  @Test("a name chooses the certificate: exact, wildcard, default; ECDSA before RSA where the client can")
  func names() async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(
        targets: [target(server)],
        tls: .init(
          certificates: ["other", "rsa", "ecdsa", "wildcard"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06"))
      let cases: [(String?, [String], String)] = [
        ("shop.test", [], "CN = ecdsa"), ("SHOP.test", [], "CN = ecdsa"), ("www.shop.test", [], "CN = wildcard"),
        ("a.shop.test", [], "CN = wildcard"), ("a.b.shop.test", [], "CN = other"), ("unknown.test", [], "CN = other"),
        (nil, [], "CN = other"),
        ("shop.test", ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "CN = rsa"),
        ("shop.test", ["-tls1_2"], "CN = ecdsa"),
        ("shop.test", ["-sigalgs", "RSA-PSS+SHA256"], "CN = rsa"),
        ("www.shop.test", ["-sigalgs", "RSA-PSS+SHA256"], "CN = rsa"),
      ]
      for (name, arguments, expected) in cases {
        let output = try await handshake(port, arguments + (name.map { ["-servername", $0] } ?? ["-noservername"]))
        #expect(output.contains("subject=\(expected)\n"), "\(name ?? "-") \(arguments)")
      }
    }
  }

  @Test(
    "each policy takes its versions and suites and no others",
    arguments: [
      ("2016-08", ["tls1", "tls1_1", "tls1_2"], "AES256-SHA", "DES-CBC3-SHA"),
      ("TLS-1-2-2017-01", ["tls1_2"], "AES128-SHA256", "AES128-SHA"),
      ("FS-1-2-Res-2020-10", ["tls1_2"], "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA256"),
      ("FS-1-1-2019-08", ["tls1_1", "tls1_2"], "ECDHE-RSA-AES128-SHA", "AES128-SHA"),
      ("TLS13-1-0-2021-06", ["tls1", "tls1_1", "tls1_2", "tls1_3"], "AES128-SHA", "DES-CBC3-SHA"),
      ("TLS13-1-2-2021-06", ["tls1_2", "tls1_3"], "ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256"),
      ("TLS13-1-2-Res-2021-06", ["tls1_2", "tls1_3"], "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"),
      ("TLS13-1-3-2021-06", ["tls1_3"], "", ""),
      ("TLS13-1-2-Res-FIPS-2023-04", ["tls1_2", "tls1_3"], "ECDHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256"),
    ])
  func policies(policy: String, versions: [String], good: String, bad: String) async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveTLS(
        targets: [target(server)], tls: .init(certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-" + policy))
      for version in ["tls1", "tls1_1", "tls1_2", "tls1_3"] {
        let output = try await handshake(port, ["-\(version)", "-cipher", "ALL:@SECLEVEL=0"])
        #expect(output.contains("subject=CN = rsa") == versions.contains(version), "\(policy) \(version)")
      }
      guard !good.isEmpty else { return }
      let taken = try await handshake(port, ["-tls1_2", "-cipher", good + ":@SECLEVEL=0"])
      #expect(taken.contains("Cipher is \(good)"), "\(policy)")
      let refused = try await handshake(port, ["-tls1_2", "-cipher", bad + ":@SECLEVEL=0"])
      #expect(!refused.contains("subject="), "\(policy) \(bad)")
      if policy.contains("FIPS") {
        let group = try await handshake(port, ["-tls1_3", "-groups", "X25519"])
        #expect(!group.contains("subject="))
        let suite = try await handshake(port, ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"])
        #expect(!suite.contains("subject="))
      }
    }
  }

  @Test("every policy of the table can be used, those that want a newer library say so")
  func table() throws {
    let library = try TLSLibrary()
    let certificate = try TestCertificates.shared.get().rsa
    for policy in TLSSecurityPolicy.all {
      let description = try TLSDescription(
        listener: "l", .init(certificates: ["rsa"], securityPolicy: policy.name), certificates: ["rsa": certificate],
        trustStores: [:])
      let made = Result { try TLSServerContext(description, library) }
      if case .failure(let error) = made { #expect(policy.isPostQuantum, "\(policy.name): \(error)") }
    }
    #expect(TLSSecurityPolicy.named("ELBSecurityPolicy-2099-01") == nil)
  }

  @Test("sessions are resumed by any loop, also after the configuration changed, in TLS 1.2 and 1.3")
  func resumption() async throws {
    let server = try TestServer { _ in ok("") }
    let folder = try TestCertificates.shared.get().folder
    try await GateFixture.with(loops: 2) { gate in
      let port = try await gate.serveTLS(targets: [target(server)])
      var version: UInt64 = 1
      for flag in ["-tls1_2", "-tls1_3"] {
        let file = "\(folder)/session\(flag)"
        // A request, so that the ticket that follows the handshake is read.
        let first = try await run(
          ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", flag, "-sess_out", file, "-ign_eof"],
          input: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ).output
        #expect(first.contains("New, TLSv1."))
        for _ in 0..<6 {
          version += 1
          #expect(try await gate.serveTLS(version, targets: [target(server)]) == port)
          let again = try await handshake(port, [flag, "-sess_in", file])
          #expect(again.contains("Reused, TLSv1."))
        }
      }
    }
  }

  @Test("ALPN follows the listener's policy")
  func protocols() async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with(loops: 1) { gate in
      var version: UInt64 = 0
      let cases: [(GateSnapshot.ListenerTLS.ALPNPolicy, String, String)] = [
        (.http1Only, "h2,http/1.1", "ALPN protocol: http/1.1"), (.none, "http/1.1", "No ALPN negotiated"),
        (.http1Only, "spdy/1", "No ALPN negotiated"), (.http2Optional, "h2,http/1.1", "ALPN protocol: http/1.1"),
      ]
      for (policy, offered, expected) in cases {
        version += 1
        let port = try await gate.serveTLS(
          version, targets: [target(server)],
          tls: .init(certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06", alpn: policy))
        #expect(try await handshake(port, ["-alpn", offered]).contains(expected), "\(policy)")
      }
    }
  }

  @Test("version and suite are told to targets that want to know, and cannot be forged")
  func headers() async throws {
    let server = try TestServer { message in
      ok("\(message.all("X-Amzn-Tls-Version")) \(message.all("X-Amzn-Tls-Cipher-Suite"))")
    }
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(targets: [target(server)], attributes: .init(tlsHeaders: true))
      let answer = try await onThread {
        let client = try TLSTestClient(port: port)
        try client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Amzn-Tls-Version: SSLv2\r\n\r\n")
        return try client.reader.next()?.text
      }
      #expect(answer == #"["TLSv1.3"] ["TLS_AES_128_GCM_SHA256"]"#)
    }
  }

  @Test("a redirect from https keeps its scheme and port")
  func redirect() async throws {
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(targets: [], action: .redirect(.init(statusCode: 302, path: "/new")))
      let answer = try await getTLS(port)
      #expect(answer["Location"] == "https://shop.test:\(port)/new")
    }
  }

  @Test("the end of an answer is followed by close_notify")
  func closeNotify() async throws {
    let server = try TestServer { _ in ok("last") }
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(targets: [target(server)])
      let (text, hasEnded) = try await onThread {
        let client = try TLSTestClient(port: port)
        try client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let text = try client.reader.next()?.text
        let rest = try client.receive()
        return (text, rest.isEmpty && SSL_get_shutdown(client.session.ssl) & SSL_RECEIVED_SHUTDOWN != 0)
      }
      #expect(text == "last")
      #expect(hasEnded)
    }
  }

  @Test("keys lie only where their owner can read them")
  func modes() async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with { gate in
      // A file of that name with another mode, as if somebody had put it there.
      let loose = open(gate.folder + "/state.new", O_WRONLY | O_CREAT, 0o666)
      fchmod(loose, 0o666)
      close(loose)
      _ = try await gate.serveTLS(targets: [target(server)])
      for path in [gate.folder + "/state", gate.socketPath] {
        let isThere = try await eventually { access(path, F_OK) == 0 }
        #expect(isThere)
        var facts = stat()
        #expect(stat(path, &facts) == 0)
        #expect(facts.st_mode & 0o777 == 0o600, "\(path)")
      }
    }
  }

  @Test("a certificate that cannot be used is reported, and the one before it goes on")
  func badCertificate() async throws {
    let server = try TestServer { _ in ok("served") }
    let made = try TestCertificates.shared.get()
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(targets: [target(server)])
      for broken in [
        GateSnapshot.Certificate(id: "rsa", chain: "", privateKey: ""),
        GateSnapshot.Certificate(id: "rsa", chain: made.rsa.chain, privateKey: made.ecdsa.privateKey),
        GateSnapshot.Certificate(id: "rsa", chain: made.rsa.chain, privateKey: "nonsense"),
      ] {
        await #expect(throws: TestFailure.self) {
          try await gate.serveTLS(2, targets: [target(server)], certificates: [broken])
        }
        #expect(try await getTLS(port).text == "served")
      }
      let error = try await gate.client.status().listener("listener")?.error
      #expect(error?.contains("private key") == true)
    }
  }
}
