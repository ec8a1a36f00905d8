// aws-chunked bodies in pieces of every size, good ones and bad ones.

import AWSCore
import Testing

@testable import SigV4

@Suite("aws-chunked bodies")
struct ChunkedDecoderTests {
  private let signing: SigV4.ChunkSigning = {
    let scope = SigV4.Scope(date: "20130524", region: "us-east-1", service: "s3")
    return SigV4.ChunkSigning(
      key: SigV4.SigningKey(secretAccessKey: "secret", scope: scope), timestamp: "20130524T000000Z", seed: "seed")
  }()
  private let data = (0..<9000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  private func body(_ mode: SigV4.StreamingMode, trailers: SigV4.Headers = [], lineFeed: Bool = false) -> [UInt8] {
    var signing = signing
    var out: [UInt8] = []
    for piece in [Array(data[..<8192]), Array(data[8192...]), []] {
      if mode.isSigned {
        out += signing.chunk(piece)
      } else {
        out += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + (piece.isEmpty ? [] : [13, 10])
      }
    }
    for trailer in trailers { out += Array("\(trailer.name):\(trailer.value)\(lineFeed ? "\n" : "")\r\n".utf8) }
    if mode == .signedTrailer { out += Array("x-amz-trailer-signature:\(signing.sign(trailers: trailers))\r\n".utf8) }
    return out + [13, 10]
  }

  private func decode(
    _ bytes: [UInt8], _ mode: SigV4.StreamingMode, step: Int, length: Int? = 9000
  ) throws(AWSError) -> ([UInt8], SigV4.ChunkedDecoder) {
    var decoder = SigV4.ChunkedDecoder(mode: mode, signing: signing, decodedLength: length)
    var out: [UInt8] = []
    var at = 0
    while at < bytes.count {
      out += try decoder.feed(Array(bytes[at..<min(at + step, bytes.count)]))
      at += step
    }
    try decoder.finish()
    return (out, decoder)
  }

  private func error(_ bytes: [UInt8], _ mode: SigV4.StreamingMode, length: Int? = 9000) -> String? {
    do {
      _ = try decode(bytes, mode, step: 777, length: length)
      return nil
    } catch { return error.code }
  }

  @Test(
    "a body gives the same bytes in one piece, byte by byte and in between", arguments: SigV4.StreamingMode.allCases)
  func pieces(_ mode: SigV4.StreamingMode) throws {
    let trailers: SigV4.Headers = mode.hasTrailer ? [("x-amz-checksum-crc32c", "sOO8/Q=="), ("x-amz-b", "2")] : []
    let bytes = body(mode, trailers: trailers)
    for step in [1, 2, 3, 7, 64, 1000, 100_000] {
      let (out, decoder) = try decode(bytes, mode, step: step)
      #expect(out == data)
      #expect(decoder.isComplete)
      #expect(decoder.decodedBytes == 9000)
      #expect(decoder.trailers.map(\.name) == trailers.map(\.name))
      #expect(decoder.trailers.map(\.value) == trailers.map(\.value))
    }
  }

  @Test("trailing headers may end in a line feed of their own, as AWS's documentation shows them")
  func documentedLineFeed() throws {
    let bytes = body(.signedTrailer, trailers: [("x-amz-checksum-crc32c", "sOO8/Q==")], lineFeed: true)
    #expect(try decode(bytes, .signedTrailer, step: 5).1.trailers.count == 1)
  }

  @Test("a changed byte of data, signature or trailer is noticed")
  func tampering() {
    let trailers: SigV4.Headers = [("x-amz-checksum-crc32c", "sOO8/Q==")]
    let good = body(.signedTrailer, trailers: trailers)
    #expect(error(good, .signedTrailer) == nil)
    for at in [200, 8200, 30, good.count - 20, good.count - 120] {
      var bad = good
      bad[at] ^= 1
      #expect(error(bad, .signedTrailer) != nil, "at \(at)")
    }
    var bad = good
    bad[200] ^= 1
    #expect(error(bad, .signedTrailer) == "SignatureDoesNotMatch")
    #expect(error(body(.unsignedTrailer), .signed) == "InvalidRequest")
    // A signed trailer that leaves the signature away.
    let stripped = body(.signed).dropLast(2) + Array("x-amz-checksum-crc32c:AAAA\r\n\r\n".utf8)
    #expect(error(Array(stripped), .signedTrailer) != nil)
  }

  @Test("a body that ends early or is longer than promised is incomplete")
  func lengths() {
    let good = body(.signed)
    #expect(error(Array(good.dropLast(1)), .signed) == "IncompleteBody")
    #expect(error(Array(good.prefix(5000)), .signed) == "IncompleteBody")
    #expect(error([], .signed) == "IncompleteBody")
    #expect(error(good, .signed, length: 9001) == "IncompleteBody")
    #expect(error(good, .signed, length: 8999) == "IncompleteBody")
    #expect(error(good, .signed, length: nil) == nil)
    #expect(error(good + [65], .signed) == "InvalidRequest")
  }

  @Test("heads are bounded and only the last signed chunk may be short")
  func limits() {
    #expect(error([UInt8](repeating: UInt8(ascii: "1"), count: 5000), .signed) == "InvalidRequest")
    #expect(error(Array("ffffffffffffffff;chunk-signature=a\r\n".utf8), .signed) == "InvalidRequest")
    #expect(error(Array("x\r\n".utf8), .unsignedTrailer) == "InvalidRequest")
    #expect(error(Array("3zz\r\n".utf8), .unsignedTrailer) == "InvalidRequest")
    #expect(error(Array("3\r\nabcd".utf8), .unsignedTrailer) == "InvalidRequest")
    let many = (0..<20_000).map { "x\($0):1\r\n" }.joined()
    #expect(error(Array("0\r\n\(many)".utf8), .unsignedTrailer, length: 0) == "MalformedTrailerError")
    var signing = signing
    #expect(error(signing.chunk([1]) + signing.chunk([2]) + signing.chunk([]), .signed) == "InvalidChunkSizeError")
  }

  @Test("a decoder that failed once stays failed")
  func staysFailed() {
    var decoder = SigV4.ChunkedDecoder(mode: .unsignedTrailer, signing: nil, decodedLength: nil)
    #expect(throws: AWSError.self) { try decoder.feed([UInt8(ascii: "x"), 10]) }
    #expect(throws: AWSError.self) { try decoder.feed(Array("0\r\n\r\n".utf8)) }
    #expect(throws: AWSError.self) { try decoder.finish() }
  }
}
