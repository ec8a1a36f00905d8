// The head of a request or response, taken apart in place: offsets only, nothing is copied.

/// Bounds on heads (Application Load Balancer quotas).
public enum HeadLimits {
  /// Bytes in a request line or status line, without its CRLF.
  public static let lineMax = 16 << 10
  /// Bytes in one header line.
  public static let fieldMax = 16 << 10
  /// Bytes in a whole head.
  public static let headMax = 64 << 10
  /// Header lines in a head.
  public static let fieldCountMax = 256
}

/// Why a message is refused. What is ambiguous is refused, never guessed (RFC 9112, section 11.2).
public enum HeadRefusal: UInt8, Error, Sendable {
  case badRequestLine, badTarget, badVersion, badStatusLine
  case badFieldName, badFieldValue, bareLineEnd, foldedLine
  case badContentLength, differentContentLengths
  /// Chunks in HTTP/1.0, or with a length in a response.
  case conflictingFraming
  case badTransferEncoding, repeatedTransferEncoding
  /// A body whose end nothing tells.
  case lengthRequired
  case bodyTooLong
  case missingHost, badHost
  case lineTooLong, fieldTooLong, headTooLong, tooManyFields

  /// The status that answers such a request.
  public var status: Int {
    switch self {
    case .lineTooLong: 414
    case .fieldTooLong, .headTooLong, .tooManyFields: 431
    case .badVersion: 505
    case .badTransferEncoding: 501
    case .lengthRequired: 411
    case .bodyTooLong: 413
    default: 400
    }
  }
}

public enum HeadResult: Equatable, Sendable {
  /// The head ends here: its length in bytes, the empty line included.
  case complete(Int)
  /// More bytes are needed.
  case incomplete
  case refused(HeadRefusal)
}

/// How the end of a body is told (RFC 9112, section 6.3).
public enum BodyFraming: Equatable, Sendable {
  case none
  case length(UInt64)
  case chunked
  /// Until the connection is closed; only in responses.
  case untilClose
}

/// A piece of the bytes of a message.
public struct Slice: Equatable, Sendable {
  public var start: Int
  public var count: Int

  @inlinable
  public init(_ start: Int, _ count: Int) {
    self.start = start
    self.count = count
  }

  @inlinable public var end: Int { start + count }
}

/// A parsed head. One value is used again for every message of a loop: parsing resets it.
public struct MessageHead: ~Copyable {
  /// Header lines in the order they came; `fieldCount` of them are valid.
  public let fields: UnsafeMutablePointer<HeaderField>
  public internal(set) var fieldCount = 0

  /// Requests: the method.
  public internal(set) var method = Slice(0, 0)
  /// Requests: the target as it came.
  public internal(set) var target = Slice(0, 0)
  /// Responses: the status code.
  public internal(set) var status = 0
  /// 0 or 1: the digit after `HTTP/1.`.
  public internal(set) var minorVersion = 1
  /// Where the version's last digit is.
  public internal(set) var minorVersionOffset = 0
  /// Where the first header line begins.
  public internal(set) var fieldsStart = 0
  /// Offset of the first byte of the message (an empty line before a request is skipped).
  public internal(set) var start = 0

  /// The Content-Length, when there is one.
  public internal(set) var contentLength: UInt64?
  public internal(set) var isChunked = false
  /// Index of the Host line, -1 without one.
  public internal(set) var hostField = -1
  public internal(set) var traceField = -1
  public internal(set) var upgradeField = -1
  public internal(set) var hasForwardedFor = false
  public internal(set) var expectsContinue = false
  /// `close` among the tokens of Connection.
  public internal(set) var connectionClose = false
  public internal(set) var connectionKeepAlive = false
  public internal(set) var connectionUpgrade = false
  /// Connection names header lines that go no further.
  public internal(set) var nominatesFields = false
  public internal(set) var hasUnusualNames = false
  /// Requests: `Transfer-Encoding: identity`, which is no encoding.
  public internal(set) var isIdentity = false
  /// Requests: what is wrong with it though it can be passed on; the worst of it.
  public internal(set) var anomaly: DesyncReason?

  public init() {
    fields = .allocate(capacity: HeadLimits.fieldCountMax)
  }

  deinit { fields.deallocate() }

  mutating func reset() {
    fieldCount = 0
    method = Slice(0, 0)
    target = Slice(0, 0)
    status = 0
    minorVersion = 1
    start = 0
    contentLength = nil
    isChunked = false
    hostField = -1
    traceField = -1
    upgradeField = -1
    hasForwardedFor = false
    expectsContinue = false
    connectionClose = false
    connectionKeepAlive = false
    connectionUpgrade = false
    nominatesFields = false
    hasUnusualNames = false
    isIdentity = false
    anomaly = nil
  }

  /// Whether the sender lets the connection go on after this message. Chunks in HTTP/1.0 are a fault that only the
  /// connection's end makes harmless (RFC 9112, section 6.1).
  public var keepsAlive: Bool { !connectionClose && (minorVersion == 1 || (connectionKeepAlive && !isChunked)) }

  /// How a request's body ends.
  public var requestFraming: BodyFraming {
    if isChunked { return .chunked }
    if let contentLength, contentLength > 0 { return .length(contentLength) }
    return .none
  }

  /// How a response's body ends; a response to HEAD and one of 1xx, 204 and 304 has none.
  public func responseFraming(toHEAD: Bool) -> BodyFraming {
    if toHEAD || status < 200 || status == 204 || status == 304 { return .none }
    if isChunked { return .chunked }
    if let contentLength { return contentLength > 0 ? .length(contentLength) : .none }
    return .untilClose
  }

  /// Whether a Connection header of this message names the field.
  public func nominates(_ field: HeaderField, in bytes: UnsafePointer<UInt8>) -> Bool {
    let name = bytes + Int(field.start)
    let nameLength = Int(field.nameLength)
    for index in 0..<fieldCount where fields[index].kind == .connection {
      let start = bytes + Int(fields[index].valueStart)
      var list = TokenList(start, Int(fields[index].valueLength))
      while let token = list.next() {
        if token.count != nameLength { continue }
        var same = true
        for position in 0..<nameLength
        where Token.lowercased(start[token.start + position]) != Token.lowercased(name[position]) {
          same = false
          break
        }
        if same { return true }
      }
    }
    return false
  }
}

/// The parts of a comma-separated list, trimmed.
struct TokenList {
  private let bytes: UnsafePointer<UInt8>
  private let count: Int
  private var position = 0

  init(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    self.bytes = bytes
    self.count = count
  }

  /// The next part; empty parts are passed over.
  mutating func next() -> Slice? {
    while position < count {
      while position < count, bytes[position] == 0x2C || bytes[position] == 0x20 || bytes[position] == 0x09 {
        position += 1
      }
      let start = position
      while position < count, bytes[position] != 0x2C { position += 1 }
      var end = position
      while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
      if end > start { return Slice(start, end - start) }
    }
    return nil
  }
}
