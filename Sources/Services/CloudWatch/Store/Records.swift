// What CloudWatch keeps: metrics, an hour of a metric's samples, alarms.

import AWSCore
import CloudWatchModel
import Store

/// A metric: namespace, name, dimensions.
struct MetricIdentity: Codable, Sendable, Hashable {
  var namespace: String
  var name: String
  /// By name.
  var dimensions: [String: String]

  /// One text for one metric. The separator cannot be in any of its parts.
  var key: String {
    ([namespace, name] + dimensions.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }).joined(
      separator: "\u{1F}")
  }

  var wireDimensions: [CloudWatch.Dimension] {
    dimensions.sorted { $0.key < $1.key }.map { name, value in
      .make {
        $0.name = name
        $0.value = value
      }
    }
  }
}

struct MetricRecord: Record {
  static let collection = "cloudwatch.metric"
  var recordID: String { identity.key }
  var recordIndex: [String: String] { ["namespace": identity.namespace] }
  var identity: MetricIdentity
  /// The last hour (since 1970) with a sample.
  var lastHour: Int64
}

/// An hour of a metric.
struct SeriesRecord: Record {
  static let collection = "cloudwatch.series"
  var recordID: String { Self.id(metric, hour) }
  /// Days, so that old ones are found together.
  var recordIndex: [String: String] { ["day": String(hour / 24)] }
  var metric: String
  /// Hours since 1970.
  var hour: Int64
  /// Minute of the hour → unit → samples.
  var minutes: [Int: [String: Aggregate]]

  static func id(_ metric: String, _ hour: Int64) -> String { "\(metric)\u{1E}\(hour)" }
}

/// A query of GetMetricData or of an alarm.
struct MetricQuery: Codable, Sendable, Equatable {
  struct Stat: Codable, Sendable, Equatable {
    var metric: MetricIdentity
    var period: Int
    var statistic: String
    var unit: String?
  }
  var id: String
  var label: String?
  var expression: String?
  var stat: Stat?
  var period: Int?
  var returnData: Bool?
}

/// What an alarm is told to watch.
struct AlarmSettings: Codable, Sendable, Equatable {
  var description: String?
  var comparison: String
  var threshold: Double
  var evaluationPeriods: Int
  var datapointsToAlarm: Int?
  var treatMissingData: String?
  var evaluateLowSampleCountPercentile: String?
  var actionsEnabled: Bool
  var okActions: [String]
  var alarmActions: [String]
  var insufficientDataActions: [String]
  /// The one metric, or nil when there are queries.
  var stat: MetricQuery.Stat?
  /// Whether `stat` was given as an extended statistic.
  var isExtended: Bool?
  var queries: [MetricQuery]?

  /// Seconds of a period.
  var period: Int {
    stat?.period ?? queries?.first { $0.returnData ?? true }?.period ?? queries?.compactMap { $0.stat?.period }.max()
      ?? 60
  }
}

struct AlarmRecord: Record {
  static let collection = "cloudwatch.alarm"
  var recordID: String { name }
  var name: String
  var arn: String
  var settings: AlarmSettings
  var state: AlarmState
  var reason: String
  var reasonData: String?
  /// When the configuration, the state, and the state's value changed last.
  var configuredAt: Timestamp
  var updatedAt: Timestamp
  var transitionedAt: Timestamp
  var tags: [String: String]
}
