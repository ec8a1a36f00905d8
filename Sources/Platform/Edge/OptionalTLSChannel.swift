// Plain HTTP and TLS on one port: the first byte of a connection tells which it is.

import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// Adds TLS to a connection whose first byte begins a TLS handshake (RFC 8446, 5.1: record type 22).
struct OptionalTLSChannel<Base: ServerChildChannel>: ServerChildChannel {
  typealias Value = Base.Value
  let base: Base
  let tls: NIOSSLContext

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(TLSDetector(tls: tls))
    }.flatMap {
      base.setup(channel: channel, logger: logger)
    }
  }

  func handle(value: Base.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}

/// Looks at the first byte, puts a TLS handler in its own place when it must, and is gone.
private final class TLSDetector: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  private let tls: NIOSSLContext

  init(tls: NIOSSLContext) { self.tls = tls }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return }
    if first == 22 {
      do {
        try context.pipeline.syncOperations.addHandler(
          NIOSSLServerHandler(context: tls), position: .after(context.handler))
      } catch {
        context.fireErrorCaught(error)
        context.close(promise: nil)
        return
      }
    }
    context.fireChannelRead(data)
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }
}
