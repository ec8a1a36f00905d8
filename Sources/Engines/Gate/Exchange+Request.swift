// From a parsed head to the target: the rules, and the request as the target gets it.
import CLinux
import GateProtocol
import GateTokens
import HTTPWire

extension Exchange {
  /// Begins the request whose head is in `loop.requestHead`; returns how many of the bytes belong to it.
  final func begin(_ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int) -> Int {
    note(bytes)
    // A request that waited for its body comes by once more.
    let isNew = hold == nil
    if isNew {
      if balancer.accessLog != nil { beginRecord(bytes) }
      countReceived(headLength)
    }
    if let anomaly = loop.requestHead.anomaly, !passes(anomaly) { return refuse(400, count) }
    guard let target = TargetParts(loop.requestHead, bytes) else { return refuse(400, count) }
    if isNew { record?.note(target, bytes) }
    let method = loop.requestHead.method
    if Token.isExactly(bytes + method.start, method.count, "TRACE")
      || Token.isExactly(bytes + method.start, method.count, "CONNECT")
    {
      return refuse(405, count)
    }
    if loop.requestHead.hasForwardedFor, hasTooManyForwarders(bytes) { return refuse(463, count) }
    if let webACL = balancer.webACL {
      switch judge(webACL, bytes, headLength, count, target) {
      case .passes: record?.add(action: "waf")
      case .waits: return 0
      case .answered(let local):
        record?.add(action: "waf")
        return headLength + answerAndSkipBody(local, bytes + headLength, count - headLength)
      }
    } else {
      // The load balancer may have lost its web ACL since the last request, or while this one waited for its body.
      hold = nil
      if !insertedLines.isEmpty { insertedLines.removeAll(keepingCapacity: true) }
    }
    if !listener.rules.signIns.isEmpty, isCallback(target, bytes) {
      return finishSignIn(target, bytes, headLength, count)
    }
    let input = RuleInput(
      bytes: bytes, method: method, host: target.host, path: target.path, query: target.query, source: source)
    let rule = listener.rules.rule(for: input, loop.requestHead)
    node.statistics.ruleEvaluations += rule.evaluations
    record?.rulePriority = rule.priority
    if !rule.checks.isEmpty, let refused = check(rule, target, bytes, headLength, count) { return refused }
    return perform(rule, target, bytes, headLength, count)
  }

  /// Does what the rule says.
  private func perform(
    _ rule: CompiledRule, _ target: TargetParts, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int
  ) -> Int {
    let body = bytes + headLength
    switch rule.action {
    case .forward(let groups):
      record?.add(action: "forward")
      guard let use = stickyGroup(groups, bytes) ?? groups.choose(&loop.random) else {
        return headLength + answerAndSkipBody(LocalAnswer(status: 503), body, count - headLength)
      }
      let pool = use.pool(node)
      if !suits(pool.group) {
        return headLength + answerAndSkipBody(LocalAnswer(status: 464), body, count - headLength)
      }
      group = pool
      if pool.group.stickiness == nil {
        wantedTarget = nil
      } else {
        wantedTarget = stickyTarget(pool, bytes)
        if wantedTarget == nil { node.statistics.nonStickyRequests += 1 }
      }
      var rewritten = RewrittenParts()
      if !rule.transforms.isEmpty, !rewrite(&rewritten, rule, target, bytes) {
        return headLength + answerAndSkipBody(LocalAnswer(status: 500), body, count - headLength)
      }
      countInvalidHeaders()
      outgoing.clear()
      buildRequest(bytes, headLength, target, rewritten)
      return headLength + takeFirstBody(body, count - headLength)
    case .redirect(let redirect):
      record?.add(action: "redirect")
      let local = redirectAnswer(redirect, target, bytes)
      return headLength + answerAndSkipBody(local, body, count - headLength)
    case .fixedResponse(let response):
      record?.add(action: "fixed-response")
      node.statistics.fixedResponses += 1
      return headLength + answerAndSkipBody(LocalAnswer(response), body, count - headLength)
    }
  }

