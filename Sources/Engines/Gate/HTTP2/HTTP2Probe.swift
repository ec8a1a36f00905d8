// A health check over HTTP/2: one request on a connection of its own, without waiting for the target's SETTINGS.
import GateProtocol
import HTTPWire

/// The client's side of one probe, without its socket.
final class HTTP2Probe {
  private static let answerMax = 64 << 10

  enum Outcome: Equatable {
    case more
    /// The status, or for gRPC the `grpc-status`.
    case status(Int)
    /// What came is no such answer.
    case failed
  }

  private let isGRPC: Bool
  private var decoder = HPACKDecoder()
  private var reader = HTTP2HeadReader()
  private var head = MessageHead()
  private var httpStatus: Int?

  init(isGRPC: Bool) { self.isGRPC = isGRPC }

  /// A gRPC call was answered, but not with gRPC's status.
  var lacksGRPCStatus: Bool { isGRPC && httpStatus != nil }

  /// All that is sent: preface, settings, the request, and for gRPC an empty message.
  static func request(path: String, authority: String, isGRPC: Bool, scheme: String) -> [UInt8] {
    var block: [UInt8] = []
    var fields = [
      (":method", isGRPC ? "POST" : "GET"), (":scheme", scheme), (":path", path), (":authority", authority),
      ("user-agent", "ELB-HealthChecker/2.0"),
    ]
    if isGRPC { fields += [("content-type", "application/grpc"), ("te", "trailers")] }
    let encoder = HPACKEncoder()
    for (name, value) in fields {
      let name = Array(name.utf8)
      let value = Array(value.utf8)
      block += [UInt8](unsafeUninitializedCapacity: HPACKEncoder.roomNeeded(name.count, value.count)) { room, count in
        guard let out = room.baseAddress else { return }
        name.withUnsafeBufferPointer { name in
          value.withUnsafeBufferPointer { value in
            guard let text = name.baseAddress else { return }
            count = encoder.write(text, name.count, value.baseAddress ?? text, value.count, out)
          }
        }
      }
    }
    let flags = HTTP2.Flag.endHeaders | (isGRPC ? 0 : HTTP2.Flag.endStream)
    var bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    bytes += frame(.settings, 0, 0, [0, 2, 0, 0, 0, 0]) + frame(.headers, flags, 1, block)
    if isGRPC { bytes += frame(.data, HTTP2.Flag.endStream, 1, [0, 0, 0, 0, 0]) }
    return bytes
  }

  private static func frame(_ type: HTTP2.FrameType, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    let head = [UInt8](unsafeUninitializedCapacity: HTTP2.frameHeadLength) { room, count in
      guard let out = room.baseAddress else { return }
      HTTP2.FrameHead(length: payload.count, type: type.rawValue, flags: flags, stream: stream).write(to: out)
      count = HTTP2.frameHeadLength
    }
    return head + payload
  }

  /// Takes whole frames from the front of what the target sent.
  func take(_ buffer: inout [UInt8]) -> Outcome {
    if buffer.count > Self.answerMax { return .failed }
    var position = 0
    var outcome = Outcome.more
    buffer.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return }
      while outcome == .more, bytes.count - position >= HTTP2.frameHeadLength {
        let head = HTTP2.FrameHead(base + position)
        let end = position + HTTP2.frameHeadLength + head.length
        if end > bytes.count { break }
        outcome = take(head, base + position + HTTP2.frameHeadLength)
        position = end
      }
    }
    buffer.removeFirst(position)
    return outcome
  }

  private func take(_ frame: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) -> Outcome {
    switch HTTP2.FrameType(rawValue: frame.type) {
    case .headers where frame.stream == 1: return takeHeaders(frame, payload)
    case .resetStream where frame.stream == 1, .goAway: return .failed
    case .data where frame.stream == 1 && frame.has(HTTP2.Flag.endStream): return isGRPC ? .failed : .more
    case .continuation: return .failed
    default: return .more
    }
  }

  private func takeHeaders(_ frame: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) -> Outcome {
    guard frame.has(HTTP2.Flag.endHeaders), var part = HTTP2.unpadded(payload, frame.length, frame.flags) else {
      return .failed
    }
    if frame.has(HTTP2.Flag.priority) {
      if part.count < 5 { return .failed }
      part = Slice(part.start + 5, part.count - 5)
    }
    let block = payload + part.start
    let outcome =
      httpStatus == nil
      ? reader.readResponse(block, part.count, &decoder) : reader.readTrailers(block, part.count, &decoder)
    guard case .head(let length) = outcome, case .complete = head.parseResponse(reader.head, length) else {
      return .failed
    }
    if httpStatus == nil {
      if head.status < 200 { return .more }
      httpStatus = head.status
      if !isGRPC { return .status(head.status) }
    }
    if let status = grpcStatus { return .status(status) }
    return frame.has(HTTP2.Flag.endStream) ? .failed : .more
  }

  private var grpcStatus: Int? {
    for index in 0..<head.fieldCount {
      let field = head.fields[index]
      let name = reader.head + Int(field.start)
      guard Token.matches(name, Int(field.nameLength), "grpc-status") else { continue }
      return Scan.decimal(reader.head + Int(field.valueStart), Int(field.valueLength)).map(Int.init)
    }
    return nil
  }
}
