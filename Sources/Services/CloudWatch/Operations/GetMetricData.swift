// GetMetricStatistics and GetMetricData.

import AWSCore
import AWSWire
import CloudWatchModel
import ServiceKit
import Store

extension CloudWatchService {
  func getMetricStatistics(
    _ input: CloudWatch.GetMetricStatisticsInput, _ call: CallContext
  ) async throws -> CloudWatch.GetMetricStatisticsOutput {
    let names = (input.statistics ?? []) + (input.extendedStatistics ?? [])
    guard !names.isEmpty else {
      throw CloudWatchError.invalidCombination(
        "At least one of the parameters Statistics and ExtendedStatistics must be specified.")
    }
    guard input.startTime < input.endTime else {
      throw CloudWatchError.invalidCombination("The parameter StartTime must be less than the parameter EndTime.")
    }
    let period = try Self.checkedPeriod(input.period)
    let count = (input.endTime.seconds - input.startTime.seconds) / Double(period)
    guard count <= Double(CloudWatchLimits.datapointsMax) else {
      throw CloudWatchError.invalidCombination(
        "You have requested up to \(Int(count)) datapoints, which exceeds the limit of "
          + "\(CloudWatchLimits.datapointsMax). You may reduce the datapoints requested by increasing Period, or "
          + "decreasing the time range.")
    }
    var statistics: [(name: String, statistic: Statistic)] = []
    for name in names { statistics.append((name, try Self.statistic(name))) }
    let chosen = statistics
    let metric = MetricIdentity(
      namespace: input.namespace, name: input.metricName,
      dimensions: Dictionary((input.dimensions ?? []).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }))
    let scope = call.scope
    let found = try await store.read { snapshot in
      try Self.aggregates(
        snapshot, scope, metric, from: input.startTime, to: input.endTime, period: period, unit: input.unit)
    }
    var points: [CloudWatch.Datapoint] = []
    for (time, units) in found.sorted(by: { $0.key < $1.key }) {
      for (unit, aggregate) in units.sorted(by: { $0.key < $1.key }) {
        points.append(Self.datapoint(time, unit, aggregate, chosen))
      }
    }
    let all = points
    return .make {
      $0.label = input.metricName
      $0.datapoints = all
    }
  }

  private static func datapoint(
    _ time: Int64, _ unit: String, _ aggregate: Aggregate, _ statistics: [(name: String, statistic: Statistic)]
  ) -> CloudWatch.Datapoint {
    var extended: [String: Double] = [:]
    var point = CloudWatch.Datapoint()
    point.timestamp = Timestamp(milliseconds: time * 1000)
    point.unit = unit
    for (name, statistic) in statistics {
      let value = statistic.value(of: aggregate)
      switch statistic {
      case .average: point.average = value
      case .sum: point.sum = value
      case .minimum: point.minimum = value
      case .maximum: point.maximum = value
      case .sampleCount: point.sampleCount = value
      case .percentile: extended[name] = value
      }
    }
    if !extended.isEmpty { point.extendedStatistics = extended }
    return point
  }

  static func statistic(_ name: String) throws -> Statistic {
    guard let statistic = Statistic(name) else { throw AWSError.notImplemented("the statistic \(name)") }
    return statistic
  }

  /// - Throws: for what is no period on AWS, and 501 for the high-resolution ones.
  static func checkedPeriod(_ period: Int) throws -> Int {
    if [1, 5, 10, 20, 30].contains(period) {
      throw AWSError.notImplemented("metrics of a period below 60 seconds (Castle keeps minutes)")
    }
    guard period >= 60, period % 60 == 0 else {
      throw CloudWatchError.invalidValue("The parameter Period must be a multiple of 60.")
    }
    return period
  }

  /// A metric's samples by the start of their period (seconds since 1970) and their unit.
  static func aggregates(
    _ snapshot: Snapshot, _ scope: Scope, _ metric: MetricIdentity, from start: Timestamp, to end: Timestamp,
    period: Int, unit: String?
  ) throws -> [Int64: [String: Aggregate]] {
    var result: [Int64: [String: Aggregate]] = [:]
    let key = metric.key
    let first = Int64((start.seconds / Double(period)).rounded(.down)) * Int64(period)
    let last = Int64(end.seconds.rounded(.up))
    // Nothing older than this is kept, whatever a caller asks for.
    guard let kept = try snapshot.get(MetricRecord.self, scope, key)?.lastHour else { return [:] }
    let oldest = kept - Int64(CloudWatchLimits.retentionDays * 24 + 1)
    guard first < last, last / 3600 >= oldest else { return [:] }
    for hour in max(first / 3600, oldest)...max(oldest, min(last / 3600, kept)) {
      guard let record = try snapshot.get(SeriesRecord.self, scope, SeriesRecord.id(key, hour)) else { continue }
      for (minute, units) in record.minutes {
        let time = hour * 3600 + Int64(minute) * 60
        guard time >= first, time < last else { continue }
        for (name, aggregate) in units where unit == nil || unit == name {
          result[time - time % Int64(period), default: [:]][name, default: Aggregate()].merge(aggregate)
        }
      }
    }
    return result
  }

  /// The same as one line of values. Samples of several units are taken together, as on AWS.
  static func series(
    _ snapshot: Snapshot, _ scope: Scope, _ stat: MetricQuery.Stat, from start: Timestamp, to end: Timestamp
  ) throws -> TimeSeries {
    let statistic = try statistic(stat.statistic)
    let found = try aggregates(
      snapshot, scope, stat.metric, from: start, to: end, period: stat.period, unit: stat.unit)
    var series = TimeSeries(period: stat.period)
    for (time, units) in found {
      var all = Aggregate()
      for aggregate in units.values { all.merge(aggregate) }
      series.values[time] = statistic.value(of: all)
    }
    return series
  }

  // MARK: - GetMetricData

  func getMetricData(
    _ input: CloudWatch.GetMetricDataInput, _ call: CallContext
  ) async throws -> CloudWatch.GetMetricDataOutput {
    guard input.startTime < input.endTime else {
      throw CloudWatchError.validation("StartTime must be before EndTime.")
    }
    guard input.nextToken == nil else { throw CloudWatchError.invalidToken }
    let queries = try Self.queries(input.metricDataQueries)
    let scope = call.scope
    let results = try await store.read { snapshot in
      try MetricQueries(
        queries: queries, from: input.startTime, to: input.endTime,
        read: { try Self.series(snapshot, scope, $0, from: input.startTime, to: input.endTime) }
      ).run()
    }
    let points = results.reduce(0) { $0 + $1.series.values.count }
    guard points <= input.maxDatapoints ?? CloudWatchLimits.dataPointsMax else {
      throw AWSError.notImplemented("paging of GetMetricData (\(points) datapoints were asked for)")
    }
    let isAscending = input.scanBy == "TimestampAscending"
    return .make {
      $0.messages = []
      $0.metricDataResults = results.map { result in
        let times = result.series.values.keys.sorted(by: isAscending ? { $0 < $1 } : { $0 > $1 })
        return .make {
          $0.id = result.query.id
          $0.label = result.label
          $0.timestamps = times.map { Timestamp(milliseconds: $0 * 1000) }
          $0.values = times.map { result.series.values[$0] ?? 0 }
          $0.statusCode = "Complete"
        }
      }
    }
  }

  /// Queries off the wire, checked.
  static func queries(_ wire: [CloudWatch.MetricDataQuery]) throws -> [MetricQuery] {
    guard wire.count <= CloudWatchLimits.queriesMax else {
      throw CloudWatchError.validation("The collection MetricDataQueries must not have a size greater than 500.")
    }
    guard Set(wire.map(\.id)).count == wire.count else {
      throw CloudWatchError.validation("The values for parameter id in MetricDataQueries are not unique.")
    }
    return try wire.map { query in
      guard let first = query.id.first, first.isLowercase else {
        throw CloudWatchError.validation(
          "The value \(query.id) for parameter MetricDataQueries.Id does not match [a-z][a-zA-Z0-9_]*.")
      }
      guard (query.expression == nil) != (query.metricStat == nil) else {
        throw CloudWatchError.validation("Either Expression or MetricStat must be given, not both (\(query.id)).")
      }
      var stat: MetricQuery.Stat?
      if let given = query.metricStat {
        _ = try statistic(given.stat)
        stat = MetricQuery.Stat(
          metric: MetricIdentity(
            namespace: given.metric.namespace ?? "", name: given.metric.metricName ?? "",
            dimensions: Dictionary(
              (given.metric.dimensions ?? []).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })),
          period: try checkedPeriod(given.period), statistic: given.stat, unit: given.unit)
      }
      return MetricQuery(
        id: query.id, label: query.label, expression: query.expression, stat: stat, period: query.period,
        returnData: query.returnData)
    }
  }
}

