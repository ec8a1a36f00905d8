// From a parsed head to the target: the rules, and the request as the target gets it.
import CLinux
import GateProtocol
import HTTPWire

extension Exchange {
  /// Begins the request whose head is in `loop.requestHead`; returns how many of the bytes belong to it.
  final func begin(_ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int) -> Int {
    note(bytes)
    guard let target = TargetParts(loop.requestHead, bytes) else {
      answer(LocalAnswer(status: 400), closing: true)
      return count
    }
    let method = loop.requestHead.method
    if Token.isExactly(bytes + method.start, method.count, "TRACE")
      || Token.isExactly(bytes + method.start, method.count, "CONNECT")
    {
      answer(LocalAnswer(status: 405), closing: true)
      return count
    }
    let input = RuleInput(
      bytes: bytes, method: method, host: target.host, path: target.path, query: target.query, source: source)
    switch listener.rules.action(for: input, loop.requestHead) {
    case .forward(let groups):
      guard let group = groups.choose(&loop.random) else { return count - refuse(503, bytes, headLength, count) }
      if !suits(group) { return count - refuse(464, bytes, headLength, count) }
      self.group = group
      outgoing.clear()
      buildRequest(bytes, headLength, target)
      return headLength + takeFirstBody(bytes + headLength, count - headLength)
    case .redirect(let redirect):
      let location = target.location(redirect, bytes: bytes, listener: listener)
      return headLength
        + answerAndSkipBody(LocalAnswer(redirect, location: location), bytes + headLength, count - headLength)
    case .fixedResponse(let response):
      return headLength + answerAndSkipBody(LocalAnswer(response), bytes + headLength, count - headLength)
    }
  }

  /// Answers a request whose body is not wanted. When the whole body has come it is skipped and the connection goes
  /// on; otherwise it ends. Returns how many of the bytes were the body's.
  private func answerAndSkipBody(_ local: LocalAnswer, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var used = 0
    if !request.body.isDone, count > 0 {
      if case .body(let taken, _) = request.body.read(bytes, count) { used = taken }
    }
    answer(local, closing: !request.body.isDone)
    return used
  }

  private func refuse(_ status: Int, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int) -> Int {
    let used = answerAndSkipBody(LocalAnswer(status: status), bytes + headLength, count - headLength)
    return count - headLength - used
  }

  /// Remembers of the head what is needed after its bytes are gone.
  private func note(_ bytes: UnsafePointer<UInt8>) {
    let method = loop.requestHead.method
    let name = bytes + method.start
    request.keepsAlive = loop.requestHead.keepsAlive
    request.isOldVersion = loop.requestHead.minorVersion == 0
    let length = method.count
    if Token.isExactly(name, length, "GET") {
      request.isIdempotent = true
    } else if Token.isExactly(name, length, "HEAD") {
      request.isHEAD = true
      request.isIdempotent = true
    } else {
      request.isIdempotent =
        Token.isExactly(name, length, "PUT") || Token.isExactly(name, length, "DELETE")
        || Token.isExactly(name, length, "OPTIONS")
    }
    noteProtocol()
    noteUpgrade(bytes)
  }

  private func noteUpgrade(_ bytes: UnsafePointer<UInt8>) {
    guard loop.requestHead.connectionUpgrade, loop.requestHead.upgradeField >= 0, !request.isOldVersion else { return }
    let field = loop.requestHead.fields[loop.requestHead.upgradeField]
    request.wantsUpgrade = Token.matches(bytes + Int(field.valueStart), Int(field.valueLength), "websocket")
  }

  // MARK: - The head for the target

  private func buildRequest(_ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ target: TargetParts) {
    _ = outgoing.reserve(headLength + 512)
    let start = loop.requestHead.start
    if target.isOriginForm {
      // The line and the fields behind it are one piece, up to the first line that must go.
      appendFields(bytes, from: start)
      if request.isOldVersion { patchVersion(at: loop.requestHead.minorVersionOffset - start) }
    } else {
      outgoing.append(bytes + loop.requestHead.method.start, loop.requestHead.method.count + 1)
      if target.path.count == 0 { outgoing.append(byte: 0x2F) }
      outgoing.append(bytes + target.path.start, target.query.end - target.path.start)
      outgoing.append(" HTTP/1.1\r\n")
      appendFields(bytes, from: loop.requestHead.fieldsStart)
    }
    appendOwnFields(bytes)
  }

  private func patchVersion(at offset: Int) { (outgoing.first + offset).pointee = 0x31 }

