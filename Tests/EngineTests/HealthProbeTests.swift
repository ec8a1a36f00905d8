// What a health checker makes of endpoints: good ones, slow ones, broken ones.

import AWSCore
import Certificates
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing

@testable import HealthProbe

/// What a server was asked.
private final class Requests: Sendable {
  private let texts = Mutex<[String]>([])
  var all: [String] { texts.withLock { $0 } }
  func note(_ text: String) { texts.withLock { $0.append(text) } }
}

/// Answers every request with the same bytes.
private final class Canned: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let answer: [UInt8]?
  private let closes: Bool
  private let requests: Requests

  /// - Parameter answer: nil says nothing, ever.
  init(_ answer: [UInt8]?, closes: Bool, _ requests: Requests) {
    self.answer = answer
    self.closes = closes
    self.requests = requests
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let text = String(buffer: unwrapInboundIn(data))
    requests.note(text)
    guard let answer else { return }
    let channel = context.channel
    let sent = context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)))
    if closes { sent.whenComplete { _ in channel.close(promise: nil) } }
  }
}

@Suite("Health probes") struct HealthProbeTests {
  /// A server on a port of its own while `body` runs.
  private func withServer(
    _ answer: String?, closes: Bool = true, tls: NIOSSLContext? = nil,
    _ body: (_ port: Int, _ requests: Requests) async throws -> Void
  ) async throws {
    try await withServer(bytes: answer.map { Array($0.utf8) }, closes: closes, tls: tls, body)
  }

