// Frames of the control protocol: four bytes of length, big-endian, then JSON.
import FoundationEssentials

/// Writing and reading frames, for both ends.
public enum GateFrame {
  /// The bytes of one frame.
  public static func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] {
    let body = try JSONEncoder().encode(value)
    guard body.count <= GateLimits.frameSizeMax else {
      throw GateError.protocolViolation("a frame of \(body.count) bytes")
    }
    let length = UInt32(body.count)
    var frame: [UInt8] = []
    frame.reserveCapacity(body.count + 4)
    for shift in [24, 16, 8, 0] as [UInt32] { frame.append(UInt8(truncatingIfNeeded: length >> shift)) }
    frame.append(contentsOf: body)
    return frame
  }

  /// The value in a frame's body.
  public static func decode<Value: Decodable>(_ type: Value.Type, from body: [UInt8]) throws -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(body))
    } catch {
      throw GateError.protocolViolation("\(error)")
    }
  }

  /// Cuts a stream of bytes into the bodies of frames.
  public struct Decoder: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
      if start > 0 {
        buffer.removeFirst(start)
        start = 0
      }
      buffer.append(contentsOf: bytes)
    }

    /// The next whole body, or nil until more bytes come. Throws when the length is beyond the limit.
    public mutating func next() throws -> [UInt8]? {
      guard buffer.count - start >= 4 else { return nil }
      var length = 0
      for index in start..<start + 4 { length = length << 8 | Int(buffer[index]) }
      guard length <= GateLimits.frameSizeMax else { throw GateError.protocolViolation("a frame of \(length) bytes") }
      guard buffer.count - start - 4 >= length else { return nil }
      let body = Array(buffer[(start + 4)..<(start + 4 + length)])
      start += 4 + length
      return body
    }
  }
}