  private func redirectAnswer(
    _ redirect: GateSnapshot.Redirect, _ target: TargetParts, _ bytes: UnsafePointer<UInt8>
  ) -> LocalAnswer {
    let location = target.location(redirect, bytes: bytes, listener: listener)
    if location.utf8.count > Self.locationMax {
      node.statistics.redirectsTooLong += 1
      return LocalAnswer(status: 507)
    }
    node.statistics.redirects += 1
    record?.redirectURL = location
    return LocalAnswer(redirect, location: location)
  }

  /// Bytes in the Location of a redirect (`HTTP_Redirect_Url_Limit_Exceeded_Count`).
  private static let locationMax = 8 << 10

  /// Refuses the request and all that came with it.
  private func refuse(_ status: Int, _ count: Int) -> Int {
    answer(LocalAnswer(status: status), closing: true)
    return count
  }

  /// Answers a request whose body is not wanted. When the whole body has come it is skipped and the connection goes
  /// on; otherwise it ends. Returns how many of the bytes were the body's.
  final func answerAndSkipBody(_ local: LocalAnswer, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var used = 0
    if !request.body.isDone, count > 0 {
      if case .body(let taken, _) = request.body.read(bytes, count) { used = taken }
    }
    answer(local, closing: !request.body.isDone)
    return used
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
    let value = UnsafeBufferPointer(start: bytes + Int(field.valueStart), count: Int(field.valueLength))
    request.wantsUpgrade = Self.mayUpgrade(to: value)
  }

  /// Whether a tunnel to the target may come of it. Not where the new protocol is HTTP again, or TLS: requests in such a
  /// tunnel would pass rules and web ACLs unseen (h2c smuggling).
  private static func mayUpgrade(to protocols: UnsafeBufferPointer<UInt8>) -> Bool {
    var isNamed = false
    for item in protocols.split(separator: 0x2C, omittingEmptySubsequences: true) {
      let name = item.drop { $0 == 0x20 || $0 == 0x09 }
      if name.isEmpty { continue }
      isNamed = true
      let start = UnsafeBufferPointer(rebasing: name).baseAddress.unsafelyUnwrapped
      for own: StaticString in ["h2", "http", "tls"]
      where name.count >= own.utf8CodeUnitCount && Token.equals(start, own, own.utf8CodeUnitCount) {
        return false
      }
    }
    return isNamed
  }

  // MARK: - The head for the target

  private func buildRequest(
    _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ target: TargetParts, _ rewritten: RewrittenParts
  ) {
    _ = outgoing.reserve(headLength + 512)
    let start = loop.requestHead.start
    if target.isOriginForm, rewritten.url.isEmpty {
      // The line and the fields behind it are one piece, up to the first line that must go.
      appendFields(bytes, from: start, dropsHost: !rewritten.host.isEmpty)
      if request.isOldVersion { patchVersion(at: loop.requestHead.minorVersionOffset - start) }
    } else {
      outgoing.append(bytes + loop.requestHead.method.start, loop.requestHead.method.count + 1)
      if rewritten.url.isEmpty {
        if target.path.count == 0 { outgoing.append(byte: 0x2F) }
        outgoing.append(bytes + target.path.start, target.query.end - target.path.start)
      } else {
        outgoing.append(rewritten.url)
      }
      outgoing.append(" HTTP/1.1\r\n")
      appendFields(bytes, from: loop.requestHead.fieldsStart, dropsHost: !rewritten.host.isEmpty)
    }
    if !rewritten.host.isEmpty { appendHost(rewritten.host, bytes) }
    appendOwnFields(bytes)
  }

