// One line of an access log, in Network Load Balancer's format: a TLS connection that has ended.
import GateProtocol

/// What a line says of the connection itself.
/// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html
struct FlowLogLine {
  /// Bytes of the client's list of protocols that are told.
  private static let listMax = 256

  var source: FlowSource
  /// Microseconds, from the accepted connection to its end.
  var connectionTime: UInt64
  /// Microseconds; nil when the handshake was not completed.
  var handshakeTime: UInt64?
  /// Without encryption.
  var receivedBytes: UInt64 = 0
  var sentBytes: UInt64 = 0
  /// What was agreed on with the target; empty for nothing.
  var targetProtocol = ""

  init(source: FlowSource, connectionTime: UInt64) {
    self.source = source
    self.connectionTime = connectionTime
  }

  /// - Parameter now: when the connection ended, in microseconds since 1970.
  func append(_ listener: NetworkListenerRuntime, _ tls: TLSSession, now: UInt64, to out: inout Bytes) {
    out.append("tls 2.0 ")
    Self.append(second: now, to: &out)
    Self.word(listener.balancer.logName, to: &out)
    Self.word(listener.name, to: &out)
    Self.place(source.address, source.port, to: &out)
    Self.place(listener.address, listener.port, to: &out)
    Self.milliseconds(connectionTime, to: &out)
    Self.milliseconds(handshakeTime, to: &out)
    Self.number(receivedBytes, to: &out)
    Self.number(sentBytes, to: &out)
    Self.number(tls.receivedAlert.map(UInt64.init), to: &out)
    Self.word(tls.sawHello ? tls.certificateID ?? "" : "", to: &out)
    out.append(" -")
    let isAgreed = handshakeTime != nil
    Self.word(isAgreed ? tls.suite : "", to: &out)
    Self.word(isAgreed ? Self.version(tls.version) : "", to: &out)
    out.append(" -")
    Self.word(Self.encoded(Array((tls.serverName ?? "").utf8)), to: &out)
    Self.word(isAgreed ? tls.applicationProtocol : "", to: &out)
    Self.word(targetProtocol, to: &out)
    Self.word(Self.list(tls.offeredProtocols), to: &out)
    out.append(byte: 0x20)
    Self.append(second: now &- connectionTime, to: &out)
    out.append("\n")
  }

  /// `tlsv13` for OpenSSL's `TLSv1.3`.
  static func version(_ name: String) -> String {
    switch name {
    case "TLSv1": "tlsv10"
    default: name.lowercased().filter { $0 != "." }
    }
  }

  /// `"h2","http/1.1"` of the wire's form, what is not plain in percents; cut off after 256 bytes.
  static func list(_ wire: [UInt8]) -> String {
    var names: [String] = []
    var position = 0
    while position < wire.count {
      let end = position + 1 + Int(wire[position])
      guard end <= wire.count else { break }
      names.append("\"\(encoded(Array(wire[(position + 1)..<end])))\"")
      position = end
    }
    return String(names.joined(separator: ",").prefix(listMax))
  }

  private static func encoded(_ bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes {
      if byte &- 0x2D < 13 || byte | 0x20 &- 0x61 < 26 || byte == 0x5F || byte == 0x7E {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let hex = String(byte, radix: 16, uppercase: true)
        text += "%" + (hex.count == 1 ? "0" : "") + hex
      }
    }
    return text
  }

  // MARK: - Fields

  private static func word(_ text: String, to out: inout Bytes) {
    out.append(byte: 0x20)
    if text.isEmpty { out.append("-") } else { out.append(text: text) }
  }

  private static func number(_ value: UInt64?, to out: inout Bytes) {
    out.append(byte: 0x20)
    if let value { out.append(decimal: value) } else { out.append("-") }
  }

  private static func milliseconds(_ microseconds: UInt64?, to out: inout Bytes) {
    number(microseconds.map { ($0 &+ 500) / 1000 }, to: &out)
  }

  private static func place(_ address: UInt32, _ port: UInt16, to out: inout Bytes) {
    out.append(byte: 0x20)
    out.append(address: address, port: port)
  }

  /// `2018-12-20T02:59:40`
  private static func append(second microseconds: UInt64, to out: inout Bytes) {
    AccessLogLine.append(second: microseconds / 1_000_000, to: &out)
  }
}

extension NetworkListenerRuntime {
  /// Writes the line of a connection that has ended, when there is a log.
  func log(_ line: FlowLogLine, _ tls: TLSSession, _ loop: EventLoop) {
    guard let sink = balancer.accessLog else { return }
    line.append(self, tls, now: loop.wallMicroseconds, to: &sink.lines)
    loop.noteLogLine(sink)
  }
}
