// Samples of judged requests, and the lines of the log, kept until somebody fetches them; both are bounded.

/// What was recorded since the last time.
public struct WebACLRecords: Codable, Sendable, Equatable {
  /// A line of a log.
  public struct Line: Codable, Sendable, Equatable {
    public var webACL: String
    /// Milliseconds since 1970.
    public var time: UInt64
    /// JSON without a line end.
    public var text: String
  }

  public var samples: [WebACLSample] = []
  public var lines: [Line] = []
  /// Lines for which there was no room.
  public var lostLines: UInt64 = 0

  public init() {}
  public var isEmpty: Bool { samples.isEmpty && lines.isEmpty && lostLines == 0 }
}

final class Recorder {
  /// Samples of one metric between two fetches.
  private static let samplesMax = 4
  /// Bytes of log lines between two fetches.
  private static let lineBytesMax = 4 << 20
  /// Header lines in samples and log lines, and bytes of each.
  private static let headersMax = 100
  private static let headerBytesMax = 4096

  private struct Reservoir {
    var seen = 0
    var samples: [WebACLSample] = []
  }

  private var reservoirs: [String: Reservoir] = [:]
  private var lines: [WebACLRecords.Line] = []
  private var lineBytes = 0
  private var lost: UInt64 = 0
  private var random: UInt64 = 0x2545_F491_4F6C_DD1D

  /// Everything since the last time.
  func take() -> WebACLRecords {
    var records = WebACLRecords()
    for reservoir in reservoirs.values {
      for var sample in reservoir.samples {
        sample.weight = max(1, reservoir.seen / reservoir.samples.count)
        records.samples.append(sample)
      }
    }
    reservoirs.removeAll(keepingCapacity: true)
    records.lines = lines
    records.lostLines = lost
    lines = []
    lineBytes = 0
    lost = 0
    return records
  }

  private func below(_ bound: Int) -> Int {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    return Int(truncatingIfNeeded: random % UInt64(max(bound, 1)))
  }

  func record(_ evaluator: WebACLEvaluator, _ verdict: WebACLVerdict, time: UInt64, resource: String) {
    let acl = evaluator.acl
    let trail = evaluator.trail
    if let index = trail.terminating {
      sample(evaluator, index, verdict.isBlocked ? "BLOCK" : "ALLOW", verdict, time)
    } else if acl.metrics[0].hasSamples {
      offer(WebACLEvaluator.defaultAction) {
        make(evaluator, WebACLEvaluator.defaultAction, verdict.isBlocked ? "BLOCK" : "ALLOW", nil, nil, verdict, time)
      }
    }
    for index in trail.counted { sample(evaluator, index, "COUNT", verdict, time) }
    for result in trail.groups where result.rule == nil && !result.counted.isEmpty {
      sample(evaluator, result.step, "COUNT", verdict, time)
    }
    guard let logging = acl.source.logging, keeps(logging, verdict, trail) else { return }
    let line = LogLine(evaluator, verdict, logging, time: time, resource: resource).text
    if lineBytes + line.utf8.count > Self.lineBytesMax {
      lost += 1
    } else {
      lineBytes += line.utf8.count
      lines.append(WebACLRecords.Line(webACL: acl.source.id, time: time, text: line))
    }
  }

  // MARK: - Samples

  private func sample(
    _ evaluator: WebACLEvaluator, _ index: Int, _ action: String, _ verdict: WebACLVerdict, _ time: UInt64
  ) {
    switch evaluator.acl.steps[index] {
    case .rule(let rule):
      let metric = evaluator.acl.metrics[rule.metric]
      guard metric.hasSamples else { return }
      offer(metric.name) { make(evaluator, metric.name, action, nil, nil, verdict, time) }
    case .group(let group):
      let metric = evaluator.acl.metrics[group.metric]
      guard metric.hasSamples else { return }
      let result = evaluator.trail.groups.first { $0.step == index }
      // Of a group that went on what was counted first.
      let rule = (result?.rule ?? result?.counted.first).map { group.rules[$0] }
      offer(metric.name) {
        make(evaluator, metric.name, action, rule?.name, rule?.overridden.map(Self.name), verdict, time)
      }
    }
  }

  static func name(_ action: WebACL.Action) -> String {
    switch action {
    case .allow: "ALLOW"
    case .block: "BLOCK"
    case .count: "COUNT"
    }
  }

  /// Keeps a few of all requests, each with the same chance; the others are not even written down.
  private func offer(_ metric: String, _ make: () -> WebACLSample) {
    var reservoir = reservoirs[metric] ?? Reservoir()
    reservoir.seen += 1
    if reservoir.samples.count < Self.samplesMax {
      reservoir.samples.append(make())
    } else {
      let place = below(reservoir.seen)
      if place < Self.samplesMax { reservoir.samples[place] = make() }
    }
    reservoirs[metric] = reservoir
  }

  private func make(
    _ evaluator: WebACLEvaluator, _ metric: String, _ action: String, _ rule: String?, _ overridden: String?,
    _ verdict: WebACLVerdict, _ time: UInt64
  ) -> WebACLSample {
    let request = evaluator.request
    let mask = evaluator.acl.mask
    let query = request.query.isEmpty ? "" : "?" + mask.query(request.query.text)
    return WebACLSample(
      webACL: evaluator.acl.source.id, metric: metric, time: time, clientIP: request.source.text,
      country: request.country, method: request.method.text,
      uri: String((request.path.text + query).prefix(Self.headerBytesMax)), version: "\(request.version)",
      headers: Self.headers(request, mask), action: action, overriddenAction: overridden, ruleWithinGroup: rule,
      labels: evaluator.trail.labels, inserted: verdict.inserted, status: verdict.response?.status, weight: 1)
  }

  static func headers(_ request: WebRequest, _ mask: DataMask, redacting: [String] = []) -> [WebACL.Header] {
    request.fields.prefix(headersMax).map { field in
      let name = field.name.text
      if !redacting.isEmpty, redacting.contains(name.lowercased()) { return WebACL.Header(name, DataMask.redacted) }
      return WebACL.Header(
        name, mask.header(name, field.value.piece(0, min(field.value.count, headerBytesMax)).text))
    }
  }

  // MARK: - Filters

  private func keeps(_ logging: WebACL.Logging, _ verdict: WebACLVerdict, _ trail: WebACLEvaluator.Trail) -> Bool {
    for filter in logging.filters {
      let holds: (WebACL.Logging.Condition) -> Bool = { condition in
        switch condition {
        case .action(let name):
          switch name {
          case "ALLOW": !verdict.isBlocked
          case "BLOCK": verdict.isBlocked
          case "COUNT", "EXCLUDED_AS_COUNT": !trail.counted.isEmpty || trail.groups.contains { !$0.counted.isEmpty }
          default: false
          }
        case .label(let name): trail.labels.contains(name)
        }
      }
      let meets = filter.meetsAll ? filter.conditions.allSatisfy(holds) : filter.conditions.contains(where: holds)
      if meets { return filter.keeps }
    }
    return logging.keepsByDefault
  }
}

extension WebACLEvaluator {
  /// The samples and log lines since the last time.
  public func takeRecords() -> WebACLRecords { recorder.take() }
}
