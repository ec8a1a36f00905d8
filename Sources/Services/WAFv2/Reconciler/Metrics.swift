// Counters to CloudWatch, as AWS WAF tells them (https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html).

import AWSCore
import GateProtocol
import MetricsKit
import ServiceKit
import WebACL

extension WAFv2Service {
  /// Tells CloudWatch what was counted in the minute that goes on, rather than at its end.
  /// - Throws: `GateError` while the Gate is away.
  public func publishMetrics() async throws { await publish(try await gate.statistics(), isWantedNow: true) }

  func publish(_ statistics: GateStatistics, isWantedNow: Bool = false) async {
    guard let minutes = feed.minute(statistics, isWantedNow: isWantedNow) else { return }
    for minute in minutes {
      guard let parsed = ARN(minute.webACL) else { continue }
      let call = environment.call(as: Self.servicePrincipal, account: parsed.account, region: parsed.region)
      let name = minute.webACL.split(separator: "/").dropLast().last.map(String.init) ?? ""
      let points = Metrics.points(minute.counters, webACL: minute.metricName ?? name, region: parsed.region)
      await call.put(points, in: "AWS/WAFV2", at: environment.clock.now)
    }
  }
}

/// Counters as CloudWatch's data.
enum Metrics {
  /// Nothing is told of what did not happen, as on AWS.
  static func points(_ counters: [WebACLCounter], webACL: String, region: String) -> [MetricPoint] {
    var points: [MetricPoint] = []
    var total = WebACLCounter(name: "ALL")
    let own = ["WebACL": webACL, "Region": region]
    for counter in counters where counter.hasMetrics {
      if counter.group == nil, counter.subject == .rule {
        total.allowed += counter.allowed
        total.blocked += counter.blocked
        total.counted += counter.counted
      }
      for dimensions in Self.dimensions(counter, own, region) { add(counter, dimensions, &points) }
    }
    add(total, own.with("Rule", "ALL"), &points)
    return points
  }

  /// Under which dimensions a counter is told.
  private static func dimensions(
    _ counter: WebACLCounter, _ webACL: [String: String], _ region: String
  ) -> [[String: String]] {
    let base = counter.group.map { ["RuleGroup": $0, "Region": region] } ?? webACL
    switch counter.subject {
    case .rule:
      let managed = counter.managedGroup.map { [webACL.with("ManagedRuleGroup", $0)] } ?? []
      return [base.with("Rule", counter.name)] + managed
    case .managedRule:
      return [
        webACL.with("ManagedRuleGroup", counter.managedGroup ?? "").with("ManagedRuleGroupRule", counter.name)
      ]
    case .label:
      // The developer guide calls the second one Label; CloudWatch has LabelName.
      let parts = counter.name.split(separator: ":", omittingEmptySubsequences: false)
      return [
        base.with("LabelNamespace", parts.dropLast().joined(separator: ":"))
          .with("LabelName", parts.last.map(String.init) ?? "")
      ]
    case .country: return [webACL.with("Country", counter.name)]
    case .device: return [webACL.with("Device", counter.name)]
    case .attack: return [webACL.with("Attack", counter.name)]
    }
  }

  private static func add(_ counter: WebACLCounter, _ dimensions: [String: String], _ points: inout [MetricPoint]) {
    let values = [
      ("AllowedRequests", counter.allowed), ("BlockedRequests", counter.blocked), ("CountedRequests", counter.counted),
      ("PassedRequests", counter.passed),
    ]
    for (name, value) in values where value > 0 {
      points.append(MetricPoint(name: name, dimensions: dimensions, unit: "Count", value: Double(value)))
    }
  }
}

extension [String: String] {
  fileprivate func with(_ key: String, _ value: String) -> Self { merging([key: value]) { $1 } }
}
