// The kinds of aws-chunked bodies, and the chain of signatures over their chunks.

import AWSCore
import Crypto

extension SigV4 {
  /// The values of `x-amz-content-sha256` that announce an aws-chunked body.
  public enum StreamingMode: String, Sendable, Hashable, CaseIterable {
    /// Each chunk signed.
    case signed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    /// Each chunk signed, and headers behind the last one, signed too.
    case signedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    /// Chunks without signatures, and headers behind the last one.
    case unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    /// Whether chunks carry signatures.
    public var isSigned: Bool { self != .unsignedTrailer }
    /// Whether headers follow the last chunk.
    public var hasTrailer: Bool { self != .signed }
  }

  /// The chain of chunk signatures: each signs its chunk and the signature before it.
  public struct ChunkSigning: Sendable {
    private let key: SigningKey
    private let timestamp: String
    private var previous: String

    /// - Parameters:
    ///   - timestamp: the head's `x-amz-date`.
    ///   - seed: the head's signature.
    public init(key: SigningKey, timestamp: String, seed: String) {
      self.key = key
      self.timestamp = timestamp
      previous = seed
    }

    /// The next chunk's signature.
    /// - Parameter hash: the SHA-256 of the chunk's data in hexadecimal.
    public mutating func sign(chunkHash hash: String) -> String {
      previous = key.signature(
        of: "AWS4-HMAC-SHA256-PAYLOAD\n\(timestamp)\n\(key.scope)\n\(previous)\n\(SigV4.emptyPayloadHash)\n\(hash)")
      return previous
    }

    /// The signature of the headers behind the last chunk, in the order they are sent.
    public mutating func sign(trailers: Headers) -> String {
      let text = trailers.map { "\($0.name.lowercased()):\($0.value)\n" }.joined()
      previous = key.signature(
        of: "AWS4-HMAC-SHA256-TRAILER\n\(timestamp)\n\(key.scope)\n\(previous)\n\(SigV4.sha256Hex(text))")
      return previous
    }

    /// Wraps bytes into a signed chunk as it is sent; an empty array gives the last chunk (without what follows it).
    public mutating func chunk(_ bytes: [UInt8]) -> [UInt8] {
      let signature = sign(chunkHash: SigV4.payloadHash(bytes))
      let head = "\(String(bytes.count, radix: 16));chunk-signature=\(signature)\r\n"
      return Array(head.utf8) + bytes + (bytes.isEmpty ? [] : [13, 10])
    }
  }
}
