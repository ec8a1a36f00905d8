// A line of the web ACL's log, in AWS's format.

struct LogLine {
  private var json = JSONText()
  private let evaluator: WebACLEvaluator
  private let verdict: WebACLVerdict

  var text: String { json.text }

  init(
    _ evaluator: WebACLEvaluator, _ verdict: WebACLVerdict, _ logging: WebACL.Logging, time: UInt64, resource: String
  ) {
    self.evaluator = evaluator
    self.verdict = verdict
    json.raw("{\"timestamp\":\(time),\"formatVersion\":1,\"webaclId\":")
    json.string(evaluator.acl.source.id)
    terminating()
    json.raw(",\"action\":\"\(verdict.isBlocked ? "BLOCK" : "ALLOW")\",\"terminatingRuleMatchDetails\":[]")
    json.raw(",\"httpSourceName\":\"ALB\",\"httpSourceId\":")
    json.string(Self.sourceID(resource))
    groups()
    rates()
    json.member("nonTerminatingMatchingRules")
    json.list(evaluator.trail.counted) { out, index in
      Self.rule(&out, Self.name(evaluator.acl.steps[index]), "COUNT")
    }
    json.member("requestHeadersInserted")
    if verdict.inserted.isEmpty { json.raw("null") } else { json.headers(verdict.inserted) }
    json.raw(",\"responseCodeSent\":\(verdict.response.map { "\($0.status)" } ?? "null")")
    request(logging)
    if let fingerprints = evaluator.request.fingerprints {
      json.member("ja3Fingerprint")
      json.string(fingerprints.ja3)
      json.member("ja4Fingerprint")
      json.string(fingerprints.ja4)
    }
    if !evaluator.trail.labels.isEmpty {
      json.member("labels")
      json.list(evaluator.trail.labels) { out, label in
        out.raw("{\"name\":")
        out.string(label)
        out.raw("}")
      }
    }
    json.raw("}")
  }

  /// `ACCOUNT-app/NAME/ID` of a load balancer's ARN; other ids as they are.
  private static func sourceID(_ resource: String) -> String {
    let parts = resource.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 6, parts[5].hasPrefix("loadbalancer/") else { return resource }
    return "\(parts[4])-\(parts[5].dropFirst(13))"
  }

  private static func name(_ step: CompiledWebACL.Step) -> String {
    switch step {
    case .rule(let rule): rule.name
    case .group(let group): group.name
    }
  }

  private static func rule(_ out: inout JSONText, _ name: String, _ action: String) {
    out.raw("{\"ruleId\":")
    out.string(name)
    out.raw(",\"action\":\"\(action)\",\"ruleMatchDetails\":[]}")
  }

  private mutating func terminating() {
    json.member("terminatingRuleId")
    guard let index = evaluator.trail.terminating else {
      json.string(WebACLEvaluator.defaultAction)
      json.raw(",\"terminatingRuleType\":\"REGULAR\"")
      return
    }
    let step = evaluator.acl.steps[index]
    json.string(Self.name(step))
    let type =
      switch step {
      case .rule(let rule): if case .rate = rule.statement { "RATE_BASED" } else { "REGULAR" }
      case .group(let group): group.isManaged ? "MANAGED_RULE_GROUP" : "GROUP"
      }
    json.raw(",\"terminatingRuleType\":\"\(type)\"")
  }

  private mutating func groups() {
    json.member("ruleGroupList")
    let steps = evaluator.acl.steps
    json.list(evaluator.trail.groups) { out, result in
      guard case .group(let group) = steps[result.step] else { return out.raw("null") }
      out.raw("{\"ruleGroupId\":")
      out.string(group.id)
      out.raw(",\"terminatingRule\":")
      if let rule = result.rule {
        Self.rule(&out, group.rules[rule].name, Recorder.name(group.rules[rule].action))
      } else {
        out.raw("null")
      }
      out.raw(",\"nonTerminatingMatchingRules\":")
      out.list(result.counted) { inner, rule in Self.rule(&inner, group.rules[rule].name, "COUNT") }
      out.raw(",\"excludedRules\":null,\"customerConfig\":null}")
    }
  }

  private mutating func rates() {
    json.member("rateBasedRuleList")
    let acl = evaluator.acl
    json.list(evaluator.trail.rates) { out, match in
      let rule = acl.rates[match.rule]
      let key =
        rule.rate.keys == [.ip]
        ? "IP" : rule.rate.keys == [.forwardedIP] ? "FORWARDED_IP" : rule.rate.keys.isEmpty ? "CONSTANT" : "CUSTOMKEYS"
      out.raw("{\"rateBasedRuleId\":")
      out.string(rule.id)
      out.raw(",\"rateBasedRuleName\":")
      out.string(rule.groupRuleName ?? rule.ruleName)
      out.raw(",\"limitKey\":\"\(key)\",\"maxRateAllowed\":\(rule.rate.limit)")
      out.raw(",\"evaluationWindowSec\":\"\(rule.rate.window)\",\"limitValue\":")
      out.string(acl.mask.rate(match.value, rule.rate.keys))
      out.raw("}")
    }
  }

  private mutating func request(_ logging: WebACL.Logging) {
    let request = evaluator.request
    let mask = evaluator.acl.mask
    json.raw(",\"httpRequest\":{\"clientIp\":")
    json.string(request.source.text)
    json.member("country")
    json.string(request.country ?? "-")
    if let system = request.system { json.raw(",\"clientAsn\":\(system)") }
    if let system = request.forwardedSystem { json.raw(",\"forwardedAsn\":\(system)") }
    json.member("headers")
    json.headers(Recorder.headers(request, mask, redacting: logging.redactedHeaders))
    json.member("uri")
    json.string(logging.redactsPath ? DataMask.redacted : request.path.text)
    json.member("args")
    json.string(logging.redactsQuery ? DataMask.redacted : mask.query(request.query.text))
    json.member("httpVersion")
    json.string("\(request.version)")
    json.member("httpMethod")
    json.string(logging.redactsMethod ? DataMask.redacted : request.method.text)
    json.member("requestId")
    let trace = request.header(Array("x-amzn-trace-id".utf8))?.text
    json.string(trace)
    json.member("host")
    json.string(request.header(Array("host".utf8)).map { mask.header("host", $0.text) } ?? "")
    json.raw("}")
  }
}
