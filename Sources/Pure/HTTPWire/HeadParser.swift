// The strict parser of message heads (RFC 9112): one pass over the bytes, in place.

extension MessageHead {
  /// Parses the head of a request.
  public mutating func parseRequest(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> HeadResult {
    reset()
    var position = 0
    // One empty line before a request is forgiven (RFC 9112, section 2.2).
    if count >= 1, bytes[0] == 0x0D {
      if count < 2 { return .incomplete }
      if bytes[1] != 0x0A { return .refused(.bareLineEnd) }
      position = 2
    }
    start = position
    let limit = min(count, position + HeadLimits.lineMax)

    var end = position
    while end < limit, Token.contains(bytes[end]) { end += 1 }
    if end == limit { return unfinishedLine(count, limit) }
    if bytes[end] != 0x20 || end == position { return .refused(.badRequestLine) }
    method = Slice(position, end - position)
    position = end + 1

    end = Scan.endOfVisible(bytes, position, limit)
    if end == limit { return unfinishedLine(count, limit) }
    if bytes[end] != 0x20 { return .refused(bytes[end] == 0x0D || bytes[end] == 0x0A ? .badRequestLine : .badTarget) }
    if end == position { return .refused(.badTarget) }
    target = Slice(position, end - position)
    position = end + 1

    if limit - position < 10 { return unfinishedVersion(bytes, position, limit, count) }
    guard Self.isVersion(bytes + position) else { return .refused(Self.versionRefusal(bytes + position)) }
    minorVersionOffset = position + 7
    minorVersion = Int(bytes[position + 7]) - 0x30
    guard bytes[position + 8] == 0x0D, bytes[position + 9] == 0x0A else {
      return .refused(bytes[position + 8] == 0x0A ? .bareLineEnd : .badRequestLine)
    }
    position += 10
    fieldsStart = position
    let result = parseFields(bytes, position, count)
    if case .complete = result, let refusal = checkRequest(bytes) { return .refused(refusal) }
    return result
  }

  /// Parses the head of a response.
  public mutating func parseResponse(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> HeadResult {
    reset()
    let limit = min(count, HeadLimits.lineMax)
    if limit < 14 {
      // Shorter than any status line with its CRLF; what is there must at least begin like one.
      let prefix: StaticString = "HTTP/1."
      for index in 0..<min(limit, 7) where bytes[index] != prefix.utf8Start[index] { return .refused(.badStatusLine) }
      return .incomplete
    }
    guard Self.isVersion(bytes), bytes[8] == 0x20 else { return .refused(.badStatusLine) }
    minorVersionOffset = 7
    minorVersion = Int(bytes[7]) - 0x30
    for index in 9..<12 {
      let digit = bytes[index] &- 0x30
      if digit > 9 { return .refused(.badStatusLine) }
      status = status * 10 + Int(digit)
    }
    if status < 100 || status > 599 { return .refused(.badStatusLine) }
    // Some servers leave out the space before an empty reason.
    guard bytes[12] == 0x20 || bytes[12] == 0x0D else { return .refused(.badStatusLine) }
    var highBits: UInt64 = 0
    let end = Scan.endOfText(bytes, 12, limit, &highBits)
    if end >= limit - 1 { return unfinishedLine(count, limit) }
    guard bytes[end] == 0x0D, bytes[end + 1] == 0x0A else { return .refused(.badStatusLine) }
    fieldsStart = end + 2
    let result = parseFields(bytes, end + 2, count)
    if case .complete = result, isChunked, contentLength != nil { return .refused(.conflictingFraming) }
    return result
  }

  // MARK: - Lines

  private func unfinishedLine(_ count: Int, _ limit: Int) -> HeadResult {
    limit < count ? .refused(.lineTooLong) : .incomplete
  }

  @inline(__always)
  private static func isVersion(_ bytes: UnsafePointer<UInt8>) -> Bool {
    let prefix: StaticString = "HTTP/1."
    for index in 0..<7 where bytes[index] != prefix.utf8Start[index] { return false }
    return bytes[7] == 0x30 || bytes[7] == 0x31
  }

  /// A version that is well formed but not ours is told apart from nonsense.
  private static func versionRefusal(_ bytes: UnsafePointer<UInt8>) -> HeadRefusal {
    let prefix: StaticString = "HTTP/"
    for index in 0..<5 where bytes[index] != prefix.utf8Start[index] { return .badRequestLine }
    let isWellFormed = bytes[5] &- 0x30 <= 9 && bytes[6] == 0x2E && bytes[7] &- 0x30 <= 9
    return isWellFormed ? .badVersion : .badRequestLine
  }

  private func unfinishedVersion(
    _ bytes: UnsafePointer<UInt8>, _ position: Int, _ limit: Int, _ count: Int
  ) -> HeadResult {
    for index in position..<limit where bytes[index] == 0x0A { return .refused(.badRequestLine) }
    return unfinishedLine(count, limit)
  }

  // MARK: - Header lines

  private mutating func parseFields(_ bytes: UnsafePointer<UInt8>, _ from: Int, _ count: Int) -> HeadResult {
    let limit = min(count, start + HeadLimits.headMax)
    var position = from
    while true {
      if position >= limit { return limit < count ? .refused(.headTooLong) : .incomplete }
      if bytes[position] == 0x0D {
        if position + 1 >= limit { return limit < count ? .refused(.headTooLong) : .incomplete }
        return bytes[position + 1] == 0x0A ? .complete(position + 2) : .refused(.bareLineEnd)
      }
      if fieldCount == HeadLimits.fieldCountMax { return .refused(.tooManyFields) }
      let lineLimit = min(limit, position + HeadLimits.fieldMax)

      var end = position
      var isPlain = true
      while end < lineLimit {
        let byte = bytes[end]
        if Token.isPlain(byte) {
          end += 1
        } else if Token.contains(byte) {
          isPlain = false
          end += 1
        } else {
          break
        }
      }
      if end == lineLimit { return unfinishedField(count, limit, lineLimit) }
      if bytes[end] != 0x3A || end == position { return .refused(Self.nameRefusal(bytes[end], end == position)) }
      let nameLength = end - position

      var valueStart = end + 1
      while valueStart < lineLimit, bytes[valueStart] == 0x20 || bytes[valueStart] == 0x09 { valueStart += 1 }
      var highBits: UInt64 = 0
      let lineEnd = Scan.endOfText(bytes, valueStart, lineLimit, &highBits)
      if lineEnd + 1 >= lineLimit { return unfinishedField(count, limit, lineLimit) }
      guard bytes[lineEnd] == 0x0D, bytes[lineEnd + 1] == 0x0A else {
        return .refused(bytes[lineEnd] == 0x0A || bytes[lineEnd] == 0x0D ? .bareLineEnd : .badFieldValue)
      }
      var valueEnd = lineEnd
      while valueEnd > valueStart, bytes[valueEnd - 1] == 0x20 || bytes[valueEnd - 1] == 0x09 { valueEnd -= 1 }

      let kind = HeaderField.Kind.of(bytes + position, nameLength)
      fields[fieldCount] = HeaderField(
        start: Int32(truncatingIfNeeded: position), nameLength: Int32(truncatingIfNeeded: nameLength),
        valueStart: Int32(truncatingIfNeeded: valueStart),
        valueLength: Int32(truncatingIfNeeded: valueEnd - valueStart),
        end: Int32(truncatingIfNeeded: lineEnd + 2), kind: kind, hasPlainName: isPlain)
      if !isPlain { hasUnusualNames = true }
      fieldCount += 1
      if highBits != 0 { note(.nonCompliantHeader) }
      if kind == .other, nameLength >= 13, nameLength <= 24, Self.isSuspicious(bytes + position, nameLength) {
        note(.suspiciousHeader)
      }
      if kind != .other, let refusal = note(kind, bytes, valueStart, valueEnd - valueStart) { return .refused(refusal) }
      position = lineEnd + 2
    }
  }

  private func unfinishedField(_ count: Int, _ limit: Int, _ lineLimit: Int) -> HeadResult {
    if lineLimit < limit { return .refused(.fieldTooLong) }
    return limit < count ? .refused(.headTooLong) : .incomplete
  }

  private static func nameRefusal(_ byte: UInt8, _ atStart: Bool) -> HeadRefusal {
    if byte == 0x0A { return .bareLineEnd }
    if atStart && (byte == 0x20 || byte == 0x09) { return .foldedLine }
    return .badFieldName
  }

  /// Notes what a known field says about framing and the connection.
  private mutating func note(
    _ kind: HeaderField.Kind, _ bytes: UnsafePointer<UInt8>, _ valueStart: Int, _ length: Int
  ) -> HeadRefusal? {
    let value = bytes + valueStart
    switch kind {
    case .host:
      if hostField >= 0 { return .badHost }
      hostField = fieldCount - 1
    case .connection: noteConnection(value, length)
    case .contentLength:
      guard let parsed = Scan.decimal(value, length) else {
        return length > 18 && Scan.areDigits(value, length) ? .bodyTooLong : .badContentLength
      }
      if let contentLength {
        if contentLength != parsed { return .differentContentLengths }
        fields[fieldCount - 1].kind = .superfluous
        note(.duplicateContentLength)
      }
      contentLength = parsed
    case .transferEncoding:
      // Only `chunked` alone: every other coding would have to be understood to find the body's end.
      if Token.matches(value, length, "identity") {
        isIdentity = true
        fields[fieldCount - 1].kind = .superfluous
        return nil
      }
      if !Token.matches(value, length, "chunked") { return .badTransferEncoding }
      if isChunked { return .repeatedTransferEncoding }
      isChunked = true
    case .expect: if Token.matches(value, length, "100-continue") { expectsContinue = true }
    case .upgrade: upgradeField = upgradeField < 0 ? fieldCount - 1 : upgradeField
    case .xForwardedFor: hasForwardedFor = true
    case .xAmznTraceId: traceField = traceField < 0 ? fieldCount - 1 : traceField
    default: break
    }
    return nil
  }

  private mutating func noteConnection(_ value: UnsafePointer<UInt8>, _ length: Int) {
    var list = TokenList(value, length)
    while let token = list.next() {
      let name = value + token.start
      if Token.matches(name, token.count, "keep-alive") {
        connectionKeepAlive = true
      } else if Token.matches(name, token.count, "close") {
        connectionClose = true
      } else if Token.matches(name, token.count, "upgrade") {
        connectionUpgrade = true
      } else {
        nominatesFields = true
      }
    }
  }

  /// What must hold of a whole request, and what is odd about it.
  private mutating func checkRequest(_ bytes: UnsafePointer<UInt8>) -> HeadRefusal? {
    if isChunked || contentLength != nil || isIdentity, let refusal = checkFraming(bytes) { return refusal }
    if hostField < 0 { return minorVersion == 1 ? .missingHost : nil }
    let host = fields[hostField]
    for index in Int(host.valueStart)..<Int(host.valueStart + host.valueLength) where !Scan.isHostByte(bytes[index]) {
      return .badHost
    }
    return nil
  }
}

extension MessageHead {
  private mutating func checkFraming(_ bytes: UnsafePointer<UInt8>) -> HeadRefusal? {
    if isChunked && (minorVersion == 0 || isIdentity) { return .conflictingFraming }
    let name = bytes + method.start
    if Token.isExactly(name, method.count, "GET") || Token.isExactly(name, method.count, "HEAD") {
      if isChunked {
        note(.undefinedTransferEncodingSemantics)
      } else if let contentLength {
        note(contentLength == 0 ? .getHeadZeroContentLength : .undefinedContentLengthSemantics)
      }
    } else if isIdentity, contentLength == nil, Self.hasContent(name, method.count) {
      return .lengthRequired
    }
    // A length tells the end, but a reader that does not know `identity` may differ.
    if isIdentity { note(.bothTEAndCLPresent) }
    if isChunked, contentLength != nil {
      // The chunks tell the end, and the length goes no further (RFC 9112, section 6.3).
      note(.bothTEAndCLPresent)
      contentLength = nil
      for index in 0..<fieldCount where fields[index].kind == .contentLength { fields[index].kind = .superfluous }
    }
    return nil
  }

  private static func hasContent(_ name: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    Token.isExactly(name, length, "POST") || Token.isExactly(name, length, "PUT")
      || Token.isExactly(name, length, "PATCH")
  }
}

/// Fast searches over bytes.
public enum Scan {
  @inline(__always)
  private static func word(_ bytes: UnsafePointer<UInt8>, _ position: Int) -> UInt64 {
    UnsafeRawPointer(bytes + position).loadUnaligned(as: UInt64.self)
  }

  /// The first byte from `position` that is not visible ASCII (0x21...0x7E), or `limit`.
  @inline(__always)
  static func endOfVisible(_ bytes: UnsafePointer<UInt8>, _ position: Int, _ limit: Int) -> Int {
    var index = position
    while index + 8 <= limit {
      let value = word(bytes, index)
      let low = (value &- 0x2121_2121_2121_2121) & ~value
      let delete = value ^ 0x7F7F_7F7F_7F7F_7F7F
      let isDelete = (delete &- 0x0101_0101_0101_0101) & ~delete
      if (low | value | isDelete) & 0x8080_8080_8080_8080 != 0 { break }
      index += 8
    }
    while index < limit, bytes[index] &- 0x21 <= 0x5D { index += 1 }
    return index
  }

  /// The first byte that may not stand in a header value (a control character other than tab), or `limit`.
  /// `highBits` gets bits that are set when a byte before it is not ASCII.
  @inline(__always)
  static func endOfText(
    _ bytes: UnsafePointer<UInt8>, _ position: Int, _ limit: Int, _ highBits: inout UInt64
  ) -> Int {
    var index = position
    while true {
      while index + 8 <= limit {
        let value = word(bytes, index)
        let low = (value &- 0x2020_2020_2020_2020) & ~value
        let delete = value ^ 0x7F7F_7F7F_7F7F_7F7F
        let isDelete = (delete &- 0x0101_0101_0101_0101) & ~delete
        let found = (low | isDelete) & 0x8080_8080_8080_8080
        if found != 0 {
          // A borrow can only mark bytes above the first real one, so the lowest mark is right.
          let before = found.trailingZeroBitCount & ~7
          highBits |= value & 0x8080_8080_8080_8080 & ((1 << UInt64(before)) &- 1)
          index += before >> 3
          break
        }
        highBits |= value & 0x8080_8080_8080_8080
        index += 8
      }
      while index < limit, bytes[index] >= 0x20, bytes[index] != 0x7F, index + 8 > limit {
        highBits |= UInt64(bytes[index] & 0x80)
        index += 1
      }
      if index < limit, bytes[index] == 0x09 {
        index += 1
        continue
      }
      return index
    }
  }

  /// A whole number in decimal digits and nothing else, below 10^18.
  @inlinable
  public static func decimal(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt64? {
    guard count > 0, count <= 18 else { return nil }
    var value: UInt64 = 0
    for index in 0..<count {
      let digit = bytes[index] &- 0x30
      if digit > 9 { return nil }
      value = value * 10 + UInt64(digit)
    }
    return value
  }

  static func areDigits(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    for index in 0..<count where bytes[index] &- 0x30 > 9 { return false }
    return true
  }

  /// What may stand in a Host value: no white space, no separators that a log or a redirect could trip over.
  @inline(__always)
  static func isHostByte(_ byte: UInt8) -> Bool {
    Token.isPlain(byte) || byte == 0x2E || byte == 0x3A || byte == 0x5B || byte == 0x5D || byte == 0x5F
      || byte == 0x7E || byte == 0x25
  }

  /// Whether the bytes from `position` on hold the end of a head (an empty line), however ended.
  public static func containsEndOfHead(_ bytes: UnsafePointer<UInt8>, from position: Int, _ count: Int) -> Bool {
    var index = max(0, position - 3)
    while index < count {
      if bytes[index] == 0x0A {
        if index + 1 < count, bytes[index + 1] == 0x0A { return true }
        if index + 2 < count, bytes[index + 1] == 0x0D, bytes[index + 2] == 0x0A { return true }
      }
      index += 1
    }
    return false
  }
}
