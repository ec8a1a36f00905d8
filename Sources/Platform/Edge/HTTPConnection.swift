// One connection of the endpoint: its handlers, and the task that answers its requests one after the other.

import NIOCore
import NIOHTTP1
import NIOSSL

/// A connection whose requests are answered in the order they came, by one task.
///
/// NIO's parser and encoder stand at the socket; between them and the task lie only the parts of requests that wait. The
/// general way (async channels, a second set of header types) costs a third of what a small operation does in all.
struct HTTPConnection: Sendable {
  let channel: any Channel
  private let parts: RequestParts
  private let secure: SecureConnections

  /// Adds the handlers. On the channel's loop.
  init(_ channel: any Channel, tls: NIOSSLContext?, secure: SecureConnections) throws {
    self.channel = channel
    self.secure = secure
    parts = RequestParts(channel)
    let pipeline = channel.pipeline.syncOperations
    if let tls { try pipeline.addHandler(TLSDetector(tls: tls, secure: secure)) }
    // One answer follows the other by itself here, and headers are made legal where they are put together.
    try pipeline.configureHTTPServerPipeline(
      withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false)
    try pipeline.addHandler(RequestPartsHandler(parts))
  }

  /// Answers requests until the client goes or the task is cancelled; the request that runs then is still answered.
  func run(_ chain: RequestChain) async {
    await withTaskCancellationHandler {
      do {
        try await answer(chain)
      } catch is HTTPParserError {
        try? await ResponseWriter(channel: channel).whole(
          HTTPResponseHead(version: .http1_1, status: .badRequest, headers: ["connection": "close"]), [])
      } catch {
        // The client is gone, or its answer could not be finished; the connection is closed.
      }
      try? await channel.close()
    } onCancel: {
      parts.finish()
    }
  }

  private func answer(_ chain: RequestChain) async throws {
    var isTLS: Bool?
    while let part = try await parts.next() {
      // What a request left of its body unread.
      guard case .head(let head) = part else { continue }
      let isSecure = isTLS ?? secure.contains(channel)
      isTLS = isSecure
      let exchange = Exchange(head: head, body: IncomingBody(parts: parts), channel: channel, isTLS: isSecure)
      guard try await exchange.respond(chain, ResponseWriter(channel: channel)) else { return }
    }
  }
}

/// Writes one answer.
struct ResponseWriter: Sendable {
  let channel: any Channel

  /// `100 Continue` and the like, before the answer itself.
  func informational(_ status: HTTPResponseStatus) {
    channel.writeAndFlush(
      HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: status)), promise: nil)
  }

  /// Writes all of an answer; waits only when the client does not keep up, or to know that it is out.
  /// - Throws: when the connection is closed.
  func whole(_ head: HTTPResponseHead, _ body: [UInt8], waits: Bool = false) async throws {
    channel.write(HTTPServerResponsePart.head(head), promise: nil)
    if !body.isEmpty {
      channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
    }
    if waits || !channel.isWritable {
      try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
    } else {
      channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    }
  }

  func begin(_ head: HTTPResponseHead) async throws {
    try await channel.writeAndFlush(HTTPServerResponsePart.head(head)).get()
  }

  func chunk(_ bytes: some Sequence<UInt8>) async throws {
    try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes)))).get()
  }

  func end() async throws { try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get() }
}
