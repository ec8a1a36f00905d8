// Header blocks of HTTP/2 as HTTP/1.1 heads: from here on there is one kind of head, and one set of rules for it.

/// Decodes header blocks and checks them (RFC 9113, section 8). One value serves all connections of a loop; what it
/// made is valid until the next block.
public struct HTTP2HeadReader: ~Copyable {
  public enum Outcome: Equatable, Sendable {
    /// A head is in `head`, `length` bytes, the empty line included.
    case head(length: Int)
    /// The message breaks the rules: an error of its stream (`PROTOCOL_ERROR`).
    case malformed
    /// The fields are more than `listMax`; the block was decoded to its end all the same.
    case tooLarge
    /// The block is broken: an error of the connection (`COMPRESSION_ERROR`).
    case invalid
    /// A small block that unfolds to far more than anybody needs (`ENHANCE_YOUR_CALM`).
    case bomb
  }

  /// Bytes of a list of fields, each counted with 32 bytes more than its text (section 6.5.2).
  public static let listMax = 64 << 10
  /// Bytes in a block, before it is decoded.
  public static let blockMax = 128 << 10
  private static let bombMax = 4 * listMax
  /// Room in front of the fields: for pseudo-header fields as they come, and the line that is made of them.
  private static let front = 48 << 10
  private static let pseudoMax = 20 << 10

  private enum Kind { case request, response, trailers }

  private let buffer: UnsafeMutablePointer<UInt8>
  private let cookies: UnsafeMutablePointer<UInt8>
  private var position = 0
  private var pseudoEnd = 0
  private var cookieLength = 0
  private var listSize = 0
  private var hasFields = false
  private var isMalformed = false
  private var method = Slice(0, 0)
  private var path = Slice(0, 0)
  private var scheme = Slice(0, 0)
  private var authority = Slice(0, 0)
  private var status = Slice(0, 0)
  private var headStart = 0
  private var hasLength = false
  /// The content type is gRPC's.
  public private(set) var isGRPC = false

  public init() {
    buffer = .allocate(
      capacity: Self.front + Self.listMax + HPACKDecoder.roomNeeded(Self.blockMax) + 64)
    cookies = .allocate(capacity: Self.listMax + 64)
  }

  deinit {
    buffer.deallocate()
    cookies.deallocate()
  }

  /// The head that the last call made.
  public var head: UnsafeMutablePointer<UInt8> { buffer + headStart }

  /// A request's block.
  /// - Parameter hasBody: DATA frames follow; without Content-Length the head then says `chunked`.
  public mutating func readRequest(
    _ block: UnsafePointer<UInt8>, _ count: Int, _ decoder: inout HPACKDecoder, hasBody: Bool
  ) -> Outcome {
    if let failure = read(block, count, &decoder, .request) { return failure }
    if method.count == 0 { return .malformed }
    let isConnect = Token.isExactly(buffer + method.start, method.count, "CONNECT")
    if isConnect {
      if scheme.count > 0 || path.count > 0 || authority.count == 0 { return .malformed }
    } else {
      guard
        Token.matches(buffer + scheme.start, scheme.count, "http")
          || Token.matches(buffer + scheme.start, scheme.count, "https"), isGoodPath
      else { return .malformed }
    }
    if hasBody && !hasLength { append("Transfer-Encoding: chunked\r\n") }
    if cookieLength > 0 {
      append("Cookie: ")
      append(cookies, cookieLength)
      append("\r\n")
    }
    append("\r\n")
    let target = isConnect ? authority : path
    let hostLength = authority.count > 0 ? authority.count + 8 : 0
    headStart = Self.front - (method.count + target.count + 12 + hostLength)
    var cursor = headStart
    write(buffer + method.start, method.count, &cursor)
    write(" ", &cursor)
    write(buffer + target.start, target.count, &cursor)
    write(" HTTP/1.1\r\n", &cursor)
    if authority.count > 0 {
      write("Host: ", &cursor)
      write(buffer + authority.start, authority.count, &cursor)
      write("\r\n", &cursor)
    }
    return .head(length: position - headStart)
  }

  /// A response's block, final or interim.
  public mutating func readResponse(
    _ block: UnsafePointer<UInt8>, _ count: Int, _ decoder: inout HPACKDecoder
  ) -> Outcome {
    if let failure = read(block, count, &decoder, .response) { return failure }
    guard status.count == 3, !Token.isExactly(buffer + status.start, 3, "101") else { return .malformed }
    return finishResponse()
  }

  /// A block behind a body, as a head whose line says nothing.
  public mutating func readTrailers(
    _ block: UnsafePointer<UInt8>, _ count: Int, _ decoder: inout HPACKDecoder
  ) -> Outcome {
    if let failure = read(block, count, &decoder, .trailers) { return failure }
    for (index, byte) in "200".utf8.enumerated() { buffer[index] = byte }
    status = Slice(0, 3)
    return finishResponse()
  }

  private mutating func finishResponse() -> Outcome {
    append("\r\n")
    headStart = Self.front - 15
    var cursor = headStart
    write("HTTP/1.1 ", &cursor)
    write(buffer + status.start, 3, &cursor)
    write(" \r\n", &cursor)
    return .head(length: position - headStart)
  }

  /// `/...`, or `*` for OPTIONS.
  private var isGoodPath: Bool {
    if path.count == 0 { return false }
    if buffer[path.start] == 0x2F { return true }
    return path.count == 1 && buffer[path.start] == 0x2A
      && Token.isExactly(buffer + method.start, method.count, "OPTIONS")
  }

  // MARK: - Fields

