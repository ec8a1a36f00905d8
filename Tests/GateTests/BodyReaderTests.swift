// Bodies by length and by chunks, in every division into reads.
import HTTPWire
import Testing

@Suite("HTTP/1.1 bodies")
struct BodyReaderTests {
  /// Feeds the bytes in pieces of one size; the count up to the end, and the data; nil when refused.
  private func read(_ bytes: [UInt8], _ framing: BodyFraming, piece: Int) -> (end: Int?, data: [UInt8])? {
    var reader = BodyReader(framing)
    var position = 0
    var data: [UInt8] = []
    while position < bytes.count {
      let part = Array(bytes[position..<min(position + piece, bytes.count)])
      let outcome = part.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { base in
          reader.unwrap(base, part.count) { data += UnsafeBufferPointer(start: $0, count: $1) }
        }
      }
      switch outcome {
      case .body(let count, let isEnd):
        position += count
        if isEnd { return (position, data) }
      default: return nil
      }
    }
    return (nil, data)
  }

  @Test("a chunked body ends where it ends, however it is divided", arguments: [1, 2, 3, 7, 1000])
  func chunked(_ piece: Int) {
    let text = "5\r\nhello\r\n1A;name=\"v\"\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Trailer: y\r\n\r\n"
    let result = read(Array((text + "GET /").utf8), .chunked, piece: piece)
    #expect(result?.end == text.utf8.count)
    #expect(result.map { String(decoding: $0.data, as: UTF8.self) } == "helloabcdefghijklmnopqrstuvwxyz")
  }

  @Test(
    "broken chunks are refused",
    arguments: [
      "x\r\n", "\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n", "-1\r\n",
      "0x5\r\nhello\r\n",
      " 5\r\nhello\r\n", "5 \r\nhello\r\n", "1000000000000000\r\n", "ffffffffffffffffff\r\n", "5;a\nb\r\nhello\r\n",
      "0\r\nbad trailer\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\n X: y\r\n\r\n", "5;\u{0}\r\nhello\r\n",
    ])
  func refused(_ text: String) {
    #expect(read(Array(text.utf8), .chunked, piece: 1) == nil)
    #expect(read(Array(text.utf8), .chunked, piece: 1000) == nil)
  }

  @Test("what need not be looked at may pass unseen, up to the end of the data", arguments: [1, 3, 26, 1000])
  func unseen(_ piece: Int) {
    let text = Array("5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n".utf8)
    var reader = BodyReader(.chunked)
    var position = 0
    var passed = 0
    while !reader.isDone, position < text.count {
      let count = min(piece, reader.unseenMax)
      if count > 0 {
        let isEnd = reader.skip(count)
        #expect(!isEnd)
        passed += count
        position += count
      } else {
        _ = text[position...].withUnsafeBufferPointer { $0.baseAddress.map { reader.read($0, 1) } }
        position += 1
      }
    }
    #expect(reader.isDone && position == text.count && passed == 31)
    reader = BodyReader(.length(5))
    let ends = [reader.skip(4), reader.skip(1)]
    #expect(ends == [false, true] && reader.isDone && reader.unseenMax == 0)
    reader = BodyReader(.untilClose)
    let isEnd = reader.skip(1 << 40)
    #expect(!isEnd && !reader.isDone && reader.unseenMax == .max)
  }

  @Test("a body by length takes that many bytes", arguments: [1, 3, 100])
  func length(_ piece: Int) {
    #expect(read(Array("hello, world".utf8), .length(5), piece: piece)?.end == 5)
    #expect(read(Array("hel".utf8), .length(5), piece: piece)?.end == .some(nil))
  }
}
