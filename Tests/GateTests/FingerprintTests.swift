// Fingerprints of real clients' hellos, beside those that an implementation in another language makes of the same hello.
import GateProtocol
import Glibc
import Testing
import WebACL

@testable import GateCore

@Suite("Fingerprints of TLS clients", .timeLimit(.minutes(2)))
struct GateFingerprintTests {
  /// JA3 and JA4 of the records in hexadecimal digits on standard input, after the descriptions of both.
  private static let reference = """
    import hashlib, sys
    data, message = bytes.fromhex(sys.stdin.read()), b""
    while data:
        size = int.from_bytes(data[3:5], "big")
        message += data[5 : 5 + size]
        data = data[5 + size :]

    def take(data, size):
        length = int.from_bytes(data[:size], "big")
        return data[size : size + length], data[size + length :]

    def numbers(data):
        values = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
        return [value for value in values if value & 0x0F0F != 0x0A0A]

    body = message[4:]
    version = int.from_bytes(body[:2], "big")
    _, rest = take(body[34:], 1)
    suites, rest = take(rest, 2)
    suites = numbers(suites)
    _, rest = take(rest, 1)
    rest, _ = take(rest, 2)
    kinds = {}
    while rest:
        kind = int.from_bytes(rest[:2], "big")
        content, rest = take(rest[2:], 2)
        if kind & 0x0F0F != 0x0A0A:
            kinds[kind] = content
    groups = numbers(kinds[10][2:]) if 10 in kinds else []
    formats = list(kinds[11][1:]) if 11 in kinds else []
    lists = [suites, list(kinds), groups, formats]
    ja3 = ",".join([str(version)] + ["-".join(map(str, values)) for values in lists])

    highest = max(numbers(kinds[43][1:])) if 43 in kinds else version
    name = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10"}[highest]
    first = take(take(kinds[16], 2)[0], 1)[0].decode() if 16 in kinds else ""
    application = first[0] + first[-1] if first else "00"
    head = f"t{name}{'d' if 0 in kinds else 'i'}{len(suites):02}{len(kinds):02}{application}"
    text = ",".join(f"{value:04x}" for value in sorted(suites))
    more = ",".join(f"{value:04x}" for value in sorted(set(kinds) - {0, 16}))
    if 13 in kinds:
        more += "_" + ",".join(f"{value:04x}" for value in numbers(kinds[13][2:]))
    hashes = [hashlib.sha256(value.encode()).hexdigest()[:12] for value in (text, more)]
    print(hashlib.md5(ja3.encode()).hexdigest(), "_".join([head] + hashes))
    """

