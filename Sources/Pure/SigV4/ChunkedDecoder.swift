// aws-chunked bodies, decoded as they arrive (Amazon S3 API Reference, "Signature Calculations: Transferring Payload
// in Multiple Chunks" and "Including trailing headers").

import AWSCore
import Crypto

extension SigV4 {
  /// Decodes an aws-chunked body from pieces of any size. Bytes come out as soon as they are there; a chunk's signature
  /// is checked at its end, so nothing may be published before `finish` returned.
  public struct ChunkedDecoder: Sendable {
    /// The longest line (chunk head or trailing header), in bytes.
    public static let lineBytesMax = 4096
    /// All trailing headers together, in bytes.
    public static let trailerBytesMax = 16_384
    /// The largest chunk: S3's largest single upload, in bytes.
    public static let chunkBytesMax = 5 << 30
    /// The smallest signed chunk but the last, in bytes.
    public static let chunkBytesMin = 8192

    private enum State: Sendable, Equatable {
      case head
      case data(remaining: Int)
      /// The line break behind a chunk's data; the number of its bytes seen.
      case dataEnd(Int)
      case trailer
      case done
      case failed
    }

    private let mode: StreamingMode
    private var signing: ChunkSigning?
    private let decodedLength: Int?
    private var state = State.head
    private var line: [UInt8] = []
    private var trailerBytes = 0
    private var hash = SHA256()
    private var chunkSignature = ""
    private var sawShortChunk = false
    private var trailerSignature: String?

    /// The headers behind the last chunk (`x-amz-checksum-crc32` and the like), names in lower case, without their
    /// signature. Complete after `finish`.
    public private(set) var trailers: Headers = []
    /// The bytes that came out so far.
    public private(set) var decodedBytes = 0
    /// Whether the end of the body was seen.
    public var isComplete: Bool { state == .done }

    /// - Parameters:
    ///   - signing: what the chunks must be signed with; nil leaves signatures unchecked.
    ///   - decodedLength: the length that must come out, nil when it is not known.
    public init(mode: StreamingMode, signing: ChunkSigning?, decodedLength: Int?) {
      self.mode = mode
      self.signing = mode.isSigned ? signing : nil
      self.decodedLength = decodedLength
    }

    /// Takes the next piece of the body.
    /// - Parameter output: is given decoded bytes, in order, valid during the call only.
    /// - Throws: `AWSError` in S3's terms; after that the decoder stays failed.
    public mutating func feed(
      _ bytes: UnsafeRawBufferPointer, output: (UnsafeRawBufferPointer) -> Void
    ) throws(AWSError) {
      do {
        try consume(bytes, output)
      } catch {
        state = .failed
        throw error
      }
    }

    /// `feed` for arrays.
    public mutating func feed(_ bytes: [UInt8]) throws(AWSError) -> [UInt8] {
      var out: [UInt8] = []
      // The typed error has to be carried over the closure, whose own error is untyped.
      let failure: AWSError? = bytes.withUnsafeBytes { buffer in
        do throws(AWSError) {
          try feed(buffer) { out += $0 }
          return nil
        } catch { return error }
      }
      if let failure { throw failure }
      return out
    }

    /// Says that the body ended.
    /// - Throws: `IncompleteBody` when it ended early, or has another length than promised.
    public mutating func finish() throws(AWSError) {
      guard state == .done else {
        state = .failed
        throw Self.incompleteBody
      }
      if let decodedLength, decodedBytes != decodedLength { throw Self.incompleteBody }
    }

    // MARK: States

    private mutating func consume(
      _ bytes: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) -> Void
    ) throws(AWSError) {
      var at = 0
      while at < bytes.count {
        switch state {
        case .head:
          if try takeLine(bytes, &at) { try chunkHead() }
        case .data(let remaining):
          let count = min(remaining, bytes.count - at)
          let piece = UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
          if signing != nil { hash.update(bufferPointer: piece) }
          output(piece)
          decodedBytes += count
          at += count
          state = count == remaining ? .dataEnd(0) : .data(remaining: remaining - count)
        case .dataEnd(let seen):
          guard bytes[at] == (seen == 0 ? 13 : 10) else { throw Self.malformed("a chunk is longer than its size") }
          at += 1
          if seen == 0 {
            state = .dataEnd(1)
          } else {
            try checkChunk()
            state = .head
          }
        case .trailer:
          if try takeLine(bytes, &at) { try trailerLine() }
        case .done: throw Self.malformed("there are bytes behind the end")
        case .failed: throw Self.malformed("the body was refused before")
        }
      }
    }

