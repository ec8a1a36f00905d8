// How services tell CloudWatch of themselves.

import AWSCore
import CloudWatchModel
import Logging
import ServiceKit

extension CallContext {
  /// What PutMetricData takes at once, a half.
  private static let batch = 500

  /// Puts metrics in the call's account and region. A service goes on without those that CloudWatch does not take: the
  /// log says why.
  /// - Parameters:
  ///   - namespace: AWS's (`AWS/ApplicationELB`).
  ///   - time: of all of them.
  public func put(_ points: [MetricPoint], in namespace: String, at time: Timestamp) async {
    for start in stride(from: 0, to: points.count, by: Self.batch) {
      do {
        _ = try await invoke(
          CloudWatch.putMetricData,
          .make {
            $0.namespace = namespace
            $0.metricData = points[start..<min(start + Self.batch, points.count)].map { $0.datum(time) }
          })
      } catch is CancellationError {
        return
      } catch {
        environment.logger.warning(
          "CloudWatch took no metrics", metadata: ["namespace": "\(namespace)", "error": "\(error)"])
      }
    }
  }
}
