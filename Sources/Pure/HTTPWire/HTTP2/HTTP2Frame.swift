// HTTP/2 frames (RFC 9113): their heads, their names, and the numbers both sides agree on.

public enum HTTP2 {
  /// What a client sends first (section 3.4).
  public static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
  public static let prefaceLength = 24
  public static let frameHeadLength = 9
  /// The flow-control window and the frame size before SETTINGS say otherwise (section 6.5.2).
  public static let initialWindow = 65_535
  public static let initialFrameMax = 16_384
  public static let windowMax = 0x7FFF_FFFF
  public static let streamMax: UInt32 = 0x7FFF_FFFF
  public static let tableSizeDefault = 4096

  public enum FrameType: UInt8, Sendable {
    case data = 0
    case headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
  }

  public enum Flag {
    public static let endStream: UInt8 = 0x1
    public static let ack: UInt8 = 0x1
    public static let endHeaders: UInt8 = 0x4
    public static let padded: UInt8 = 0x8
    public static let priority: UInt8 = 0x20
  }

  public enum Setting: UInt16, Sendable {
    case headerTableSize = 1
    case enablePush, maxConcurrentStreams, initialWindowSize, maxFrameSize, maxHeaderListSize
  }

  /// Error codes (section 7).
  public enum ErrorCode: UInt32, Error, Sendable {
    case noError = 0
    case protocolError, internalError, flowControlError, settingsTimeout, streamClosed, frameSizeError, refusedStream
    case cancel, compressionError, connectError, enhanceYourCalm, inadequateSecurity, http11Required
  }

  /// The nine bytes before a frame's payload (section 4.1).
  public struct FrameHead: Equatable, Sendable {
    public var length: Int
    /// The type's number: unknown ones are skipped.
    public var type: UInt8
    public var flags: UInt8
    public var stream: UInt32

    public init(length: Int, type: UInt8, flags: UInt8, stream: UInt32) {
      self.length = length
      self.type = type
      self.flags = flags
      self.stream = stream
    }

    /// Reads a head from nine bytes; the reserved bit is ignored.
    @inlinable
    public init(_ bytes: UnsafePointer<UInt8>) {
      length = Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2])
      type = bytes[3]
      flags = bytes[4]
      stream = HTTP2.number(bytes + 5) & HTTP2.streamMax
    }

    /// Writes the nine bytes.
    @inlinable
    public func write(to bytes: UnsafeMutablePointer<UInt8>) {
      bytes[0] = UInt8(truncatingIfNeeded: length >> 16)
      bytes[1] = UInt8(truncatingIfNeeded: length >> 8)
      bytes[2] = UInt8(truncatingIfNeeded: length)
      bytes[3] = type
      bytes[4] = flags
      HTTP2.write(stream, to: bytes + 5)
    }

    @inlinable
    public func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
  }

  /// Four bytes, most significant first.
  @inlinable
  public static func number(_ bytes: UnsafePointer<UInt8>) -> UInt32 {
    UInt32(bytes[0]) << 24 | UInt32(bytes[1]) << 16 | UInt32(bytes[2]) << 8 | UInt32(bytes[3])
  }

  @inlinable
  public static func write(_ number: UInt32, to bytes: UnsafeMutablePointer<UInt8>) {
    bytes[0] = UInt8(truncatingIfNeeded: number >> 24)
    bytes[1] = UInt8(truncatingIfNeeded: number >> 16)
    bytes[2] = UInt8(truncatingIfNeeded: number >> 8)
    bytes[3] = UInt8(truncatingIfNeeded: number)
  }

  /// A frame's payload without its padding (section 6.1); nil when there is more padding than payload.
  @inlinable
  public static func unpadded(_ payload: UnsafePointer<UInt8>, _ length: Int, _ flags: UInt8) -> Slice? {
    guard flags & Flag.padded != 0 else { return Slice(0, length) }
    guard length > 0, Int(payload[0]) < length else { return nil }
    return Slice(1, length - 1 - Int(payload[0]))
  }
}

/// What the other side's SETTINGS said (section 6.5.2).
public struct HTTP2Settings: Equatable, Sendable {
  public var headerTableSize = HTTP2.tableSizeDefault
  /// The smallest it ever was: an encoder has to agree to that, whatever came after it (RFC 7541, section 4.2).
  public var headerTableLeast = HTTP2.tableSizeDefault
  public var allowsPush = true
  /// Without a word from the other side there is no limit.
  public var maxConcurrentStreams = Int(UInt32.max)
  public var initialWindow = HTTP2.initialWindow
  public var frameMax = HTTP2.initialFrameMax
  public var headerListMax = Int(UInt32.max)

  public init() {}

  /// Takes over the payload of a SETTINGS frame.
  /// - Returns: the error for the connection when a value is impossible.
  public mutating func apply(_ payload: UnsafePointer<UInt8>, _ length: Int) -> HTTP2.ErrorCode? {
    if length % 6 != 0 { return .frameSizeError }
    var position = 0
    while position < length {
      let id = UInt16(payload[position]) << 8 | UInt16(payload[position + 1])
      let value = Int(HTTP2.number(payload + position + 2))
      position += 6
      switch HTTP2.Setting(rawValue: id) {
      case .headerTableSize:
        headerTableSize = value
        headerTableLeast = min(headerTableLeast, value)
      case .enablePush:
        if value > 1 { return .protocolError }
        allowsPush = value == 1
      case .maxConcurrentStreams: maxConcurrentStreams = value
      case .initialWindowSize:
        if value > HTTP2.windowMax { return .flowControlError }
        initialWindow = value
      case .maxFrameSize:
        if value < HTTP2.initialFrameMax || value > 0xFF_FFFF { return .protocolError }
        frameMax = value
      case .maxHeaderListSize: headerListMax = value
      case nil: break
      }
    }
    return nil
  }
}