  private func withServer(
    bytes answer: [UInt8]?, closes: Bool = true, tls: NIOSSLContext? = nil,
    _ body: (_ port: Int, _ requests: Requests) async throws -> Void
  ) async throws {
    let requests = Requests()
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
          try pipeline.addHandler(Canned(answer, closes: closes, requests))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(channel.localAddress?.port ?? 0, requests))
    } catch {
      outcome = .failure(error)
    }
    try await channel.close().get()
    try outcome.get()
  }

  private func probe(
    _ port: Int, _ kind: Probe.Kind = .http, host: String = "127.0.0.1", search: String? = nil,
    limits: Probe.Limits = .init(connect: 4000)
  ) async -> ProbeAnswer {
    await Prober().probe(
      Probe(
        kind, host: host, port: port, hostHeader: "www.example.com", path: "/ok?a=b", userAgent: "Checker",
        serverName: "www.example.com", searchString: search, limits: limits))
  }

  @Test(
    "the status decides, whatever it is",
    arguments: [
      ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200), ("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n", 301),
      ("HTTP/1.0 503 Busy\r\n\r\n", 503), ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n", 204),
    ])
  func statuses(answer: String, status: Int) async throws {
    try await withServer(answer) { port, requests in
      let told = await probe(port)
      #expect(told.outcome == .status(status) && told.address == "127.0.0.1")
      #expect(told.connectTime != nil && told.firstByteTime != nil && told.handshakeTime == nil)
      let request = requests.all.first ?? ""
      #expect(request.hasPrefix("GET /ok?a=b HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Checker\r\n"))
    }
  }

  @Test("a status is enough: the rest of a body that never ends is not waited for")
  func headIsEnough() async throws {
    try await withServer("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx", closes: false) { port, _ in
      #expect(await probe(port).outcome == .status(200))
    }
  }

  @Test(
    "what is searched for is found within the first 5,120 bytes of the body, however that is framed",
    arguments: [
      ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall green", true),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nall gr\r\n3\r\neen\r\n0\r\n\r\n", true),
      ("HTTP/1.1 200 OK\r\n\r\nall green", true), ("HTTP/1.1 200 OK\r\n\r\nall red", false),
      ("HTTP/1.1 200 OK\r\n\r\n\(String(repeating: " ", count: 5115))green", true),
      ("HTTP/1.1 200 OK\r\n\r\n\(String(repeating: " ", count: 5116))green", false),
      ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nreden", false),
      ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
    ])
  func search(answer: String, isFound: Bool) async throws {
    try await withServer(answer) { port, _ in
      let told = await probe(port, search: "green")
      #expect(told.outcome == (isFound ? .status(200) : .notFound(status: 200)))
    }
  }

  @Test("a status that fails is told without a look at the body")
  func searchNeedsSuccess() async throws {
    try await withServer("HTTP/1.1 500 No\r\n\r\ngreen") { port, _ in
      #expect(await probe(port, search: "green").outcome == .status(500))
    }
  }

  @Test(
    "what is no answer fails, and why is told",
    arguments: [
      ("HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n", ProbeAnswer.Failure.malformed), ("nonsense nonsense", .malformed),
      ("HTTP/1.1 200", .closed),
    ])
  func broken(answer: String, failure: ProbeAnswer.Failure) async throws {
    try await withServer(answer) { port, _ in #expect(await probe(port).outcome == .failed(failure)) }
  }

  @Test("an endpoint that says nothing, or does not end its body, is given up")
  func limits() async throws {
    let short = Probe.Limits(connect: 4000, answer: 1, body: 1)
    try await withServer(nil) { port, _ in
      #expect(await probe(port, limits: short).outcome == .failed(.answerTimeout))
    }
    try await withServer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall", closes: false) { port, _ in
      let told = await probe(port, search: "green", limits: .init(connect: 4000, body: 1))
      #expect(told.outcome == .failed(.bodyTimeout))
    }
  }

  @Test("TCP asks for a connection and nothing else; a closed port refuses it")
  func tcp() async throws {
    try await withServer(nil) { open, requests in
      #expect(await probe(open, .tcp).outcome == .connected)
      #expect(requests.all.isEmpty)
    }
    // Bound and not listened on: it refuses, and nobody else can get it meanwhile.
    let closed = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(closed) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutableBytes(of: &address) { bytes -> Int32 in
      guard let place = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return -1 }
      return bind(closed, place, length) == 0 ? getsockname(closed, place, &length) : -1
    }
    try #require(bound == 0)
    let port = Int(UInt16(bigEndian: address.sin_port))
    #expect(await probe(port, .tcp).outcome == .failed(.refused))
    #expect(await probe(port, .http, host: "localhost").outcome == .failed(.refused))
  }

  @Test("HTTPS takes any certificate, and fails where nobody speaks TLS")
  func https() async throws {
    let folder = NSTemporaryDirectory() + "probe-\(SystemIdentifiers().hex(8))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let now = Timestamp(seconds: Date().timeIntervalSince1970)
    let files = try CertificateAuthority(directory: folder).endpointFiles(now: now)
    let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { NIOSSLCertificateSource.certificate($0) }
    let key = try NIOSSLPrivateKey(file: files.key, format: .pem)
    let context = try NIOSSLContext(
      configuration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key)))
    try await withServer("HTTP/1.1 200 OK\r\n\r\nall green", tls: context) { port, _ in
      let told = await probe(port, .https, search: "green")
      #expect(told.outcome == .status(200) && told.handshakeTime != nil)
    }
    try await withServer("no TLS here, whatever you say") { port, _ in
      guard case .failed(.tls) = await probe(port, .https).outcome else {
        Issue.record("a handshake with a server without TLS succeeded")
        return
      }
    }
  }

  @Test("whatever an endpoint answers, a probe comes to its end", arguments: 0..<8)
  func fuzz(round: UInt64) async throws {
    var seed = round &* 0x9E37_79B9_7F4A_7C15 &+ 1
    func random(_ bound: Int) -> Int {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(seed >> 33) % bound
    }
    let sound = [
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall green", "HTTP/1.0 204 None\r\nServer: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nall gr\r\n3;x=y\r\neen\r\n0\r\nT: 1\r\n\r\n",
      "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    ].map { Array($0.utf8) }
    for _ in 0..<25 {
      var bytes = sound[random(sound.count)]
      for _ in 0...random(4) {
        let at = random(bytes.count)
        switch random(3) {
        case 0: bytes[at] = UInt8(random(256))
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random(4)))
        default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + random(9))], at: random(bytes.count + 1))
        }
        if bytes.isEmpty { bytes = [0] }
      }
      let answer = bytes
      try await withServer(bytes: answer) { port, _ in
        let told = await probe(port, search: "green")
        switch told.outcome {
        case .status(let status), .notFound(let status): #expect((200...599).contains(status))
        case .failed: break
        case .connected: Issue.record("HTTP is more than a connection")
        }
      }
    }
  }
}
