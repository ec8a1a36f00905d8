// What CloudWatch allows, and what keeps the time series small.

/// Limits of CloudWatch. Those of AWS unless said otherwise.
enum CloudWatchLimits {
  /// Days that samples are kept; AWS keeps minutes for 15 days too, coarser ones longer.
  static let retentionDays = 15
  /// Metrics of an account in a region. Castle's own.
  static let metricsMax = 10_000
  static let datumsMax = 1000
  static let valuesMax = 150
  /// Of GetMetricStatistics.
  static let datapointsMax = 1440
  /// Of GetMetricData.
  static let dataPointsMax = 100_800
  static let queriesMax = 500
  static let listPage = 500
  static let alarmsPage = 100
  static let alarmsMax = 5000
  static let tagsMax = 50
  /// The earliest and the latest timestamp of a datum, in seconds from now.
  static let pastSecondsMax = 14.0 * 86_400
  static let futureSecondsMax = 2.0 * 3600
}
