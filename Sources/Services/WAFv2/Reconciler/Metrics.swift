// Counters to CloudWatch, as AWS WAF tells them (https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html).

import AWSCore
import AWSWire
import CloudWatchModel
import GateProtocol
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
      let data = Metrics.data(
        minute.counters, webACL: minute.metricName ?? name, region: parsed.region, at: environment.clock.now)
      do {
        for start in stride(from: 0, to: data.count, by: 500) {
          _ = try await call.invoke(
            CloudWatch.putMetricData,
            .make {
              $0.namespace = "AWS/WAFV2"
              $0.metricData = Array(data[start..<min(data.count, start + 500)])
            })
        }
      } catch {
        environment.logger.warning("WAF's metrics could not be stored", metadata: ["error": "\(error)"])
      }
    }
  }
}

/// Counters as CloudWatch's data.
enum Metrics {
  /// Nothing is told of what did not happen, as on AWS.
  static func data(
    _ counters: [WebACLCounter], webACL: String, region: String, at time: Timestamp
  ) -> [CloudWatch.MetricDatum] {
    var data: [CloudWatch.MetricDatum] = []
    var total = WebACLCounter(name: "ALL")
    let own = [("WebACL", webACL), ("Region", region)]
    for counter in counters where counter.hasMetrics {
      if counter.group == nil, counter.subject == .rule {
        total.allowed += counter.allowed
        total.blocked += counter.blocked
        total.counted += counter.counted
      }
      for dimensions in Self.dimensions(counter, own, region) { add(counter, dimensions, time, &data) }
    }
    add(total, own + [("Rule", "ALL")], time, &data)
    return data
  }

  /// Under which dimensions a counter is told.
  private static func dimensions(
    _ counter: WebACLCounter, _ webACL: [(String, String)], _ region: String
  ) -> [[(String, String)]] {
    let base = counter.group.map { [("RuleGroup", $0), ("Region", region)] } ?? webACL
    switch counter.subject {
    case .rule:
      let managed = counter.managedGroup.map { [webACL + [("ManagedRuleGroup", $0)]] } ?? []
      return [base + [("Rule", counter.name)]] + managed
    case .managedRule:
      return [webACL + [("ManagedRuleGroup", counter.managedGroup ?? ""), ("ManagedRuleGroupRule", counter.name)]]
    case .label:
      // The developer guide calls the second one Label; CloudWatch has LabelName.
      let parts = counter.name.split(separator: ":", omittingEmptySubsequences: false)
      return [
        base + [
          ("LabelNamespace", parts.dropLast().joined(separator: ":")), ("LabelName", parts.last.map(String.init) ?? ""),
        ]
      ]
    case .country: return [webACL + [("Country", counter.name)]]
    case .device: return [webACL + [("Device", counter.name)]]
    case .attack: return [webACL + [("Attack", counter.name)]]
    }
  }

  private static func add(
    _ counter: WebACLCounter, _ dimensions: [(String, String)], _ time: Timestamp,
    _ data: inout [CloudWatch.MetricDatum]
  ) {
    let values = [
      ("AllowedRequests", counter.allowed), ("BlockedRequests", counter.blocked), ("CountedRequests", counter.counted),
      ("PassedRequests", counter.passed),
    ]
    for (name, value) in values where value > 0 {
      data.append(
        .make {
          $0.metricName = name
          $0.value = Double(value)
          $0.unit = "Count"
          $0.timestamp = time
          $0.dimensions = dimensions.map { key, value in
            .make {
              $0.name = key
              $0.value = value
            }
          }
        })
    }
  }
}
