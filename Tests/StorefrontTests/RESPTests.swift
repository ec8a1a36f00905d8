// The Redis protocol as it arrives.
import NIOCore
import Testing

@testable import storefront_backend

@Suite struct RESPTests {
  @Test("values of every kind are taken from the bytes, and only their bytes")
  func values() throws {
    var buffer = ByteBuffer(string: "*5\r\n+OK\r\n:-7\r\n$5\r\na\r\nbc\r\n$-1\r\n-ERR no\r\nrest")
    let value = try RESPDecoder.parse(&buffer)
    #expect(value == .array([.text("OK"), .integer(-7), .text("a\r\nbc"), .null, .error("ERR no")]))
    #expect(String(buffer: buffer) == "rest")
  }

  @Test("a value that has not all arrived is waited for, wherever it is cut")
  func pieces() throws {
    let whole = "*2\r\n$3\r\nabc\r\n*1\r\n+x\r\n"
    for length in 0..<whole.utf8.count {
      var buffer = ByteBuffer(bytes: whole.utf8.prefix(length))
      #expect(try RESPDecoder.parse(&buffer) == nil)
      #expect(buffer.readableBytes == length)
    }
  }

  @Test(
    "what is not RESP, or is too much of it, is refused",
    arguments: [
      "?\r\n", ":x\r\n", "$-2\r\n", "$99999999999\r\n", "$1\r\nabc\r\n", "\n", "*9999999\r\n",
      String(repeating: "*1\r\n", count: 20),
    ])
  func refused(_ text: String) {
    var buffer = ByteBuffer(string: text)
    #expect(throws: RESPError.self) { _ = try RESPDecoder.parse(&buffer) }
  }

  @Test("a command is an array of bulk strings counted in bytes")
  func command() {
    var buffer = ByteBuffer()
    RESPDecoder.encode(["SET", "ü", ""], into: &buffer)
    #expect(String(buffer: buffer) == "*3\r\n$3\r\nSET\r\n$2\r\nü\r\n$0\r\n\r\n")
  }
}
