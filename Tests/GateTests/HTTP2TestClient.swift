// A hand-made HTTP/2 client (and the frames of a server) for the tests: it can say anything, right or wrong.
import Glibc

@testable import HTTPWire

/// A frame as it came.
struct Frame: Sendable {
  var type: HTTP2.FrameType?
  var flags: UInt8
  var stream: UInt32
  var payload: [UInt8]

  var number: UInt32 { payload.count >= 4 ? payload.withUnsafeBufferPointer { HTTP2.number($0.baseAddress!) } : 0 }
  var endsStream: Bool { (type == .data || type == .headers) && flags & HTTP2.Flag.endStream != 0 }
}

/// The answer to one request.
struct HTTP2Answer: Sendable {
  var interim: [Int] = []
  var fields: [String] = []
  var body: [UInt8] = []
  var trailers: [String] = []
  /// The code of an RST_STREAM.
  var reset: UInt32?
  /// The connection was ended: the code of its GOAWAY.
  var goAway: UInt32?

  var status: Int {
    Int(fields.first { $0.hasPrefix(":status: ") }?.dropFirst(9) ?? "") ?? 0
  }
  var text: String { String(decoding: body, as: UTF8.self) }

  subscript(name: String) -> String? {
    fields.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.utf8.count + 2)) }
  }
}

/// One HTTP/2 connection, blocking; for threads of their own.
final class HTTP2Wire {
  let socket: RawSocket
  private var buffer: [UInt8] = []
  private var decoder = HPACKDecoder()
  /// Answers that came while another was awaited.
  private var answers: [UInt32: HTTP2Answer] = [:]
  private var ended: Set<UInt32> = []
  private(set) var goAway: UInt32?
  /// Open the windows again for all data that comes.
  var credits = true

  /// A client that has sent its preface and settings.
  convenience init(port: UInt16, settings: [(HTTP2.Setting, UInt32)] = []) throws {
    self.init(try RawSocket(port: port))
    try socket.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.settings(settings))
  }

  /// Either side, with nothing said yet.
  init(_ socket: RawSocket) { self.socket = socket }

  static func frame(_ type: UInt8, _ flags: UInt8 = 0, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
    var head = [UInt8](repeating: 0, count: 9)
    head.withUnsafeMutableBufferPointer {
      HTTP2.FrameHead(length: payload.count, type: type, flags: flags, stream: stream).write(to: $0.baseAddress!)
    }
    return head + payload
  }

  static func frame(_ type: HTTP2.FrameType, _ flags: UInt8 = 0, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
    frame(type.rawValue, flags, stream, payload)
  }

  static func number(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
  }

  static func settings(_ values: [(HTTP2.Setting, UInt32)]) -> [UInt8] {
    frame(.settings, 0, 0, values.flatMap { [0, UInt8($0.0.rawValue)] + number($0.1) })
  }

  static func headers(
    _ stream: UInt32, _ fields: [(String, String)], end: Bool = true, flags: UInt8 = HTTP2.Flag.endHeaders
  ) -> [UInt8] {
    frame(.headers, flags | (end ? HTTP2.Flag.endStream : 0), stream, literalBlock(fields))
  }

  static func request(
    _ stream: UInt32, _ path: String = "/", method: String = "GET", _ fields: [(String, String)] = [], end: Bool = true
  ) -> [UInt8] {
    headers(
      stream,
      [(":method", method), (":scheme", "http"), (":path", path), (":authority", "shop.test")] + fields, end: end)
  }

  static func data(_ stream: UInt32, _ bytes: [UInt8], end: Bool = true) -> [UInt8] {
    frame(.data, end ? HTTP2.Flag.endStream : 0, stream, bytes)
  }

  func send(_ frames: [UInt8]...) throws { try socket.send(frames.flatMap { $0 }) }

  /// Reads what a client sends first.
  func takePreface() throws {
    while buffer.count < 24 {
      let bytes = try socket.receive()
      if bytes.isEmpty { throw TestFailure("no preface") }
      buffer += bytes
    }
    guard buffer.starts(with: Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)) else { throw TestFailure("not HTTP/2") }
    buffer.removeFirst(24)
  }

  /// The next frame; nil at the end of the connection.
  func next() throws -> Frame? {
    while true {
      if buffer.count >= 9 {
        let head = buffer.withUnsafeBufferPointer { HTTP2.FrameHead($0.baseAddress!) }
        if buffer.count >= 9 + head.length {
          let payload = Array(buffer[9..<(9 + head.length)])
          buffer.removeFirst(9 + head.length)
          return Frame(
            type: HTTP2.FrameType(rawValue: head.type), flags: head.flags, stream: head.stream, payload: payload)
        }
      }
      let bytes = try socket.receive()
      if bytes.isEmpty { return nil }
      buffer += bytes
    }
  }

  func fields(_ block: [UInt8]) throws -> [String] {
    guard let fields = decoder.fields(block) else { throw TestFailure("a broken header block") }
    return fields
  }

  /// Reads until the answer on the stream is complete, or the connection ends.
  func answer(_ stream: UInt32) throws -> HTTP2Answer {
    while !ended.contains(stream) {
      guard let frame = try next() else {
        var answer = answers[stream] ?? HTTP2Answer()
        answer.goAway = goAway
        return answer
      }
      try take(frame)
    }
    return answers[stream] ?? HTTP2Answer()
  }

  /// Reads to the end of the connection; the code of its GOAWAY.
  func end() throws -> UInt32? {
    while let frame = try next() { try take(frame) }
    return goAway
  }

  func take(_ frame: Frame) throws {
    switch frame.type {
    case .headers:
      let fields = try fields(frame.payload)
      var answer = answers[frame.stream] ?? HTTP2Answer()
      if answer.fields.isEmpty, let interim = fields.first, interim.hasPrefix(":status: 1") {
        answer.interim.append(Int(interim.dropFirst(9)) ?? 0)
      } else if answer.fields.isEmpty {
        answer.fields = fields
      } else {
        answer.trailers = fields
      }
      answers[frame.stream] = answer
    case .data:
      answers[frame.stream, default: HTTP2Answer()].body += frame.payload
      if credits, !frame.payload.isEmpty {
        let update = Self.number(UInt32(frame.payload.count))
        try send(Self.frame(.windowUpdate, 0, 0, update), Self.frame(.windowUpdate, 0, frame.stream, update))
      }
    case .resetStream:
      answers[frame.stream, default: HTTP2Answer()].reset = frame.number
      ended.insert(frame.stream)
    case .settings where frame.flags & HTTP2.Flag.ack == 0: try send(Self.frame(.settings, HTTP2.Flag.ack, 0))
    case .ping where frame.flags & HTTP2.Flag.ack == 0: try send(Self.frame(.ping, HTTP2.Flag.ack, 0, frame.payload))
    case .goAway: goAway = frame.payload.withUnsafeBufferPointer { HTTP2.number($0.baseAddress! + 4) }
    default: break
    }
    if frame.endsStream { ended.insert(frame.stream) }
  }
}

/// Sends frames over a new connection, and reads the answer on stream 1.
func http2(_ port: UInt16, _ frames: [UInt8]..., stream: UInt32 = 1) async throws -> HTTP2Answer {
  let bytes = frames.flatMap { $0 }
  return try await onThread {
    let wire = try HTTP2Wire(port: port)
    try wire.send(bytes)
    return try wire.answer(stream)
  }
}