  /// Decodes the whole block; nil when nothing was wrong with it so far.
  private mutating func read(
    _ block: UnsafePointer<UInt8>, _ count: Int, _ decoder: inout HPACKDecoder, _ kind: Kind
  ) -> Outcome? {
    reset()
    if count > Self.blockMax { return .bomb }
    var offset = 0
    while true {
      switch decoder.next(block, &offset, count, buffer + position) {
      case .invalid: return .invalid
      case .end:
        if listSize > Self.listMax { return .tooLarge }
        return isMalformed ? .malformed : nil
      case .field(let field):
        listSize += field.nameLength + field.valueLength + 32
        if listSize > Self.bombMax { return .bomb }
        // What is too much is decoded for the table's sake and forgotten.
        if listSize > Self.listMax || isMalformed { continue }
        isMalformed = !field.isGood || !take(field, kind)
      }
    }
  }

  private mutating func reset() {
    position = Self.front
    pseudoEnd = 0
    cookieLength = 0
    listSize = 0
    hasFields = false
    isMalformed = false
    hasLength = false
    isGRPC = false
    method = Slice(0, 0)
    path = Slice(0, 0)
    scheme = Slice(0, 0)
    authority = Slice(0, 0)
    status = Slice(0, 0)
  }

  /// Keeps the field at `position`; false when it may not be there.
  private mutating func take(_ field: HPACKDecoder.Field, _ kind: Kind) -> Bool {
    let name = buffer + position
    let value = name + field.nameLength + 2
    if name[0] == 0x3A { return kind != .trailers && takePseudo(name, field, value, kind) }
    hasFields = true
    let length = field.nameLength
    switch length {
    case 2 where Token.isExactly(name, length, "te"):
      return kind != .response && Token.isExactly(value, field.valueLength, "trailers") && keep(field)
    case 4 where kind == .request && authority.count > 0 && Token.isExactly(name, length, "host"):
      // Two different hosts are two opinions about where the request goes.
      guard field.valueLength == authority.count else { return false }
      for index in 0..<authority.count
      where Token.lowercased(value[index]) != Token.lowercased(buffer[authority.start + index]) { return false }
      return true
    case 6 where kind == .request && Token.isExactly(name, length, "cookie"):
      return takeCookie(value, field.valueLength)
    case 7 where Token.isExactly(name, length, "upgrade"): return false
    case 10 where Token.isExactly(name, length, "connection") || Token.isExactly(name, length, "keep-alive"):
      return false
    case 12 where Token.isExactly(name, length, "content-type"):
      isGRPC = Self.isGRPC(value, field.valueLength)
    case 14 where Token.isExactly(name, length, "content-length"):
      if kind == .trailers { return false }
      hasLength = true
    case 16 where Token.isExactly(name, length, "proxy-connection"): return false
    case 17 where Token.isExactly(name, length, "transfer-encoding"): return false
    default: break
    }
    return keep(field)
  }

  private mutating func keep(_ field: HPACKDecoder.Field) -> Bool {
    position += field.length
    return true
  }

  /// `application/grpc`, alone or with `+proto`, `;charset` and the like.
  static func isGRPC(_ value: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    guard length >= 16, Token.equals(value, "application/grpc", 16) else { return false }
    return length == 16 || value[16] == 0x2B || value[16] == 0x3B || value[16] == 0x20
  }

  private mutating func takePseudo(
    _ name: UnsafeMutablePointer<UInt8>, _ field: HPACKDecoder.Field, _ value: UnsafeMutablePointer<UInt8>, _ kind: Kind
  ) -> Bool {
    // They stand in front of all others, each once, and no others exist (section 8.3).
    if hasFields || field.valueLength == 0 { return false }
    if pseudoEnd + field.valueLength > Self.pseudoMax {
      listSize = Self.listMax + 1
      return true
    }
    (buffer + pseudoEnd).update(from: value, count: field.valueLength)
    let slice = Slice(pseudoEnd, field.valueLength)
    pseudoEnd += field.valueLength
    let length = field.nameLength
    if kind == .response {
      guard Token.isExactly(name, length, ":status") else { return false }
      return Self.set(&status, slice)
    }
    if Token.isExactly(name, length, ":path") { return Self.set(&path, slice) }
    if Token.isExactly(name, length, ":method") { return Self.set(&method, slice) }
    if Token.isExactly(name, length, ":scheme") { return Self.set(&scheme, slice) }
    if Token.isExactly(name, length, ":authority") { return Self.set(&authority, slice) }
    return false
  }

  private static func set(_ slice: inout Slice, _ value: Slice) -> Bool {
    if slice.count > 0 { return false }
    slice = value
    return true
  }

  /// Cookies may come in pieces (section 8.2.3).
  private mutating func takeCookie(_ value: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    if length == 0 { return true }
    if cookieLength > 0 {
      cookies[cookieLength] = 0x3B
      cookies[cookieLength + 1] = 0x20
      cookieLength += 2
    }
    (cookies + cookieLength).update(from: value, count: length)
    cookieLength += length
    return true
  }

  // MARK: - Bytes

  private mutating func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    (buffer + position).update(from: bytes, count: count)
    position += count
  }

  private mutating func append(_ text: StaticString) { append(text.utf8Start, text.utf8CodeUnitCount) }

  private func write(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ cursor: inout Int) {
    (buffer + cursor).update(from: bytes, count: count)
    cursor += count
  }

  private func write(_ text: StaticString, _ cursor: inout Int) {
    write(text.utf8Start, text.utf8CodeUnitCount, &cursor)
  }
}
