// PutMetricData and ListMetrics.

import AWSCore
import AWSWire
import CloudWatchModel
import FoundationEssentials
import ServiceKit
import Store

extension CloudWatchService {
  func putMetricData(_ input: CloudWatch.PutMetricDataInput, _ call: CallContext) async throws -> Empty {
    guard (input.entityMetricData ?? []).isEmpty else {
      throw AWSError.notImplemented("PutMetricData with EntityMetricData")
    }
    if input.namespace.hasPrefix("AWS/"), call.principal.kind != .service {
      throw CloudWatchError.invalidValue("The value AWS/ for parameter Namespace is invalid.")
    }
    let datums = input.metricData ?? []
    guard !datums.isEmpty else { throw CloudWatchError.missing("The parameter MetricData is required.") }
    guard datums.count <= CloudWatchLimits.datumsMax else {
      throw CloudWatchError.invalidValue(
        "The collection MetricData must not have a size greater than \(CloudWatchLimits.datumsMax).")
    }
    var samples: [Sample] = []
    for (index, datum) in datums.enumerated() {
      samples.append(try Self.sample(datum, input.namespace, at: index + 1, call.now))
    }
    let all = samples
    let scope = call.scope
    try await store.write { tx in try Self.add(all, tx, scope) }
    return Empty()
  }

  /// A datum, checked.
  struct Sample: Sendable {
    var metric: MetricIdentity
    var unit: String
    /// Minutes since 1970.
    var minute: Int64
    var aggregate: Aggregate
  }

  private static func sample(
    _ datum: CloudWatch.MetricDatum, _ namespace: String, at index: Int, _ now: Timestamp
  ) throws -> Sample {
    let place = "MetricData.member.\(index)"
    let time = datum.timestamp ?? now
    let ahead = time.seconds - now.seconds
    guard ahead <= CloudWatchLimits.futureSecondsMax, -ahead <= CloudWatchLimits.pastSecondsMax else {
      throw CloudWatchError.invalidValue(
        "The value \(time.iso8601) for parameter \(place).Timestamp must be within the last two weeks, and no more than "
          + "two hours ahead.")
    }
    var aggregate = Aggregate()
    let given = [datum.value != nil, datum.values != nil, datum.statisticValues != nil].filter { $0 }.count
    guard given == 1 else {
      throw CloudWatchError.invalidCombination(
        "The parameters \(place).Value, \(place).Values and \(place).StatisticValues are mutually exclusive and you "
          + "must specify one of them.")
    }
    func check(_ value: Double) throws -> Double {
      guard value.isFinite, abs(value) <= 0x1p360 else {
        throw CloudWatchError.invalidValue("The value \(value) for parameter \(place).Value is invalid.")
      }
      return value
    }
    if let value = datum.value { aggregate.add(try check(value)) }
    if let values = datum.values {
      let counts = datum.counts ?? Array(repeating: 1, count: values.count)
      guard counts.count == values.count, !values.isEmpty, values.count <= CloudWatchLimits.valuesMax else {
        throw CloudWatchError.invalidValue(
          "The parameters \(place).Values and \(place).Counts must be of the same size, and have 1 to "
            + "\(CloudWatchLimits.valuesMax) entries.")
      }
      for (value, count) in zip(values, counts) { aggregate.add(try check(value), times: max(0, count)) }
    }
    if let set = datum.statisticValues {
      aggregate.add(
        count: set.sampleCount, sum: try check(set.sum), minimum: try check(set.minimum),
        maximum: try check(set.maximum))
    }
    let dimensions = (datum.dimensions ?? []).map { ($0.name, $0.value) }
    return Sample(
      metric: MetricIdentity(
        namespace: namespace, name: datum.metricName, dimensions: Dictionary(dimensions, uniquingKeysWith: { $1 })),
      unit: datum.unit ?? "None", minute: Int64((time.seconds / 60).rounded(.down)), aggregate: aggregate)
  }

  private static func add(_ samples: [Sample], _ tx: Transaction, _ scope: Scope) throws {
    var hours: [String: SeriesRecord] = [:]
    for sample in samples where sample.aggregate.count > 0 {
      let key = sample.metric.key
      let hour = sample.minute / 60
      let id = SeriesRecord.id(key, hour)
      var record =
        try hours[id] ?? tx.get(SeriesRecord.self, scope, id) ?? SeriesRecord(metric: key, hour: hour, minutes: [:])
      record.minutes[Int(sample.minute % 60), default: [:]][sample.unit, default: Aggregate()].merge(sample.aggregate)
      hours[id] = record
      var metric = try tx.get(MetricRecord.self, scope, key)
      if metric == nil, try tx.count(MetricRecord.self, scope) >= CloudWatchLimits.metricsMax {
        throw CloudWatchError.limitExceeded(
          "There are more than \(CloudWatchLimits.metricsMax) metrics in this region.")
      }
      if (metric?.lastHour ?? -1) < hour {
        metric = MetricRecord(identity: sample.metric, lastHour: hour)
        if let metric { try tx.put(metric, scope) }
      }
    }
    for record in hours.values { try tx.put(record, scope) }
  }

  func listMetrics(
    _ input: CloudWatch.ListMetricsInput, _ call: CallContext
  ) async throws -> CloudWatch.ListMetricsOutput {
    let scope = call.scope
    let recent = input.recentlyActive == "PT3H" ? Int64(call.now.seconds / 3600) - 3 : Int64.min
    let found = try await store.read { snapshot in
      if let namespace = input.namespace {
        return try snapshot.find(MetricRecord.self, scope, index: "namespace", namespace)
      }
      return try snapshot.list(MetricRecord.self, scope)
    }.filter { metric in
      (input.metricName == nil || metric.identity.name == input.metricName) && metric.lastHour >= recent
        && (input.dimensions ?? []).allSatisfy { filter in
          guard let value = metric.identity.dimensions[filter.name] else { return false }
          return filter.value == nil || filter.value == value
        }
    }
    let page = try Page(found, limit: CloudWatchLimits.listPage, token: input.nextToken, id: \.recordID)
    return .make {
      $0.metrics = page.items.map { metric in
        .make {
          $0.namespace = metric.identity.namespace
          $0.metricName = metric.identity.name
          $0.dimensions = metric.identity.wireDimensions
        }
      }
      $0.nextToken = page.next
    }
  }
}

extension Page {
  /// A page of a list that is ordered by `id`.
  /// - Throws: `InvalidNextToken`.
  init(_ all: [Item], limit: Int, token: String?, id: (Item) -> String) throws {
    try self.init(all, after: token, limit: limit, place: id, invalid: CloudWatchError.invalidToken)
  }
}
