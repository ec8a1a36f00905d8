// The metrics of health checks, namespace AWS/Route53, in us-east-1 wherever the check was made.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html

import HealthProbe
import MetricsKit

enum HealthMetrics {
  static let region = "us-east-1"

  /// One minute's data of one health check.
  static func points(
    _ check: HealthCheckRecord, _ book: HealthBook, _ latency: ProbeAnswer?
  ) -> [MetricPoint] {
    let id = ["HealthCheckId": check.id]
    func point(_ name: String, _ value: Double, _ unit: String, _ dimensions: [String: String]) -> MetricPoint {
      MetricPoint(name: name, dimensions: dimensions, unit: unit, value: value)
    }
    let isHealthy = book.isHealthy(check.id)
    var points = [point("HealthCheckStatus", isHealthy ? 1 : 0, "None", id)]
    if check.settings.type.isEndpoint, let seen = book.seen[check.id], !check.settings.isDisabled {
      // There is one health checker: all of them, or none.
      points.append(point("HealthCheckPercentageHealthy", seen.health.isHealthy ? 100 : 0, "Percent", id))
    }
    if check.settings.type == .calculated, !check.settings.isDisabled {
      points.append(point("ChildHealthCheckHealthyCount", Double(book.healthyChildren(check)), "Count", id))
    }
    if check.settings.measuresLatency == true, let latency {
      let dimensions = id.merging(["Region": check.settings.regions?.first ?? region]) { $1 }
      let times = [
        ("ConnectionTime", latency.connectTime), ("SSLHandshakeTime", latency.handshakeTime),
        ("TimeToFirstByte", latency.firstByteTime),
      ]
      for (name, time) in times {
        if let time { points.append(point(name, time, "Milliseconds", dimensions)) }
      }
    }
    return points
  }
}
