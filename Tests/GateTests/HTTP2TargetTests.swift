// Targets that speak HTTP/2 and gRPC: hand-made servers, and what they see.
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore
@testable import HTTPWire

private typealias Wire = HTTP2Wire

/// A whole request as an HTTP/2 target got it.
struct HTTP2Request: Sendable {
  var stream: UInt32
  var fields: [String] = []
  var body: [UInt8] = []
  var trailers: [String] = []

  subscript(name: String) -> String? {
    fields.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.utf8.count + 2)) }
  }
  var path: String { self[":path"] ?? "" }
}

/// The server's end of one connection, which gives requests as they are complete.
private final class ServerWire {
  let wire: HTTP2Wire
  private var requests: [UInt32: HTTP2Request] = [:]
  /// Streams that the client reset.
  private(set) var resets: [UInt32] = []

  init(_ socket: RawSocket, settings: [(HTTP2.Setting, UInt32)] = []) throws {
    wire = HTTP2Wire(socket)
    try wire.takePreface()
    try wire.send(Wire.settings(settings))
  }

  /// The next frame, taken into its request; nil at the end.
  func step() throws -> (frame: Frame, request: HTTP2Request?)? {
    guard let frame = try wire.next() else { return nil }
    switch frame.type {
    case .headers:
      let fields = try wire.fields(frame.payload)
      if requests[frame.stream] == nil {
        requests[frame.stream] = HTTP2Request(stream: frame.stream, fields: fields)
      } else {
        requests[frame.stream]?.trailers = fields
      }
    case .data:
      requests[frame.stream]?.body += frame.payload
      if !frame.payload.isEmpty {
        let update = Wire.number(UInt32(frame.payload.count))
        try wire.send(Wire.frame(.windowUpdate, 0, 0, update), Wire.frame(.windowUpdate, 0, frame.stream, update))
      }
    case .resetStream: resets.append(frame.stream)
    case .settings where frame.flags & 1 == 0: try wire.send(Wire.frame(.settings, 1, 0))
    case .ping where frame.flags & 1 == 0: try wire.send(Wire.frame(.ping, 1, 0, frame.payload))
    default: break
    }
    return (frame, frame.endsStream ? requests.removeValue(forKey: frame.stream) : nil)
  }

  func next() throws -> HTTP2Request? {
    while let (_, request) = try step() { if let request { return request } }
    return nil
  }
}

extension HTTP2Wire {
  /// An answer with a body.
  static func answer(_ stream: UInt32, _ body: String, _ fields: [(String, String)] = []) -> [UInt8] {
    headers(stream, [(":status", "200")] + fields, end: false) + data(stream, Array(body.utf8))
  }

  /// A gRPC answer: one message and trailers.
  static func grpcAnswer(_ stream: UInt32, _ message: [UInt8], status: Int = 0) -> [UInt8] {
    headers(stream, [(":status", "200"), ("content-type", "application/grpc")], end: false)
      + data(stream, grpc(message), end: false) + headers(stream, [("grpc-status", "\(status)"), ("x-end", "1")])
  }

  /// A message with gRPC's five bytes in front.
  static func grpc(_ message: [UInt8]) -> [UInt8] { [0] + number(UInt32(message.count)) + message }

  static func call(_ stream: UInt32, _ path: String, end: Bool = false) -> [UInt8] {
    request(stream, path, method: "POST", [("content-type", "application/grpc+proto"), ("te", "trailers")], end: end)
  }
}

private func group(
  _ version: GateSnapshot.TargetGroup.ProtocolVersion, _ check: GateSnapshot.HealthCheck = .init(probe: .none)
) -> GateSnapshot.TargetGroup {
  GateSnapshot.TargetGroup(id: "tg", healthCheck: check, protocolVersion: version)
}

