// Connects, asks, and tells what came of it.

import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// Carries probes out, any number at once. All of them share one event loop.
public struct Prober: Sendable {
  private let loop: any EventLoop

  public init() { loop = MultiThreadedEventLoopGroup.singleton.next() }

  /// Asks an endpoint once. Nothing is thrown: whatever goes wrong is the answer.
  public func probe(_ probe: Probe) async -> ProbeAnswer {
    guard let address = await Self.resolve(probe.host, probe.port) else { return ProbeAnswer(.failed(.unresolved)) }
    let promise = loop.makePromise(of: ProbeAnswer.self)
    let started = NIODeadline.now()
    let name = address.ipAddress
    ClientBootstrap(group: loop)
      .connectTimeout(.milliseconds(Int64(probe.limits.connect)))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try Self.prepare(channel.pipeline.syncOperations, probe, started, promise)
        }
      }
      .connect(to: address)
      .whenFailure { error in promise.succeed(ProbeAnswer(.failed(Self.failure(error)))) }
    // The promise is kept by the handler in any case: an answer, a time limit, or the connection's end.
    let answer = try? await promise.futureResult.get()
    var told = answer ?? ProbeAnswer(.failed(.closed))
    told.address = name
    return told
  }

  private static func prepare(
    _ pipeline: ChannelPipeline.SynchronousOperations, _ probe: Probe, _ started: NIODeadline,
    _ promise: EventLoopPromise<ProbeAnswer>
  ) throws {
    if probe.kind == .https {
      let serverName = probe.serverName.flatMap { Self.isAddress($0) ? nil : $0 }
      try pipeline.addHandler(NIOSSLClientHandler(context: tls.get(), serverHostname: serverName))
    }
    try pipeline.addHandler(ProbeHandler(probe, started, promise))
  }

  /// Any certificate will do: a health check asks whether somebody answers.
  private static let tls = Result {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .none
    configuration.minimumTLSVersion = .tlsv1
    return try NIOSSLContext(configuration: configuration)
  }

  private static func isAddress(_ text: String) -> Bool { (try? SocketAddress(ipAddress: text, port: 0)) != nil }

  /// The address itself, or the first IPv4 address of a name. Looking one up blocks, so it has a thread.
  private static func resolve(_ host: String, _ port: Int) async -> SocketAddress? {
    if let literal = try? SocketAddress(ipAddress: host, port: port) { return literal }
    let found = try? await NIOThreadPool.singleton.runIfActive { lookUp(host, port) }
    return found ?? nil
  }

  private static func lookUp(_ host: String, _ port: Int) -> SocketAddress? {
    var hints = addrinfo()
    hints.ai_family = AF_INET
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = list else { return nil }
    defer { freeaddrinfo(list) }
    return first.pointee.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
  }

  private static func failure(_ error: any Error) -> ProbeAnswer.Failure {
    if let error = error as? ChannelError, case .connectTimeout = error { return .connectTimeout }
    guard let error = error as? IOError else { return .unreachable("\(error)") }
    switch error.errnoCode {
    case ECONNREFUSED: return .refused
    case ETIMEDOUT: return .connectTimeout
    default: return .unreachable(String(cString: strerror(error.errnoCode)))
    }
  }
}