  /// The first bytes that a client sends to a server, and what the reference makes of them.
  private func expected(_ client: (UInt16) -> [String]) async throws -> [String] {
    let box = Box()
    let server = try TestServer { socket, _ in
      var bytes: [UInt8] = []
      while bytes.count < 5 || bytes.count < 5 + (Int(bytes[3]) << 8 | Int(bytes[4])) {
        let more = try socket.receive()
        if more.isEmpty { break }
        bytes += more
      }
      box.set(bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())
    }
    _ = try await run(client(server.port))
    let hello = await box.value
    let (status, output) = try await run(["python3", "-c", Self.reference], input: hello)
    #expect(status == 0, "\(output)")
    return output.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  /// A value that a thread sets and a task waits for.
  private final class Box: Sendable {
    private let stream: (AsyncStream<String>, AsyncStream<String>.Continuation) = AsyncStream.makeStream()

    func set(_ value: String) { stream.1.yield(value) }

    var value: String { get async { await stream.0.first { _ in true } ?? "" } }
  }

  private static func block(_ field: WebACL.Field, _ text: String) -> WebACL {
    var acl = WebACL(
      id: "acl",
      rules: [.init(name: "r", priority: 0, .byteMatch(WebACL.Inspection(field), .exactly, Array(text.utf8)), .block())]
    )
    acl.loadBalancers = ["lb"]
    return acl
  }

  /// Clients that write their answer's status.
  private static let clients: [@Sendable (UInt16) -> [String]] = [
    { ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-m", "30", "https://localhost:\($0)/"] },
    {
      [
        "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-m", "30", "--http1.1", "--tls-max", "1.2",
        "https://127.0.0.1:\($0)/",
      ]
    },
    {
      [
        "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-m", "30", "--no-alpn", "--curves", "P-256:X25519",
        "https://127.0.0.1:\($0)/",
      ]
    },
  ]

  @Test("what curl says is known by the values that another implementation finds", arguments: 0..<3)
  func curl(_ index: Int) async throws {
    let client = Self.clients[index]
    let values = try await expected(client)
    #expect(values.count == 2)
    let (ja3, ja4) = (values.first ?? "", values.last ?? "")
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with { gate in
      let acls = [
        Self.block(.ja3(fallback: false), ja3), Self.block(.ja4(fallback: false), ja4),
        Self.block(.ja4(fallback: true), "other"),
      ]
      for (version, (acl, status)) in zip(acls, ["403", "403", "200"]).enumerated() {
        let port = try await gate.serveTLS(UInt64(version + 1), targets: [target(server)], webACLs: [acl])
        #expect(try await run(client(port)).output == status, "\(values)")
      }
    }
  }

  @Test("a client that must repeat its hello is known by the first one")
  func repeated() async throws {
    // The listener's groups do not have the one for which a key share comes: a hello retry request.
    func client(_ port: UInt16) -> [String] {
      ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-groups", "X448:X25519", "-ign_eof", "-quiet"]
    }
    let values = try await expected(client)
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with { gate in
      let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      let port = try await gate.serveTLS(
        targets: [target(server)], webACLs: [Self.block(.ja4(fallback: false), values.last ?? "")])
      #expect(try await run(client(port), input: request).output.contains("HTTP/1.1 403"))
      let other = try await gate.serveTLS(
        2, targets: [target(server)], webACLs: [Self.block(.ja4(fallback: false), "other")])
      #expect(try await run(client(other), input: request).output.contains("HTTP/1.1 200"))
    }
  }

  @Test("the log tells both fingerprints; without TLS there are none, and rules fall back")
  func logged() async throws {
    let server = try TestServer { _ in ok("") }
    var acl = WebACL(id: "acl", rules: [])
    acl.loadBalancers = ["lb"]
    acl.logging = WebACL.Logging()
    let wanted = acl
    let values = try await expected(Self.clients[0])
    try await GateFixture.with { gate in
      let events = try await gate.client.events()
      let port = try await gate.serveTLS(targets: [target(server)], webACLs: [wanted])
      #expect(try await run(Self.clients[0](port)).output == "200")
      var line = ""
      for await event in events {
        guard case .webACL(let news) = event, let found = news.lines.first else { continue }
        line = found.text
        break
      }
      #expect(
        line.contains(",\"ja3Fingerprint\":\"\(values.first ?? "")\",\"ja4Fingerprint\":\"\(values.last ?? "")\""))
      for (version, (fallback, status)) in [(true, 403), (false, 200)].enumerated() {
        let group = GateSnapshot.TargetGroup(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none))
        let listener = GateSnapshot.Listener(id: "plain", port: 0, defaultAction: .forward(to: "tg"))
        var snapshot = GateSnapshot(
          version: UInt64(version + 2), loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: [listener])],
          targetGroups: [group])
        snapshot.webACLs = [Self.block(.ja3(fallback: fallback), "x")]
        let plain = try await gate.client.apply(snapshot).listener("plain")?.port
        #expect(try await get(try #require(plain)).status == status)
      }
    }
  }

  @Test("a hello in the smallest records, byte by byte, is read whole")
  func pieces() async throws {
    let server = try TestServer { _ in ok("") }
    let client = Self.clients[1]
    let values = try await expected(client)
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(
        targets: [target(server)], webACLs: [Self.block(.ja3(fallback: false), values.first ?? "")])
      // Between the client and the Gate somebody who cuts the hello into a record for each byte.
      let cutter = try TestServer { socket, _ in
        let ahead = try RawSocket(port: port)
        var bytes = try socket.receive()
        while bytes.count < 5 + (Int(bytes[3]) << 8 | Int(bytes[4])) { bytes += try socket.receive() }
        for byte in bytes[5...] { try ahead.send([22, 3, 1, 0, 1, byte]) }
        startThread { while let more = try? socket.receive(), !more.isEmpty { try? ahead.send(more) } }
        while true {
          let more = try ahead.receive()
          if more.isEmpty { return }
          try socket.send(more)
        }
      }
      #expect(try await run(client(cutter.port)).output == "403")
    }
  }
}