    /// Collects bytes up to a line feed; true when `line` holds a whole line without its line break.
    private mutating func takeLine(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws(AWSError) -> Bool {
      let rest = bytes[at...]
      let end = rest.firstIndex(of: 10)
      line += rest[..<(end ?? bytes.count)]
      guard line.count <= Self.lineBytesMax else { throw Self.malformed("a line is too long") }
      guard let end else {
        at = bytes.count
        return false
      }
      at = end + 1
      if line.last == 13 { line.removeLast() }
      return true
    }

    private mutating func chunkHead() throws(AWSError) {
      defer { line.removeAll(keepingCapacity: true) }
      var size = 0
      var index = 0
      while index < line.count, let digit = PercentEncoding.digit(line[index]) {
        size = size << 4 | Int(digit)
        guard size <= Self.chunkBytesMax else { throw Self.malformed("a chunk is too large") }
        index += 1
      }
      guard index > 0 else { throw Self.malformed("a chunk has no size") }
      chunkSignature = try signature(extension: line[index...])
      if mode.isSigned, signing != nil, chunkSignature.isEmpty { throw Self.malformed("a chunk has no signature") }
      if let decodedLength, decodedBytes + size > decodedLength { throw Self.incompleteBody }
      if size == 0 {
        try checkChunk()
        state = .trailer
        return
      }
      if mode.isSigned {
        guard !sawShortChunk else {
          throw AWSError(
            "InvalidChunkSizeError", "Only the last chunk is allowed to have a size less than 8192 bytes", status: 403)
        }
        sawShortChunk = size < Self.chunkBytesMin
      }
      state = .data(remaining: size)
    }

    /// `;chunk-signature=…`, among extensions that are not looked at.
    private func signature(extension bytes: ArraySlice<UInt8>) throws(AWSError) -> String {
      let text = SigV4.trimmed(Substring(decoding: bytes, as: UTF8.self))
      if text.isEmpty { return "" }
      guard text.utf8.first == UInt8(ascii: ";") else { throw Self.malformed("a chunk's size is not a number") }
      for part in text.split(separator: ";") {
        let part = SigV4.trimmed(part)
        if part.hasPrefix("chunk-signature=") { return part.dropFirst("chunk-signature=".count).lowercased() }
      }
      return ""
    }

    private mutating func checkChunk() throws(AWSError) {
      guard signing != nil else { return }
      let expected = signing?.sign(chunkHash: SigV4.hex(hash.finalize())) ?? ""
      hash = SHA256()
      guard SigV4.constantTimeEquals(expected, chunkSignature) else { throw Self.mismatch(chunkSignature) }
    }

    private mutating func trailerLine() throws(AWSError) {
      defer { line.removeAll(keepingCapacity: true) }
      guard !line.isEmpty else {
        // Some clients put a line feed of its own behind each header's value; the body's end is the empty line that
        // comes once the trailer's signature (if any is due) was seen.
        if mode == .signedTrailer, !trailers.isEmpty, trailerSignature == nil { return }
        return try endOfTrailers()
      }
      trailerBytes += line.count
      guard mode.hasTrailer, trailerBytes <= Self.trailerBytesMax else {
        throw AWSError("MalformedTrailerError", "The request contained trailing data that was not well-formed.")
      }
      let text = Substring(decoding: line, as: UTF8.self)
      guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
        throw AWSError(
          "MalformedTrailerError",
          "The request contained trailing data that was not well-formed or did not conform to our published schema.")
      }
      let name = SigV4.trimmed(text[..<colon]).lowercased()
      let value = String(SigV4.trimmed(text[text.index(after: colon)...]))
      if name == "x-amz-trailer-signature" {
        trailerSignature = value.lowercased()
      } else {
        trailers.append((name, value))
      }
    }

    private mutating func endOfTrailers() throws(AWSError) {
      if mode == .signedTrailer, signing != nil {
        let expected = signing?.sign(trailers: trailers) ?? ""
        guard let trailerSignature, SigV4.constantTimeEquals(expected, trailerSignature) else {
          throw Self.mismatch(trailerSignature ?? "")
        }
      }
      state = .done
    }

    // MARK: Errors

    private static let incompleteBody = AWSError(
      "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")

    private static func malformed(_ why: String) -> AWSError {
      AWSError("InvalidRequest", "The aws-chunked body is not well-formed: \(why).")
    }

    private static func mismatch(_ provided: String) -> AWSError {
      AWSError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
          + "method.", status: 403, fields: ["SignatureProvided": provided])
    }
  }
}
