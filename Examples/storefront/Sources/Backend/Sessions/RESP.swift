// The Redis protocol, version 2: https://redis.io/docs/latest/develop/reference/protocol-spec/
import NIOCore

/// A value that the server sent.
enum RESPValue: Sendable, Equatable {
  case text(String)
  case error(String)
  case integer(Int)
  case null
  case array([RESPValue])

  /// The text of a simple or bulk string.
  var string: String? {
    if case .text(let text) = self { return text }
    return nil
  }

  /// The elements of an array.
  var elements: [RESPValue]? {
    if case .array(let elements) = self { return elements }
    return nil
  }
}

/// The server sent something that is not RESP.
struct RESPError: Error, Equatable, CustomStringConvertible {
  let description: String
}

/// Takes values out of the bytes that arrive.
struct RESPDecoder: ByteToMessageDecoder {
  typealias InboundOut = RESPValue

  /// Longest text taken; the shop stores nothing near it.
  static let bulkMax = 1 << 20
  /// Most elements of one array.
  static let elementsMax = 100_000
  /// Deepest nesting of arrays.
  static let depthMax = 8
  /// Longest line.
  static let lineMax = 64 * 1024

  mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
    guard let value = try RESPDecoder.parse(&buffer) else { return .needMoreData }
    context.fireChannelRead(wrapInboundOut(value))
    return .continue
  }

  /// Takes one whole value from the front of `buffer`, or nothing (nil) when it has not all arrived.
  /// - Throws: ``RESPError``.
  static func parse(_ buffer: inout ByteBuffer) throws -> RESPValue? {
    var rest = buffer
    guard let value = try value(&rest, depth: 0) else { return nil }
    buffer = rest
    return value
  }

  private static func value(_ buffer: inout ByteBuffer, depth: Int) throws -> RESPValue? {
    guard depth <= depthMax else { throw RESPError(description: "arrays are nested too deeply") }
    guard let line = try line(&buffer), let kind = line.utf8.first else { return nil }
    let rest = String(line.dropFirst())
    switch kind {
    case UInt8(ascii: "+"): return .text(rest)
    case UInt8(ascii: "-"): return .error(rest)
    case UInt8(ascii: ":"): return .integer(try number(rest))
    case UInt8(ascii: "$"):
      let count = try number(rest)
      if count == -1 { return .null }
      guard (0...bulkMax).contains(count) else { throw RESPError(description: "a text of \(count) bytes") }
      guard buffer.readableBytes >= count + 2 else { return nil }
      let text = buffer.readString(length: count) ?? ""
      guard buffer.readString(length: 2) == "\r\n" else { throw RESPError(description: "a text without its end") }
      return .text(text)
    case UInt8(ascii: "*"):
      let count = try number(rest)
      if count == -1 { return .null }
      guard (0...elementsMax).contains(count) else { throw RESPError(description: "an array of \(count) elements") }
      var elements: [RESPValue] = []
      for _ in 0..<count {
        guard let element = try value(&buffer, depth: depth + 1) else { return nil }
        elements.append(element)
      }
      return .array(elements)
    default: throw RESPError(description: "a value that begins with byte \(kind)")
    }
  }

  private static func line(_ buffer: inout ByteBuffer) throws -> String? {
    let view = buffer.readableBytesView
    guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
      guard view.count <= lineMax else { throw RESPError(description: "a line without an end") }
      return nil
    }
    let length = end - view.startIndex
    guard length >= 2, view[end - 1] == UInt8(ascii: "\r") else {
      throw RESPError(description: "a line that does not end in CR LF")
    }
    let text = buffer.readString(length: length - 1)
    buffer.moveReaderIndex(forwardBy: 2)
    return text
  }

  private static func number(_ text: String) throws -> Int {
    guard let number = Int(text) else { throw RESPError(description: "'\(text)' where a number must stand") }
    return number
  }

  /// A command as an array of bulk strings.
  static func encode(_ arguments: [String], into buffer: inout ByteBuffer) {
    buffer.writeString("*\(arguments.count)\r\n")
    for argument in arguments {
      buffer.writeString("$\(argument.utf8.count)\r\n\(argument)\r\n")
    }
  }
}