  /// The Host that a rule wrote, with the port that the client's had or lacks.
  private func appendHost(_ host: [UInt8], _ bytes: UnsafePointer<UInt8>) {
    outgoing.append("Host: ")
    outgoing.append(host)
    if loop.requestHead.hostField >= 0 {
      let field = loop.requestHead.fields[loop.requestHead.hostField]
      if let port = missingPort(field, bytes) {
        outgoing.append(byte: 0x3A)
        outgoing.append(decimal: UInt64(port))
      } else {
        let end = Int(field.valueStart + field.valueLength)
        var index = end - 1
        while index >= Int(field.valueStart), bytes[index] &- 0x30 <= 9 { index -= 1 }
        if index >= Int(field.valueStart), bytes[index] == 0x3A { outgoing.append(bytes + index, end - index) }
      }
    }
    outgoing.append("\r\n")
  }

  private func patchVersion(at offset: Int) { (outgoing.first + offset).pointee = 0x31 }

  /// Copies the header lines from `from` on without those that end here.
  private func appendFields(_ bytes: UnsafePointer<UInt8>, from: Int, dropsHost: Bool) {
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
          if request.dropsIdentity && isIdentity(field, bytes) { drops = true }
          if mustDropIdentity(field, bytes) { drops = true }
          if !insertedLines.isEmpty && isInserted(field, bytes) { drops = true }
          if nominates && loop.requestHead.nominates(field, in: bytes) { drops = true }
        }
      case .host where dropsHost: drops = true
      case .host:
        if let suffix = missingPort(field, bytes) {
          let valueEnd = Int(field.valueStart + field.valueLength)
          outgoing.append(bytes + run, valueEnd - run)
          outgoing.append(byte: 0x3A)
          outgoing.append(decimal: UInt64(suffix))
          run = valueEnd
        }
      case .connection, .keepAlive, .proxyConnection, .te, .xForwardedProto, .xForwardedPort, .xAmznTraceId,
        .superfluous:
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

  private func isIdentity(_ field: HeaderField, _ bytes: UnsafePointer<UInt8>) -> Bool {
    field.nameLength >= 12 && Token.equals(bytes + Int(field.start), "x-amzn-oidc-", 12)
  }

  private func isCallback(_ target: TargetParts, _ bytes: UnsafePointer<UInt8>) -> Bool {
    OIDCProtocol.callbackPath.utf8.elementsEqual(
      UnsafeBufferPointer(start: bytes + target.path.start, count: target.path.count))
  }

  /// What only the load balancer may say of a client is not taken from the client.
  private func mustDropIdentity(_ field: HeaderField, _ bytes: UnsafePointer<UInt8>) -> Bool {
    guard tls != nil else { return false }
    let length = Int(field.nameLength)
    let name = bytes + Int(field.start)
    return length >= 18 && Token.equals(name, "x-amzn-mtls-client", 18)
      || length >= 11 && (balancer.attributes.tlsHeaders ?? false) && Token.equals(name, "x-amzn-tls-", 11)
      || listener.isOwnName(name, length)
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
      if balancer.attributes.forwardedClientPort {
        outgoing.append(byte: 0x3A)
        outgoing.append(decimal: UInt64(sourcePort))
      }
      outgoing.append("\r\n")
    }
    outgoing.append(listener.forwardedLines)
    if !identityLines.isEmpty { outgoing.append(identityLines) }
    staleSession?.place = outgoing.count
    if let tls { appendTLSFields(tls) }
    if !insertedLines.isEmpty { outgoing.append(insertedLines) }
    let traceStart = outgoing.count + 17
    appendTrace(bytes)
    if let record {
      let trace = UnsafeBufferPointer(start: outgoing.first + traceStart, count: outgoing.count - traceStart - 2)
      record.traceID.append(contentsOf: trace)
    }
    if request.wantsUpgrade { outgoing.append("Connection: Upgrade\r\n") }
    outgoing.append("\r\n")
  }

  private func appendTLSFields(_ tls: TLSSession) {
    outgoing.append(listener.renamed(tls.identityLines))
    if balancer.attributes.tlsHeaders ?? false { outgoing.append(listener.renamed(tls.versionLines)) }
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
      countReceived(taken)
      used = taken
    }
    willDispatch()
    touch()
    if let staleSession { refresh(staleSession) } else { dispatch(except: nil) }
    return used
  }
}
