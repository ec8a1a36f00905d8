// One line of a connection log, in Application Load Balancer's format.

/// What the handshake of a connection found out; all absent without TLS.
struct HandshakeFacts {
  /// Microseconds; nil when the handshake failed.
  var latency: UInt64?
  var subject = ""
  /// `NotBefore=…;NotAfter=…`
  var validity = ""
  var serialNumber = ""
  /// `Success` or `Failed:REASON`.
  var status = ""
  var keyExchange = ""
}

enum ConnectionLogLine {
  /// - Parameter now: when the connection was established or refused, in microseconds since 1970.
  static func append(_ facts: ConnectionFacts, _ handshake: HandshakeFacts, now: UInt64, to out: inout Bytes) {
    AccessLogLine.append(time: now, to: &out)
    out.append(byte: 0x20)
    out.append(address: facts.clientAddress)
    out.append(byte: 0x20)
    out.append(decimal: UInt64(facts.clientPort))
    out.append(byte: 0x20)
    out.append(decimal: UInt64(facts.listenerPort))
    word(facts.tlsProtocol, to: &out)
    word(facts.tlsCipher, to: &out)
    if let latency = handshake.latency {
      out.append(byte: 0x20)
      out.append(decimal: latency / 1_000_000)
      out.append(byte: 0x2E)
      out.append(decimal: latency / 1000 % 1000, digits: 3)
    } else {
      out.append(" -")
    }
    AccessLogLine.quoted(handshake.subject, to: &out)
    word(handshake.validity, to: &out)
    word(handshake.serialNumber, to: &out)
    word(handshake.status, to: &out)
    out.append(" TID_")
    out.append(hexadecimal: facts.traceID.0, digits: 16)
    out.append(hexadecimal: facts.traceID.1, digits: 16)
    word(handshake.keyExchange, to: &out)
    out.append("\n")
  }

  private static func word(_ text: String, to out: inout Bytes) {
    out.append(byte: 0x20)
    if text.isEmpty { out.append("-") } else { out.append(text: text) }
  }
}
