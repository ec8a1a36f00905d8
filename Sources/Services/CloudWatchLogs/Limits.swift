// Limits of CloudWatch Logs.

/// AWS's quotas, and the values that a setting may have.
enum LogsLimits {
  static let tagsMax = 50
  /// The days that a retention may have.
  static let retentionDays: Set<Int> = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
  ]
  /// Bytes of a PutLogEvents batch: each message's UTF-8 and ``eventOverhead``.
  static let batchBytesMax = 1_048_576
  static let eventOverhead = 26
  static let batchEventsMax = 10_000
  /// Hours that a batch may span.
  static let batchSpanHours = 24
  /// Hours into the future that an event may lie.
  static let futureHours = 2
  /// Days into the past that an event may lie.
  static let pastDays = 14
  /// How often expired events are dropped, in seconds.
  static let expirySeconds = 3600.0
}
