// One connection to Redis. Commands go out in the order they are given and answers come back in it.
import NIOCore
import NIOPosix

/// What went wrong in Redis or on the way to it.
enum RedisError: Error, CustomStringConvertible {
  /// The connection broke; whether the command was carried out is not known.
  case connectionLost(String)
  /// The server answered with an error.
  case reply(String)

  var description: String {
    switch self {
    case .connectionLost(let reason): "no connection to the session store: \(reason)"
    case .reply(let text): "the session store answered: \(text)"
    }
  }

  /// Whether the same command may work later, on a new connection.
  var mayPass: Bool {
    switch self {
    case .connectionLost: true
    case .reply(let text):
      ["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "UNBLOCKED"]
        .contains { text.hasPrefix($0) }
    }
  }
}

final class RedisConnection: Sendable {
  static let connectTimeout = TimeAmount.seconds(2)
  /// An answer that takes longer means that the connection is of no use.
  static let answerTimeout = TimeAmount.seconds(3)

  private let channel: any Channel
  private let commands: NIOLoopBound<CommandHandler>

  private init(channel: any Channel, commands: NIOLoopBound<CommandHandler>) {
    self.channel = channel
    self.commands = commands
  }

  /// Connects and, when there is a token, authenticates.
  /// - Throws: ``RedisError``.
  static func open(host: String, port: Int, token: String?) async throws -> RedisConnection {
    let connection: RedisConnection
    do {
      connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connectTimeout(connectTimeout)
        .channelOption(.socketOption(.so_keepalive), value: 1)
        .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        .connect(host: host, port: port) { channel in
          channel.eventLoop.makeCompletedFuture {
            let handler = CommandHandler()
            try channel.pipeline.syncOperations.addHandlers(ByteToMessageHandler(RESPDecoder()), handler)
            return RedisConnection(
              channel: channel, commands: NIOLoopBound(handler, eventLoop: channel.eventLoop))
          }
        }
    } catch {
      throw RedisError.connectionLost("\(error)")
    }
    if let token {
      do {
        _ = try await connection.send(["AUTH", token])
      } catch {
        connection.close()
        throw error
      }
    }
    return connection
  }

  var isActive: Bool { channel.isActive }

  /// Sends a command and waits for its answer.
  /// - Throws: ``RedisError``, also for an answer that is an error.
  func send(_ arguments: [String]) async throws -> RESPValue {
    let promise = channel.eventLoop.makePromise(of: RESPValue.self)
    let commands = commands
    let channel = channel
    channel.eventLoop.execute { commands.value.send(arguments, promise, channel) }
    let value = try await promise.futureResult.get()
    if case .error(let text) = value { throw RedisError.reply(text) }
    return value
  }

  func close() {
    channel.close(promise: nil)
  }
}

/// Pairs answers with the commands that wait for them. Lives on the channel's event loop.
private final class CommandHandler: ChannelInboundHandler {
  typealias InboundIn = RESPValue

  private var waiting: CircularBuffer<(promise: EventLoopPromise<RESPValue>, timeout: Scheduled<Void>)> = []
  private var failure: RedisError?

  func send(_ arguments: [String], _ promise: EventLoopPromise<RESPValue>, _ channel: any Channel) {
    if let failure {
      promise.fail(failure)
      return
    }
    var buffer = channel.allocator.buffer(capacity: 256)
    RESPDecoder.encode(arguments, into: &buffer)
    let timeout = channel.eventLoop.scheduleTask(in: RedisConnection.answerTimeout) {
      channel.close(promise: nil)
    }
    waiting.append((promise, timeout))
    // A failed write closes the channel, which fails everything that waits.
    channel.writeAndFlush(buffer, promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let first = waiting.popFirst() else {
      fail(RedisError.connectionLost("an answer that nobody asked for"))
      context.close(promise: nil)
      return
    }
    first.timeout.cancel()
    first.promise.succeed(unwrapInboundIn(data))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    fail(RedisError.connectionLost("\(error)"))
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(RedisError.connectionLost("closed"))
    context.fireChannelInactive()
  }

  private func fail(_ error: RedisError) {
    failure = failure ?? error
    while let first = waiting.popFirst() {
      first.timeout.cancel()
      first.promise.fail(error)
    }
  }
}