@Suite("HTTP/2 targets", .timeLimit(.minutes(2)))
struct HTTP2TargetTests {
  @Test("many streams share one connection to the target, with what a load balancer adds, trailers both ways")
  func shared() async throws {
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket)
      var held: [HTTP2Request] = []
      while let request = try server.next() {
        // Answers in the wrong order, once all are there.
        held.append(request)
        if held.count < 20 { continue }
        for request in held.reversed() {
          let text = request.fields.joined(separator: "\n") + "\n" + String(decoding: request.body, as: UTF8.self)
          try server.wire.send(
            Wire.headers(request.stream, [(":status", "200"), ("x-path", request.path)], end: false),
            Wire.data(request.stream, Array(text.utf8), end: false),
            Wire.headers(request.stream, [("x-trailer", request.trailers.joined())]))
        }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group(.http2))
      let answers = try await onThread {
        let wire = try Wire(port: port)
        for number in 0..<20 as Range<UInt32> {
          try wire.send(
            Wire.request(number * 2 + 1, "/\(number)", method: "POST", [("x-a", "b")], end: false),
            Wire.data(number * 2 + 1, Array("body \(number)".utf8), end: false),
            Wire.headers(number * 2 + 1, [("x-sum", "s\(number)")]))
        }
        return try (0..<20 as Range<UInt32>).map { try wire.answer($0 * 2 + 1) }
      }
      for (number, answer) in answers.enumerated() {
        #expect(answer.status == 200 && answer["x-path"] == "/\(number)")
        #expect(answer.trailers == ["x-trailer: x-sum: s\(number)"])
        let lines = answer.text.split(separator: "\n").map(String.init)
        #expect(lines.last == "body \(number)")
        for line in [
          ":method: POST", ":scheme: http", ":authority: shop.test:\(port)", "x-a: b", "x-forwarded-for: 127.0.0.1",
          "x-forwarded-proto: http",
        ] { #expect(lines.contains(line), "\(line)") }
      }
      #expect(server.connections == 1)
      let statistics = try await gate.client.statistics()
      #expect(statistics.targets[0].requests == 20 && statistics.targets[0].activeRequests == 0)
      #expect(statistics.targets[0].connections == 1)
    }
  }

  @Test("large bodies pass both ways, and a client that does not read stops only its own stream")
  func bodies() async throws {
    let big = 3 << 20
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket)
      var windows: [UInt32: Int] = [:]
      var connection = 65_535
      var left: [UInt32: Int] = [:]
      while let (frame, request) = try server.step() {
        if let request {
          windows[request.stream, default: 65_535] += 0
          try server.wire.send(Wire.headers(request.stream, [(":status", "200")], end: false))
          left[request.stream] = request.path == "/big" ? big : request.body.count
        } else if frame.type == .windowUpdate {
          if frame.stream == 0 {
            connection += Int(frame.number)
          } else {
            windows[frame.stream, default: 65_535] += Int(frame.number)
          }
        }
        for (stream, rest) in left {
          var rest = rest
          while rest > 0 {
            let count = min(rest, 16_384, windows[stream] ?? 0, connection)
            if count <= 0 { break }
            rest -= count
            windows[stream, default: 0] -= count
            connection -= count
            try server.wire.send(Wire.data(stream, .init(repeating: 0x62, count: count), end: rest == 0))
          }
          left[stream] = rest == 0 ? nil : rest
        }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group(.http2))
      let counts = try await onThread {
        let wire = try Wire(port: port)
        // Nobody reads the first one.
        wire.credits = false
        try wire.send(Wire.frame(.windowUpdate, 0, 0, Wire.number(1 << 30)), Wire.request(1, "/big"))
        try wire.send(Wire.request(3, "/echo", method: "POST", end: false))
        for part in 0..<3 { try wire.send(Wire.data(3, .init(repeating: 0x61, count: 16_000), end: part == 2)) }
        let echo = try wire.answer(3).body.count
        try wire.send(Wire.frame(.windowUpdate, 0, 1, Wire.number(1 << 30)))
        return [echo, try wire.answer(1).body.count]
      }
      #expect(counts == [48_000, big])
    }
  }

  @Test("gRPC calls keep their trailers and statuses, also when there is nothing but trailers")
  func grpc() async throws {
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket)
      while let request = try server.next() {
        if request["te"] != "trailers" || request["content-type"] != "application/grpc+proto" {
          try server.wire.send(Wire.headers(request.stream, [(":status", "200"), ("grpc-status", "3")]))
        } else if request.path == "/shop.Cart/Fail" {
          try server.wire.send(
            Wire.headers(
              request.stream,
              [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "5"), ("grpc-message", "no")]))
        } else {
          try server.wire.send(Wire.grpcAnswer(request.stream, Array(request.body.dropFirst(5).reversed())))
        }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group(.grpc))
      let answers = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(
          Wire.call(1, "/shop.Cart/Add"), Wire.data(1, Wire.grpc([1, 2, 3])), Wire.call(3, "/shop.Cart/Fail"),
          Wire.data(3, Wire.grpc([])))
        return [try wire.answer(1), try wire.answer(3)]
      }
      #expect(answers[0].body == Wire.grpc([3, 2, 1]))
      #expect(answers[0].trailers == ["grpc-status: 0", "x-end: 1"])
      #expect(answers[1]["grpc-status"] == "5" && answers[1]["grpc-message"] == "no")
      // What a gRPC target cannot take (464), and a target group without targets.
      #expect(try await http2(port, Wire.request(1)).status == 464)
      #expect(try await http2(port, Wire.request(1, "/", method: "POST", end: true)).status == 464)
      #expect(try await get(port).status == 464)
      _ = try await gate.serveHTTP2(2, targets: [], group: group(.grpc))
      #expect(try await http2(port, Wire.call(1, "/a/b", end: true)).status == 503)
      _ = try await gate.serveHTTP2(3, targets: [target(server)], group: group(.http1))
      #expect(try await http2(port, Wire.call(1, "/a/b", end: true)).status == 464)
    }
  }

  @Test("a stream of messages passes as it comes, both ways at once")
  func streaming() async throws {
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket)
      while let (frame, _) = try server.step() {
        if frame.type == .headers {
          try server.wire.send(
            Wire.headers(frame.stream, [(":status", "200"), ("content-type", "application/grpc")], end: false))
        } else if frame.type == .data {
          if !frame.payload.isEmpty { try server.wire.send(Wire.data(frame.stream, frame.payload, end: false)) }
          if frame.endsStream { try server.wire.send(Wire.headers(frame.stream, [("grpc-status", "0")])) }
        }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group(.grpc))
      let (echoes, trailers) = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(Wire.call(1, "/chat/Talk"))
        var echoes = 0
        for number in 0..<50 {
          try wire.send(Wire.data(1, Wire.grpc([UInt8(number)]), end: false))
          while let frame = try wire.next() {
            try wire.take(frame)
            if frame.type == .data, frame.payload == Wire.grpc([UInt8(number)]) {
              echoes += 1
              break
            }
          }
        }
        try wire.send(Wire.data(1, []))
        return (echoes, try wire.answer(1).trailers)
      }
      #expect(echoes == 50 && trailers == ["grpc-status: 0"])
    }
  }

  @Test("a client's reset reaches the target's stream and leaves the others alone")
  func cancel() async throws {
    let canceled = ResultBox<UInt32>()
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket)
      while let (_, request) = try server.step() {
        if let stream = server.resets.first { canceled.set(.success(stream)) }
        if let request, request.path != "/wait" { try server.wire.send(Wire.answer(request.stream, "fine")) }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group(.http2))
      let text = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(Wire.request(1, "/wait"), Wire.request(3, "/"))
        _ = try wire.answer(3)
        try wire.send(Wire.frame(.resetStream, 0, 1, Wire.number(8)), Wire.request(5, "/"))
        return try wire.answer(5).text
      }
      #expect(text == "fine")
      #expect(try await canceled.get() == 1)
      #expect(server.connections == 1)
      #expect(try await gate.client.statistics().targets[0].activeRequests == 0)
    }
  }

  @Test("what a target refuses or leaves behind goes elsewhere, what it breaks off is 502")
  func refusals() async throws {
    let calls = Counter()
    let server = try TestServer { socket, _ in
      calls.add(1)
      let isFirst = calls.value == 1
      let server = try ServerWire(socket)
      while let request = try server.next() {
        switch request.path {
        case "/refuse" where isFirst:
          try server.wire.send(Wire.frame(.resetStream, 0, request.stream, Wire.number(7)))
          try server.wire.send(Wire.frame(.goAway, 0, 0, Wire.number(request.stream) + Wire.number(0)))
        case "/reset": try server.wire.send(Wire.frame(.resetStream, 0, request.stream, Wire.number(2)))
        case "/half":
          try server.wire.send(
            Wire.headers(request.stream, [(":status", "200")], end: false),
            Wire.frame(.resetStream, 0, request.stream, Wire.number(2)))
        case "/close": return
        case "/bad": try server.wire.send(Wire.headers(request.stream, [("x", "no status")]))
        default: try server.wire.send(Wire.answer(request.stream, request.path))
        }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group(.http2))
      let answers = try await onThread {
        let wire = try Wire(port: port)
        var answers: [HTTP2Answer] = []
        var stream: UInt32 = 1
        for (path, method) in [
          ("/refuse", "POST"), ("/reset", "GET"), ("/half", "GET"), ("/bad", "GET"), ("/close", "POST"), ("/", "GET"),
        ] {
          try wire.send(Wire.request(stream, path, method: method))
          answers.append(try wire.answer(stream))
          stream += 2
        }
        return answers
      }
      #expect(answers.map(\.status) == [200, 502, 200, 502, 502, 200])
      #expect(answers[2].reset == 2)
      #expect(answers[0].text == "/refuse" && answers[5].text == "/")
    }
    let dead = try TestServer { _ in ok("") }
    dead.kill()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(dead)], group: group(.http2))
      #expect(try await http2(port, Wire.request(1)).status == 502)
    }
  }

  @Test("more requests than a connection takes open another")
  func pool() async throws {
    let waiting = Counter()
    let both = EndBox()
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket, settings: [(.maxConcurrentStreams, 1)])
      while let request = try server.next() {
        if request.path != "/first" {
          // Answered when both are there, which one connection alone does not take.
          waiting.add(1)
          if waiting.value == 2 { both.end() }
          both.waitBlocking()
          both.end()
        }
        try server.wire.send(Wire.answer(request.stream, request.path))
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], group: group(.http2))
      let texts = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(Wire.request(1, "/first"))
        var texts = [try wire.answer(1).text]
        for number in 1...2 as ClosedRange<UInt32> { try wire.send(Wire.request(number * 2 + 1, "/\(number)")) }
        for number in 1...2 as ClosedRange<UInt32> { texts.append(try wire.answer(number * 2 + 1).text) }
        return texts
      }
      #expect(texts == ["/first", "/1", "/2"])
    }
  }

  @Test("health checks over HTTP/2 and gRPC go over TLS as well")
  func secureHealth() async throws {
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket)
      while let request = try server.next() {
        if request[":method"] == "GET" {
          try server.wire.send(Wire.answer(request.stream, String(repeating: "x", count: 30_000)))
        } else {
          try server.wire.send(Wire.grpcAnswer(request.stream, Array(repeating: 1, count: 3), status: 12))
        }
      }
    }
    let plain = try TestServer { _ in ok("") }
    let certificates = try TestCertificates.shared.get().all
    // The targets are listeners of another Gate, in front of servers without TLS.
    try await GateFixture.with(loops: 1) { front in
      let groups = [GateSnapshot.TargetGroup.ProtocolVersion.http2, .grpc].map { version in
        GateSnapshot.TargetGroup(
          id: version.rawValue, targets: [target(server)], healthCheck: .init(probe: .none), protocolVersion: version)
      }
      let status = try await front.client.apply(
        GateSnapshot(
          version: 1,
          loadBalancers: [
            .init(
              id: "lb", address: "127.0.0.1",
              listeners: groups.map { group in
                .init(
                  id: group.id, port: 0, transport: .https,
                  tls: .init(
                    certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06", alpn: .http2Preferred),
                  defaultAction: .forward(to: group.id))
              })
          ], targetGroups: groups, certificates: certificates))
      for (probe, version, matcher, isHealthy) in [
        (GateSnapshot.HealthCheck.Probe.http2s, GateSnapshot.TargetGroup.ProtocolVersion.http2, "200", true),
        (.http2s, .http2, "204", false), (.grpcs, .grpc, "12", true), (.grpcs, .grpc, "0", false),
      ] {
        let port = try #require(status.listener(version.rawValue)?.port)
        let check = GateSnapshot.HealthCheck(
          probe: probe, path: "/health", interval: 0.2, timeout: 2, healthyThreshold: 2, unhealthyThreshold: 2,
          matcher: matcher)
        try await GateFixture.with(loops: 1) { gate in
          _ = try await gate.serve(
            targets: [.init(address: "127.0.0.1", port: port), target(plain)],
            group: .init(id: "tg", healthCheck: check, transport: .https, protocolVersion: version))
          let isSo = try await eventually(seconds: 20) {
            let health = try await gate.client.health()
            return health.map(\.state) == [isHealthy ? .healthy : .unhealthy, .unhealthy]
              && health[0].reason == (isHealthy ? nil : .responseCodeMismatch)
          }
          let last = try await gate.client.health()
          #expect(isSo, "\(probe) \(matcher): \(last)")
        }
      }
    }
  }

  @Test("health checks ask as gRPC does and compare its status; over HTTP/2 they compare HTTP's")
  func health() async throws {
    let asked = ResultBox<HTTP2Request>()
    let server = try TestServer { socket, _ in
      let server = try ServerWire(socket)
      while let request = try server.next() {
        if request[":method"] == "POST" { asked.set(.success(request)) }
        if request[":method"] == "GET" {
          try server.wire.send(Wire.headers(request.stream, [(":status", "204")]))
        } else {
          try server.wire.send(
            Wire.headers(
              request.stream, [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")]))
        }
      }
    }
    for (probe, path, matcher, isHealthy) in [
      (GateSnapshot.HealthCheck.Probe.grpc, "/AWS.ALB/healthcheck", "12", true),
      (.grpc, "/AWS.ALB/healthcheck", "0-99", true),
      (.grpc, "/AWS.ALB/healthcheck", "0", false), (.http2, "/health", "200-299", true),
      (.http2, "/health", "200", false),
    ] {
      let check = GateSnapshot.HealthCheck(
        probe: probe, path: path, interval: 0.1, timeout: 1, healthyThreshold: 2, unhealthyThreshold: 2,
        matcher: matcher)
      try await GateFixture.with(loops: 1) { gate in
        _ = try await gate.serveHTTP2(
          targets: [target(server)], group: group(probe == .grpc ? .grpc : .http2, check))
        let wanted = isHealthy ? GateTargetHealth.State.healthy : .unhealthy
        let isSo = try await eventually { try await gate.client.health().first?.state == wanted }
        #expect(isSo, "\(probe) \(matcher)")
      }
    }
    let request = try await asked.get()
    #expect(request.path == "/AWS.ALB/healthcheck" && request[":method"] == "POST" && request[":scheme"] == "http")
    #expect(request["content-type"] == "application/grpc" && request.body == [0, 0, 0, 0, 0])
  }
}
