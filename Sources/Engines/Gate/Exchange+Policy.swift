// What a load balancer does with a request besides passing it on: desync mitigation, checks, cookies, rewriting.
import GateProtocol
import GateTokens
import HTTPWire

/// What transforms put in the place of a request's parts; empty for what stays.
struct RewrittenParts {
  var url: [UInt8] = []
  var host: [UInt8] = []
}

extension Exchange {
  // MARK: - Requests that are not by the book

  /// Whether the load balancer's mode lets a request with this flaw pass; counts it and notes what follows.
  final func passes(_ anomaly: DesyncReason) -> Bool {
    if hold == nil { node.statistics.nonCompliantRequests += 1 }
    if let record {
      record.classification = anomaly.desyncClass.name
      record.classificationReason = anomaly.rawValue
    }
    switch balancer.attributes.desyncMitigation {
    case .monitor: return true
    case .defensive:
      if anomaly.desyncClass == .ambiguous {
        request.isAmbiguous = true
        request.keepsAlive = false
      }
      return anomaly.desyncClass < .severe
    case .strictest: return false
    }
  }

  /// Answers a request whose head cannot be read.
  final func refuse(_ refusal: HeadRefusal, received count: Int) {
    if balancer.accessLog != nil { beginRecord() }
    countReceived(count)
    if let reason = refusal.desyncReason {
      node.statistics.nonCompliantRequests += 1
      if let record {
        record.classification = reason.desyncClass.name
        record.classificationReason = reason.rawValue
      }
    }
    answer(LocalAnswer(status: refusal.status), closing: true)
  }

  /// More than 30 addresses in X-Forwarded-For are answered with 463.
  final func hasTooManyForwarders(_ bytes: UnsafePointer<UInt8>) -> Bool {
    var addresses = 0
    for index in 0..<loop.requestHead.fieldCount {
      let field = loop.requestHead.fields[index]
      guard field.kind == .xForwardedFor, field.valueLength > 0 else { continue }
      addresses += 1
      let value = bytes + Int(field.valueStart)
      for position in 0..<Int(field.valueLength) where value[position] == 0x2C { addresses += 1 }
    }
    return addresses > 30
  }

  final func countInvalidHeaders() {
    guard loop.requestHead.hasUnusualNames else { return }
    if balancer.attributes.dropInvalidHeaderFields {
      node.statistics.droppedInvalidHeaders += 1
    } else {
      node.statistics.forwardedInvalidHeaders += 1
    }
  }

  // MARK: - Checks

  /// Answers when one of the rule's checks fails, and returns how many bytes were used; nil when all hold.
  final func check(
    _ rule: CompiledRule, _ target: TargetParts, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int
  ) -> Int? {
    for check in rule.checks {
      switch check {
      case .token(let token):
        record?.add(action: "jwt-validation")
        let control = loop.control
        let outcome = token.problem(loop.requestHead, bytes, now: loop.wallSeconds) { control.post(.keysWanted($0)) }
        guard let problem = outcome else {
          node.statistics.tokensAccepted += 1
          continue
        }
        node.statistics.tokensRefused += 1
        record?.errorReason = problem.rawValue
        let local = LocalAnswer(status: problem == .noKeys ? 562 : 401)
        return headLength + answerAndSkipBody(local, bytes + headLength, count - headLength)
      case .signIn(let check):
        record?.add(action: "authenticate")
        request.dropsIdentity = true
        let found = check.session(
          loop.requestHead, bytes, seal: loop.cookies.seal, signer: loop.identitySigner, balancer: balancer.id,
          second: loop.wallSeconds)
        switch found {
        case .session(let lines): identityLines = lines
        case .stale(let session): staleSession = stale(session, check, rule.priority, target, bytes)
        case .nothing:
          guard let local = signIn(check, rule.priority, target, bytes) else { continue }
          return headLength + answerAndSkipBody(local, bytes + headLength, count - headLength)
        }
      }
    }
    return nil
  }

  // MARK: - Cookies

  /// The group that a cookie asks for; notes that the answer has to name the group.
  final func stickyGroup(_ groups: WeightedGroups, _ bytes: UnsafePointer<UInt8>) -> GroupUse? {
    guard let stickiness = groups.stickiness else { return nil }
    sticky = StickyChoice(groupSeconds: max(1, stickiness / 1_000_000))
    return loop.cookies.group(groups, loop.requestHead, bytes, second: loop.wallSeconds)
  }

  final func stickyTarget(_ pool: TargetPool, _ bytes: UnsafePointer<UInt8>) -> TargetRuntime? {
    var choice = sticky ?? StickyChoice()
    let target = loop.cookies.target(pool, loop.requestHead, bytes, second: loop.wallSeconds, &choice)
    sticky = choice
    return target
  }

  /// Appends what the load balancer adds to a target's answer, as lines of an HTTP/1.1 head: cookies, and the listener's
  /// own headers. The answer's head is in `loop.responseHead`.
  final func appendAnswerLines(_ bytes: UnsafePointer<UInt8>, to out: inout Bytes) {
    out.append(listener.answerHeaders.lines)
    out.append(sessionLines)
    guard let sticky, let target else { return }
    let isSet = sticky.application.map { CookieJar.sets($0, loop.responseHead, bytes) } ?? false
    loop.cookies.append(
      sticky, target, setsApplicationCookie: isSet, isSecure: listener.isSecure, second: loop.wallSeconds, to: &out)
  }

  // MARK: - Rewriting

  /// Applies the rule's transforms; false when one of them fails.
  final func rewrite(
    _ parts: inout RewrittenParts, _ rule: CompiledRule, _ target: TargetParts, _ bytes: UnsafePointer<UInt8>
  ) -> Bool {
    for transform in rule.transforms {
      let slice =
        transform.kind == .host
        ? target.host : Slice(target.path.start, target.query.end - target.path.start)
      switch transform.apply(UnsafeBufferPointer(start: bytes + slice.start, count: slice.count)) {
      case .noMatch: continue
      case .rewritten(let result):
        if transform.kind == .host { parts.host = result } else { parts.url = result }
        if let record {
          record.transformStatus = "TransformSuccess"
          if transform.kind == .host { record.transformedHost = result } else { record.transformedURI = result }
        }
      case .failed(let reason):
        record?.transformStatus = reason
        return false
      }
    }
    return true
  }
}
