// One line of an access log, in Application Load Balancer's format: all fields in their order, texts in quotes.

enum AccessLogLine {
  private static let userAgentMax = 8 << 10

  /// Appends the line of a request.
  /// - Parameters:
  ///   - balancer: `app/NAME/ID`.
  ///   - status: what the client was answered.
  ///   - now: when the answer was made, in microseconds since 1970.
  static func append(
    _ record: RequestRecord, _ facts: ConnectionFacts, balancer: String, status: Int, now: UInt64, to out: inout Bytes
  ) {
    out.append(facts.type)
    out.append(byte: 0x20)
    append(time: now, to: &out)
    out.append(byte: 0x20)
    out.append(text: balancer)
    out.append(byte: 0x20)
    out.append(address: facts.clientAddress, port: facts.clientPort)
    out.append(byte: 0x20)
    append(record.targetAddress, to: &out)
    appendDurations(record, to: &out)
    out.append(byte: 0x20)
    out.append(decimal: UInt64(status))
    out.append(byte: 0x20)
    appendStatus(record.targetStatus, to: &out)
    out.append(byte: 0x20)
    out.append(decimal: record.receivedBytes)
    out.append(byte: 0x20)
    out.append(decimal: record.sentBytes)
    appendRequest(record, facts, to: &out)
    quoted(record.userAgent.prefix(userAgentMax), to: &out)
    plain(facts.tlsCipher, to: &out)
    plain(facts.tlsProtocol, to: &out)
    plain(record.targetGroup, to: &out)
    quoted(record.traceID[...], to: &out)
    quoted(facts.domainName, to: &out)
    quoted(facts.certificate, to: &out)
    out.append(byte: 0x20)
    if let priority = record.rulePriority { out.append(signed: priority) } else { out.append("-") }
    out.append(byte: 0x20)
    append(time: record.createdAt, to: &out)
    quoted(record.actions, to: &out)
    quoted(record.redirectURL, to: &out)
    quoted(record.errorReason, to: &out)
    out.append(" \"")
    append(record.targetAddress, to: &out)
    out.append("\" \"")
    appendStatus(record.targetStatus, to: &out)
    out.append("\" \"")
    out.append(record.classification)
    out.append("\"")
    quoted(record.classificationReason, to: &out)
    out.append(" TID_")
    out.append(hexadecimal: facts.traceID.0, digits: 16)
    out.append(hexadecimal: facts.traceID.1, digits: 16)
    quoted(record.transformedHost[...], to: &out)
    quoted(record.transformedURI[...], to: &out)
    quoted(record.transformStatus, to: &out)
    out.append("\n")
  }

  private static func append(_ target: SocketAddress?, to out: inout Bytes) {
    guard let target else { return out.append("-") }
    out.append(address: target.address, port: target.port)
  }

  private static func appendStatus(_ status: Int, to out: inout Bytes) {
    if status > 0 { out.append(decimal: UInt64(status)) } else { out.append("-") }
  }

  /// Seconds with milliseconds; -1 for what did not take place.
  private static func appendDurations(_ record: RequestRecord, to out: inout Bytes) {
    let isSent = record.sentAt > 0 && record.targetAddress != nil
    let isAnswered = isSent && record.answeredAt >= record.sentAt && record.answeredAt > 0
    out.append(byte: 0x20)
    if isSent, isAnswered { duration(record.sentAt &- record.receivedAt, to: &out) } else { out.append("-1") }
    out.append(byte: 0x20)
    if isAnswered { duration(record.answeredAt &- record.sentAt, to: &out) } else { out.append("-1") }
    // The head of an answer is on its way to the client within the same turn of the loop.
    if isAnswered { out.append(" 0.000") } else { out.append(" -1") }
  }

  private static func duration(_ microseconds: UInt64, to out: inout Bytes) {
    let milliseconds = (microseconds &+ 500) / 1000
    out.append(decimal: milliseconds / 1000)
    out.append(byte: 0x2E)
    out.append(decimal: milliseconds % 1000, digits: 3)
  }

  /// `"GET http://host:port/path HTTP/1.1"`; hyphens for what could not be read.
  private static func appendRequest(_ record: RequestRecord, _ facts: ConnectionFacts, to out: inout Bytes) {
    out.append(" \"")
    if record.method.isEmpty { out.append("-") } else { escaped(record.method[...], to: &out) }
    out.append(byte: 0x20)
    out.append(facts.scheme)
    out.append("://")
    if record.host.isEmpty { out.append(address: facts.listenerAddress) } else { escaped(record.host[...], to: &out) }
    out.append(byte: 0x3A)
    out.append(decimal: UInt64(facts.listenerPort))
    if record.method.isEmpty {
      out.append("- -\"")
    } else {
      escaped(record.target[...], to: &out)
      out.append(byte: 0x20)
      out.append(record.version)
      out.append("\"")
    }
  }

  // MARK: - Texts

  private static func plain(_ text: String, to out: inout Bytes) {
    out.append(byte: 0x20)
    if text.isEmpty { out.append("-") } else { out.append(text: text) }
  }

  static func quoted(_ text: String, to out: inout Bytes) { quoted(Array(text.utf8)[...], to: &out) }

  static func quoted(_ text: ArraySlice<UInt8>, to out: inout Bytes) {
    out.append(" \"")
    if text.isEmpty { out.append("-") } else { escaped(text, to: &out) }
    out.append("\"")
  }

  /// Quotes, backslashes and all that is not printable ASCII become `\xHH`, so that a line stays one line.
  private static func escaped(_ text: ArraySlice<UInt8>, to out: inout Bytes) {
    for byte in text {
      if byte < 0x20 || byte > 0x7E || byte == 0x22 || byte == 0x5C {
        out.append("\\x")
        out.append(hexadecimalUpper: byte)
      } else {
        out.append(byte: byte)
      }
    }
  }

  /// `2018-07-02T22:23:00.186641Z`
  static func append(time microseconds: UInt64, to out: inout Bytes) {
    append(second: microseconds / 1_000_000, to: &out)
    out.append(byte: 0x2E)
    out.append(decimal: microseconds % 1_000_000, digits: 6)
    out.append(byte: 0x5A)
  }

  /// `2018-07-02T22:23:00`
  static func append(second seconds: UInt64, to out: inout Bytes) {
    let date = HTTPDate.civil(day: Int(seconds / 86_400))
    out.append(decimal: UInt64(date.year), digits: 4)
    out.append(byte: 0x2D)
    out.append(decimal: UInt64(date.month), digits: 2)
    out.append(byte: 0x2D)
    out.append(decimal: UInt64(date.day), digits: 2)
    out.append(byte: 0x54)
    out.append(decimal: seconds / 3600 % 24, digits: 2)
    out.append(byte: 0x3A)
    out.append(decimal: seconds / 60 % 60, digits: 2)
    out.append(byte: 0x3A)
    out.append(decimal: seconds % 60, digits: 2)
  }
}

extension Bytes {
  /// With leading zeros.
  mutating func append(decimal value: UInt64, digits: Int) {
    let room = reserve(digits)
    var rest = value
    for index in stride(from: digits - 1, through: 0, by: -1) {
      room[index] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
      rest /= 10
    }
    advanceEnd(digits)
  }

  mutating func append(signed value: Int) {
    if value < 0 { append(byte: 0x2D) }
    append(decimal: UInt64(value.magnitude))
  }

  mutating func append(hexadecimalUpper byte: UInt8) {
    for digit in [byte >> 4, byte & 15] { append(byte: digit < 10 ? digit + 0x30 : digit + 0x37) }
  }
}