/// A set of queries that may name each other.
struct MetricQueries {
  struct Result {
    var query: MetricQuery
    var label: String
    var series: TimeSeries
  }

  private let queries: [MetricQuery]
  private let start: Timestamp
  private let end: Timestamp
  private let read: (MetricQuery.Stat) throws -> TimeSeries

  init(
    queries: [MetricQuery], from start: Timestamp, to end: Timestamp,
    read: @escaping (MetricQuery.Stat) throws -> TimeSeries
  ) {
    self.queries = queries
    self.start = start
    self.end = end
    self.read = read
  }

  /// What the queries that return data give; an expression over an array gives a result for each of it.
  func run() throws -> [Result] {
    var results: [Result] = []
    for query in queries where query.returnData ?? true {
      let label = query.label ?? query.stat?.metric.name ?? query.id
      switch try value(query.id, within: []) {
      case .series(let series): results.append(Result(query: query, label: label, series: series))
      case .array(let all): results += all.map { Result(query: query, label: label, series: $0) }
      case .number(let number):
        // A number is the same in each period.
        var series = TimeSeries(period: period)
        if number.isFinite { for time in periods(series.period) { series.values[time] = number } }
        results.append(Result(query: query, label: label, series: series))
      }
    }
    return results
  }

  private var period: Int { queries.compactMap { $0.stat?.period ?? $0.period }.max() ?? 300 }

  private func value(_ id: String, within outer: [String]) throws -> MathValue {
    guard let query = queries.first(where: { $0.id == id }) else {
      throw CloudWatchError.validation("The expression names \(id), which is no id of a query.")
    }
    guard !outer.contains(id) else { throw CloudWatchError.validation("The expression of \(id) names itself.") }
    if let stat = query.stat { return .series(try read(stat)) }
    return try MetricMath.evaluate(
      query.expression ?? "", lookUp: { try value($0, within: outer + [id]) },
      metrics: { try queries.compactMap { try $0.stat.map(read) } }, periods: periods)
  }

  /// The starts of the periods of the request.
  private func periods(_ period: Int) -> [Int64] {
    let step = Int64(max(60, period))
    let first = Int64((start.seconds / Double(step)).rounded(.down)) * step
    return Array(
      stride(from: first, to: Int64(end.seconds.rounded(.up)), by: Int64.Stride(step)).prefix(
        CloudWatchLimits.dataPointsMax))
  }
}
