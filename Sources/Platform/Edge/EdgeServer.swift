// The endpoint's sockets: one port for plain HTTP and TLS, each request handed to the chain.

import AWSCore
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

  public init(configuration: Configuration, chain: RequestChain) {
    self.configuration = configuration
    self.chain = chain
  }

  /// Serves until the task is cancelled.
  /// - Parameter onBound: told the endpoint's URL, once requests are taken.
  /// - Throws: when the port cannot be bound.
  public func run(onBound: @escaping @Sendable (String) async -> Void) async throws {
    let (chain, tls, secure) = (chain, configuration.tls, SecureConnections())
    let (accepted, continuation) = AsyncStream.makeStream(of: HTTPConnection.self)
    let loops = MultiThreadedEventLoopGroup.singleton
    let executors = LoopExecutors(loops)
    let bootstrap = ServerBootstrap(group: loops)
      .serverChannelOption(.backlog, value: Self.backlog)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let connection = try HTTPConnection(channel, tls: tls, secure: secure)
          // It came while the server was ending.
          if case .terminated = continuation.yield(connection) { channel.close(promise: nil) }
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
          group.addTask(executorPreference: executors[connection.channel]) { await connection.run(chain) }
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
