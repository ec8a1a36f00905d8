// The endpoint's sockets: one port for plain HTTP and TLS, each request handed to the chain.

import AWSCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceKit

/// The endpoint of all AWS APIs and of Castle's own paths.
public struct EdgeServer: Sendable {
  public struct Configuration: Sendable {
    public var listener: EdgeListener
    public var tls: NIOSSLContext?
    public init(listener: EdgeListener, tls: NIOSSLContext?) {
      self.listener = listener
      self.tls = tls
    }
  }

  /// Connections that wait to be accepted.
  private static let backlog: Int32 = 4096

  let configuration: Configuration
  let chain: RequestChain
  let logger: Logger

  public init(configuration: Configuration, chain: RequestChain, logger: Logger) {
    self.configuration = configuration
    self.chain = chain
    // Hummingbird reports each connection that its client cut as an error; nobody can do anything about it.
    var quiet = logger
    quiet.logLevel = .critical
    self.logger = quiet
  }

  /// Serves until the task is cancelled.
  /// - Parameter onBound: told the endpoint's URL, once requests are taken.
  /// - Throws: when the port cannot be bound.
  public func run(onBound: @escaping @Sendable (String) async -> Void) async throws {
    let chain = chain
    let secure = SecureConnections()
    let http = HTTP1Channel { request, writer, channel in
      try await Exchange(request: request, channel: channel, isTLS: secure.contains(channel)).respond(chain, writer)
    }
    if let tls = configuration.tls {
      try await serve(OptionalTLSChannel(base: http, tls: tls, secure: secure), onBound)
    } else {
      try await serve(http, onBound)
    }
  }

  private func serve<Child: ServerChildChannel>(
    _ child: Child, _ onBound: @escaping @Sendable (String) async -> Void
  ) async throws {
    let logger = logger
    let (accepted, continuation) = AsyncStream.makeStream(of: Child.Value.self)
    let loops = MultiThreadedEventLoopGroup.singleton
    let executors = LoopExecutors(loops)
    let bootstrap = ServerBootstrap(group: loops)
      .serverChannelOption(.backlog, value: Self.backlog)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        child.setup(channel: channel, logger: logger).map { connection in
          guard case .terminated = continuation.yield(connection) else { return }
          // It came while the server was ending: it is taken only to be closed in good order.
          Task { await child.handle(value: connection, logger: logger) }.cancel()
        }
      }
    let server: any Channel
    switch configuration.listener {
    case .address(let host, let port): server = try await bootstrap.bind(host: host, port: port).get()
    case .inherited(let descriptor): server = try await bootstrap.withBoundSocket(descriptor).get()
    }
    try await withTaskCancellationHandler {
      await onBound(Self.url(server.localAddress))
      await withDiscardingTaskGroup { group in
        for await connection in accepted {
          group.addTask(executorPreference: executors[connection.channel]) {
            await child.handle(value: connection, logger: logger)
          }
        }
      }
      try await server.closeFuture.get()
    } onCancel: {
      server.close(promise: nil)
      continuation.finish()
    }
  }

  private static func url(_ address: SocketAddress?) -> String {
    let host = address?.ipAddress ?? "127.0.0.1"
    return "http://\(host.contains(":") ? "[\(host)]" : host):\(address?.port ?? 0)"
  }
}
