// A line of the web ACL's log, in AWS's format.
// https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html

struct LogLine {
  private var json = JSONText()
  private let evaluator: WebACLEvaluator
  private let verdict: WebACLVerdict
  private let found: Findings
  /// Labels that are told, as on AWS; and how much of a key of a rate-based rule.
  private static let labelsMax = 100
  private static let keyValueMax = 32

  var text: String { json.text }

  init(
    _ evaluator: WebACLEvaluator, _ verdict: WebACLVerdict, _ logging: WebACL.Logging, time: UInt64, resource: String
  ) {
    self.evaluator = evaluator
    self.verdict = verdict
    found = Findings(evaluator: evaluator, mask: LogMask(data: evaluator.acl.mask, logging: logging))
    json.raw("{\"timestamp\":\(time),\"formatVersion\":1,\"webaclId\":")
    json.string(evaluator.acl.source.id)
    terminating()
    json.raw(",\"action\":\"\(verdict.isBlocked ? "BLOCK" : "ALLOW")\"")
    json.member("terminatingRuleMatchDetails")
    Self.details(&json, found.ofTerminatingRule)
    json.raw(",\"httpSourceName\":\"ALB\",\"httpSourceId\":")
    json.string(Self.sourceID(resource))
    groups()
    rates()
    json.member("nonTerminatingMatchingRules")
    let (found, steps) = (found, evaluator.acl.steps)
    json.list(evaluator.trail.counted) { out, index in
      Self.rule(&out, Self.name(steps[index]), "COUNT", details: found.of(steps[index]))
    }
    json.member("requestHeadersInserted")
    if verdict.inserted.isEmpty { json.raw("null") } else { json.headers(verdict.inserted) }
    json.raw(",\"responseCodeSent\":\(verdict.response.map { "\($0.status)" } ?? "null")")
    request(logging)
    if !evaluator.trail.labels.isEmpty {
      json.member("labels")
      json.list(Array(evaluator.trail.labels.prefix(Self.labelsMax))) { out, label in
        out.raw("{\"name\":")
        out.string(label)
        out.raw("}")
      }
    }
    body()
    if let fingerprints = evaluator.request.fingerprints {
      json.member("ja3Fingerprint")
      json.string(fingerprints.ja3)
      json.member("ja4Fingerprint")
      json.string(fingerprints.ja4)
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

  private static func rule(
    _ out: inout JSONText, _ name: String, _ action: String, overridden: WebACL.Action? = nil, details: [MatchDetail]
  ) {
    out.raw("{\"ruleId\":")
    out.string(name)
    out.raw(",\"action\":\"\(action)\"")
    if let overridden { out.raw(",\"overriddenAction\":\"\(Recorder.name(overridden))\"") }
    out.member("ruleMatchDetails")
    Self.details(&out, details)
    out.raw("}")
  }

  // MARK: - What rules found

  private static func details(_ out: inout JSONText, _ details: [MatchDetail]) {
    out.list(details) { out, detail in
      out.raw("{\"conditionType\":\"\(detail.condition)\"")
      if let level = detail.sensitivity { out.raw(",\"sensitivityLevel\":\"\(level)\"") }
      out.raw(",\"location\":\"\(detail.location)\",\"matchedData\":")
      out.list(detail.data) { out, piece in out.string(piece) }
      out.member("matchedFieldName")
      out.string(detail.fieldName)
      out.raw("}")
    }
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
    let (found, steps) = (found, evaluator.acl.steps)
    json.list(evaluator.trail.groups) { out, result in
      guard case .group(let group) = steps[result.step] else { return out.raw("null") }
      out.raw("{\"ruleGroupId\":")
      out.string(group.id)
      out.raw(",\"terminatingRule\":")
      if let rule = result.rule {
        let rule = group.rules[rule]
        Self.rule(&out, rule.name, Recorder.name(rule.action), overridden: rule.overridden, details: found.of(rule))
      } else {
        out.raw("null")
      }
      out.raw(",\"nonTerminatingMatchingRules\":")
      out.list(result.counted) { inner, index in
        let rule = group.rules[index]
        Self.rule(&inner, rule.name, "COUNT", overridden: rule.overridden, details: found.of(rule))
      }
      out.raw(",\"excludedRules\":null,\"customerConfig\":null}")
    }
  }

  // MARK: - Rates

  private mutating func rates() {
    json.member("rateBasedRuleList")
    let (found, acl) = (found, evaluator.acl)
    json.list(evaluator.trail.rates) { out, match in
      let rule = acl.rates[match.rule]
      let isByAddress = rule.rate.keys == [.ip] || rule.rate.keys == [.forwardedIP]
      let key =
        isByAddress ? Self.name(rule.rate.keys[0]).key : rule.rate.keys.isEmpty ? "CONSTANT" : "CUSTOMKEYS"
      out.raw("{\"rateBasedRuleId\":")
      out.string(rule.id)
      out.raw(",\"rateBasedRuleName\":")
      out.string(rule.groupRuleName ?? rule.ruleName)
      out.raw(",\"limitKey\":\"\(key)\",\"maxRateAllowed\":\(rule.rate.limit)")
      out.raw(",\"evaluationWindowSec\":\"\(rule.rate.window)\"")
      if isByAddress {
        out.member("limitValue")
        out.string(match.address?.text ?? Self.invalid)
      } else if !rule.rate.keys.isEmpty {
        out.member("customValues")
        out.list(Array(rule.rate.keys.indices)) { out, position in
          Self.value(&out, rule, position, match.address, found)
        }
      }
      out.raw("}")
    }
  }

  /// What AWS says where there is no valid address.
  private static let invalid = "INVALID"

  private static func value(
    _ out: inout JSONText, _ rule: CompiledWebACL.RateRule, _ position: Int, _ address: SourceAddress?,
    _ found: Findings
  ) {
    let key = rule.rate.keys[position]
    let names = Self.name(key)
    out.raw("{\"key\":\"\(names.key)\"")
    if let name = names.name {
      out.member("name")
      out.string(name)
    }
    out.member("value")
    if let value = found.evaluator.keyValue(rule, position, address) {
      // A value that is hidden is told as what stands for it, whole.
      let told = found.mask.rate(key, value)
      out.string(told == value ? String(value.prefix(Self.keyValueMax)) : told)
    } else {
      out.string(Self.invalid)
    }
    out.raw("}")
  }

  /// How AWS names a key, and the name within it. It shows IP, FORWARDED_IP and HEADER; the others are made like them.
  private static func name(_ key: WebACL.Rate.Key) -> (key: String, name: String?) {
    switch key {
    case .ip: ("IP", nil)
    case .forwardedIP: ("FORWARDED_IP", nil)
    case .system: ("ASN", nil)
    case .header(let name, _): ("HEADER", name)
    case .cookie(let name, _): ("COOKIE", name)
    case .queryArgument(let name, _): ("QUERY_ARGUMENT", name)
    case .queryString: ("QUERY_STRING", nil)
    case .uriPath: ("URI_PATH", nil)
    case .method: ("HTTP_METHOD", nil)
    case .labelNamespace(let namespace): ("LABEL_NAMESPACE", namespace)
    case .ja3: ("JA3_FINGERPRINT", nil)
    case .ja4: ("JA4_FINGERPRINT", nil)
    }
  }

  // MARK: - The request

  private mutating func body() {
    let request = evaluator.request
    if let size = request.bodySize {
      json.raw(",\"requestBodySize\":\(size),\"requestBodySizeInspectedByWAF\":\(request.body.count)")
    }
    let parts = evaluator.oversizeParts
    if !parts.isEmpty {
      json.member("oversizeFields")
      json.list(parts) { out, part in out.string(part) }
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
    json.raw(",\"scheme\":\"\(request.scheme)\"")
    json.member("host")
    json.string(request.header(Array("host".utf8)).map { mask.header("host", $0.text) } ?? "")
    json.raw("}")
  }
}

/// What the rules of a request's trail have found in it.
private struct Findings {
  let evaluator: WebACLEvaluator
  let mask: LogMask

  func of(_ rule: CompiledWebACL.CompiledRule) -> [MatchDetail] { evaluator.details(rule.statement, mask) }

  /// Of a group what its own rules tell in `ruleGroupList`.
  func of(_ step: CompiledWebACL.Step) -> [MatchDetail] {
    if case .rule(let rule) = step { of(rule) } else { [] }
  }

  /// Of the rule that ended the evaluation, if need be inside of a group.
  var ofTerminatingRule: [MatchDetail] {
    guard let index = evaluator.trail.terminating else { return [] }
    switch evaluator.acl.steps[index] {
    case .rule(let rule): return of(rule)
    case .group(let group):
      let result = evaluator.trail.groups.first { $0.step == index }
      return result?.rule.map { of(group.rules[$0]) } ?? []
    }
  }
}
