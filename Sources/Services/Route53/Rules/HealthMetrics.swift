// The metrics of health checks, namespace AWS/Route53, in us-east-1 wherever the check was made.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html

import AWSCore
import AWSWire
import CloudWatchModel
import HealthProbe

enum HealthMetrics {
  static let region = "us-east-1"

  /// One minute's data of one health check.
  static func data(
    _ check: HealthCheckRecord, _ book: HealthBook, _ latency: ProbeAnswer?, _ now: Timestamp
  ) -> [CloudWatch.MetricDatum] {
    let id = ("HealthCheckId", check.id)
    let isHealthy = book.isHealthy(check.id)
    var data = [datum("HealthCheckStatus", isHealthy ? 1 : 0, "None", [id], now)]
    if check.settings.type.isEndpoint, let seen = book.seen[check.id], !check.settings.isDisabled {
      // There is one health checker: all of them, or none.
      data.append(datum("HealthCheckPercentageHealthy", seen.health.isHealthy ? 100 : 0, "Percent", [id], now))
    }
    if check.settings.type == .calculated, !check.settings.isDisabled {
      data.append(
        datum("ChildHealthCheckHealthyCount", Double(book.healthyChildren(check)), "Count", [id], now))
    }
    if check.settings.measuresLatency == true, let latency {
      let place = ("Region", check.settings.regions?.first ?? region)
      let times = [
        ("ConnectionTime", latency.connectTime), ("SSLHandshakeTime", latency.handshakeTime),
        ("TimeToFirstByte", latency.firstByteTime),
      ]
      for (name, time) in times {
        if let time { data.append(datum(name, time, "Milliseconds", [id, place], now)) }
      }
    }
    return data
  }

  private static func datum(
    _ name: String, _ value: Double, _ unit: String, _ dimensions: [(name: String, value: String)], _ now: Timestamp
  ) -> CloudWatch.MetricDatum {
    .make {
      $0.metricName = name
      $0.value = value
      $0.unit = unit
      $0.timestamp = now
      $0.dimensions = dimensions.map { dimension in .make { ($0.name, $0.value) = (dimension.name, dimension.value) } }
    }
  }
}
