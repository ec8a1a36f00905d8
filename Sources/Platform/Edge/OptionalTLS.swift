// Plain HTTP and TLS on one port: the first byte of a connection tells which it is.

import NIOCore
import NIOSSL
import Synchronization

/// Which connections came by TLS. A request asks from its own task; the pipeline can only be asked on the channel's loop.
final class SecureConnections: Sendable {
  private let channels = Mutex<Set<ObjectIdentifier>>([])

  func contains(_ channel: any Channel) -> Bool { channels.withLock { $0.contains(ObjectIdentifier(channel)) } }

  /// Remembers the channel until it is closed.
  func insert(_ channel: any Channel) {
    let id = ObjectIdentifier(channel)
    channels.withLock { _ = $0.insert(id) }
    channel.closeFuture.whenComplete { _ in self.channels.withLock { _ = $0.remove(id) } }
  }
}

/// Adds TLS to a connection whose first byte begins a TLS handshake (RFC 8446, 5.1: record type 22), and is gone.
final class TLSDetector: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  private let tls: NIOSSLContext
  private let secure: SecureConnections

  init(tls: NIOSSLContext, secure: SecureConnections) {
    self.tls = tls
    self.secure = secure
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return }
    if first == 22 {
      secure.insert(context.channel)
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
