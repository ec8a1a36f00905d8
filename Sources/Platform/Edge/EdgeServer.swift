// The endpoint's sockets: one port for plain HTTP and TLS, each request handed to the chain.

import AWSCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceKit
import ServiceLifecycle

/// The endpoint of all AWS APIs and of Castle's own paths.
public struct EdgeServer: Sendable {
  public struct Configuration: Sendable {
    public var host: String
    public var port: Int
    public var tls: NIOSSLContext?
    public init(host: String, port: Int, tls: NIOSSLContext?) {
      self.host = host
      self.port = port
      self.tls = tls
    }
  }

  let configuration: Configuration
  let chain: RequestChain
  let logger: Logger

  public init(configuration: Configuration, chain: RequestChain, logger: Logger) {
    self.configuration = configuration
    self.chain = chain
    // Hummingbird reports the cancellation that ends the server as an error; what matters of it is thrown as well.
    var quiet = logger
    quiet.logLevel = .critical
    self.logger = quiet
  }

  /// Serves until the task is cancelled.
  /// - Parameter onBound: told the port that was bound, once requests are taken.
  /// - Throws: when the port cannot be bound.
  public func run(onBound: @escaping @Sendable (Int) async -> Void) async throws {
    let chain = chain
    let http = HTTP1Channel { request, writer, channel in
      try await Exchange(request: request, channel: channel).respond(chain, writer)
    }
    if let tls = configuration.tls {
      try await serve(OptionalTLSChannel(base: http, tls: tls), onBound)
    } else {
      try await serve(http, onBound)
    }
  }

  private func serve(_ child: some ServerChildChannel, _ onBound: @escaping @Sendable (Int) async -> Void) async throws
  {
    let server = child.server(
      configuration: ServerConfiguration(
        address: .hostname(configuration.host, port: configuration.port), serverName: nil, backlog: 1024),
      onServerRunning: { await onBound($0.localAddress?.port ?? 0) },
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    let group = ServiceGroup(configuration: .init(services: [.init(service: server)], logger: logger))
    try await withTaskCancellationHandler {
      try await group.run()
    } onCancel: {
      Task { await group.triggerGracefulShutdown() }
    }
  }
}
