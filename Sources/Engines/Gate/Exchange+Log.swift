// Counting a request's bytes, and its line in the access log.
import GateProtocol
import HTTPWire

extension Exchange {
  @inline(__always)
  final func countReceived(_ count: Int) {
    node.statistics.requestBytes += UInt64(count)
    if let record { record.receivedBytes += UInt64(count) }
  }

  @inline(__always)
  final func countSent(_ count: Int) {
    node.statistics.responseBytes += UInt64(count)
    if let record { record.sentBytes += UInt64(count) }
  }

  /// Begins the record of a request of which nothing could be read.
  final func beginRecord() {
    guard balancer.accessLog != nil else { return }
    let record = self.record ?? RequestRecord()
    self.record = record
    record.begin(createdAt: loop.wallMicroseconds, receivedAt: loop.now)
  }

  /// Begins the record of the request whose head is in `loop.requestHead`.
  final func beginRecord(_ bytes: UnsafePointer<UInt8>) {
    beginRecord()
    guard let record else { return }
    let method = loop.requestHead.method
    record.method.append(contentsOf: UnsafeBufferPointer(start: bytes + method.start, count: method.count))
    let target = loop.requestHead.target
    record.target.append(contentsOf: UnsafeBufferPointer(start: bytes + target.start, count: target.count))
    record.version = loop.requestHead.minorVersion == 0 ? "HTTP/1.0" : protocolName
    for index in 0..<loop.requestHead.fieldCount {
      let field = loop.requestHead.fields[index]
      guard field.kind == .other, Token.matches(bytes + Int(field.start), Int(field.nameLength), "user-agent") else {
        continue
      }
      record.userAgent.append(
        contentsOf: UnsafeBufferPointer(start: bytes + Int(field.valueStart), count: Int(field.valueLength)))
      break
    }
  }

  /// Writes the line of the request, when one is owed: its answer is complete, or will never be.
  final func endRecord() {
    guard let record, record.isOpen else { return }
    record.isOpen = false
    guard let sink = balancer.accessLog else {
      self.record = nil
      return
    }
    if record.traceID.isEmpty {
      let trace = "Root=1-\(hex(loop.wallSeconds, 8))-\(hex(loop.random.next(), 16))\(hex(loop.random.next(), 8))"
      record.traceID = Array(trace.utf8)
    }
    var facts = facts
    if request.status == 101 { facts.type = listener.isSecure ? "wss" : "ws" }
    // A client that left before its answer began is answered 460.
    AccessLogLine.append(
      record, facts, balancer: balancer.logName, status: request.status == 0 ? 460 : request.status,
      now: loop.wallMicroseconds, to: &sink.lines)
    loop.noteLogLine(sink)
  }

  private func hex(_ value: UInt64, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return text.count >= digits
      ? String(text.suffix(digits)) : String(repeating: "0", count: digits - text.count) + text
  }
}

extension RequestRecord {
  /// Host and path as they were read, once they could be.
  func note(_ parts: TargetParts, _ bytes: UnsafePointer<UInt8>) {
    host.append(contentsOf: UnsafeBufferPointer(start: bytes + parts.host.start, count: parts.host.count))
    // An absolute form says the host again.
    guard !parts.isOriginForm else { return }
    target.removeAll(keepingCapacity: true)
    target.append(
      contentsOf: UnsafeBufferPointer(start: bytes + parts.path.start, count: parts.query.end - parts.path.start))
  }

  func noteSent(to target: TargetRuntime, at time: UInt64) {
    targetAddress = target.address
    targetGroup = target.group.id
    sentAt = time
    answeredAt = 0
    targetStatus = 0
  }
}