  /// Copies the header lines from `from` on without those that end here.
  private func appendFields(_ bytes: UnsafePointer<UInt8>, from: Int) {
    var run = from
    let head = loop.requestHead.fields
    let dropsUnusual = balancer.attributes.dropInvalidHeaderFields && loop.requestHead.hasUnusualNames
    let nominates = loop.requestHead.nominatesFields
    var end = loop.requestHead.fieldsStart
    for index in 0..<loop.requestHead.fieldCount {
      let field = head[index]
      end = Int(field.end)
      var drops = false
      switch field.kind {
      case .other, .contentLength, .transferEncoding:
        if field.kind == .other {
          if dropsUnusual && !field.hasPlainName { drops = true }
          if mustDropIdentity(field, bytes) { drops = true }
          if nominates && loop.requestHead.nominates(field, in: bytes) { drops = true }
        }
      case .host:
        if let suffix = missingPort(field, bytes) {
          let valueEnd = Int(field.valueStart + field.valueLength)
          outgoing.append(bytes + run, valueEnd - run)
          outgoing.append(byte: 0x3A)
          outgoing.append(decimal: UInt64(suffix))
          run = valueEnd
        }
      case .connection, .keepAlive, .proxyConnection, .te, .xForwardedProto, .xForwardedPort, .xAmznTraceId:
        drops = true
      case .upgrade: drops = !request.wantsUpgrade
      case .expect: drops = request.isOldVersion
      case .xForwardedFor: drops = balancer.attributes.forwardedForMode != .preserve
      }
      if drops {
        outgoing.append(bytes + run, Int(field.start) - run)
        run = Int(field.end)
      }
    }
    outgoing.append(bytes + run, end - run)
  }

  /// What only the load balancer may say of a client is not taken from the client.
  private func mustDropIdentity(_ field: HeaderField, _ bytes: UnsafePointer<UInt8>) -> Bool {
    guard tls != nil else { return false }
    let length = Int(field.nameLength)
    return length >= 18 && Token.equals(bytes + Int(field.start), "x-amzn-mtls-client", 18)
      || length >= 11 && (balancer.attributes.tlsHeaders ?? false)
        && Token.equals(bytes + Int(field.start), "x-amzn-tls-", 11)
  }

  /// The port to add to a Host that lacks it, on listeners with an unusual port.
  private func missingPort(_ field: HeaderField, _ bytes: UnsafePointer<UInt8>) -> UInt16? {
    if listener.port == 80 || listener.port == 443 || balancer.attributes.preserveHostHeader { return nil }
    if field.valueLength == 0 { return nil }
    var index = Int(field.valueStart + field.valueLength) - 1
    while index >= Int(field.valueStart), bytes[index] &- 0x30 <= 9 { index -= 1 }
    if index >= Int(field.valueStart), bytes[index] == 0x3A { return nil }
    return listener.port
  }

  private func appendOwnFields(_ bytes: UnsafePointer<UInt8>) {
    if loop.requestHead.hostField < 0 {
      outgoing.append("Host: ")
      outgoing.append(address: listener.address)
      outgoing.append("\r\n")
    }
    if balancer.attributes.forwardedForMode == .append {
      outgoing.append("X-Forwarded-For: ")
      if loop.requestHead.hasForwardedFor { appendForwardedFor(bytes) }
      outgoing.append(address: source)
      outgoing.append("\r\n")
    }
    outgoing.append(listener.forwardedLines)
    if let tls { appendTLSFields(tls) }
    appendTrace(bytes)
    if request.wantsUpgrade { outgoing.append("Connection: Upgrade\r\n") }
    outgoing.append("\r\n")
  }

  private func appendTLSFields(_ tls: TLSSession) {
    outgoing.append(tls.identityLines)
    if balancer.attributes.tlsHeaders ?? false { outgoing.append(tls.versionLines) }
  }

  private func appendForwardedFor(_ bytes: UnsafePointer<UInt8>) {
    for index in 0..<loop.requestHead.fieldCount {
      let field = loop.requestHead.fields[index]
      guard field.kind == .xForwardedFor, field.valueLength > 0 else { continue }
      outgoing.append(bytes + Int(field.valueStart), Int(field.valueLength))
      outgoing.append(", ")
    }
  }

  /// X-Amzn-Trace-Id: a new Root, or Self in front of the one that came.
  private func appendTrace(_ bytes: UnsafePointer<UInt8>) {
    outgoing.append("X-Amzn-Trace-Id: ")
    guard loop.requestHead.traceField >= 0 else {
      appendTraceID("Root=1-")
      return outgoing.append("\r\n")
    }
    let field = loop.requestHead.fields[loop.requestHead.traceField]
    let value = bytes + Int(field.valueStart)
    let count = Int(field.valueLength)
    var hasRoot = false
    if count >= 5 {
      for index in 0...(count - 5) where Token.equals(value + index, "root=", 5) { hasRoot = true }
    }
    appendTraceID(hasRoot ? "Self=1-" : "Root=1-")
    if count > 0 { outgoing.append(byte: 0x3B) }
    outgoing.append(value, count)
    outgoing.append("\r\n")
  }

  private func appendTraceID(_ prefix: StaticString) {
    outgoing.append(prefix)
    outgoing.append(hexadecimal: loop.wallSeconds, digits: 8)
    outgoing.append(byte: 0x2D)
    outgoing.append(hexadecimal: loop.random.next(), digits: 16)
    outgoing.append(hexadecimal: loop.random.next(), digits: 8)
  }

  // MARK: - The body

  /// Puts what has come of the body behind the head and sends both; returns how many bytes were the body's.
  private func takeFirstBody(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var used = 0
    if !request.body.isDone, count > 0 {
      guard case .body(let taken, _) = request.body.read(bytes, count) else {
        outgoing.clear()
        answer(LocalAnswer(status: 400), closing: true)
        return count
      }
      outgoing.append(bytes, taken)
      balancer.statistics.requestBytes += UInt64(taken)
      used = taken
    }
    willDispatch()
    touch()
    dispatch(except: nil)
    return used
  }
}
