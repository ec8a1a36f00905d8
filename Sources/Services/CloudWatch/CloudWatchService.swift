// Amazon CloudWatch: metrics in a small time series, queries over them, and alarms that are really evaluated.

import AWSCore
import AWSWire
import CloudWatchModel
import ServiceKit
import Store

/// CloudWatch (metrics and alarms; logs are a service of their own).
public struct CloudWatchService: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public static var collections: [any Record.Type] { [MetricRecord.self, SeriesRecord.self, AlarmRecord.self] }

  public var resourceProviders: [ResourceProvider] { [alarmProvider] }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(CloudWatch.putMetricData, putMetricData)
    table.on(CloudWatch.listMetrics, listMetrics)
    table.on(CloudWatch.getMetricStatistics, getMetricStatistics)
    table.on(CloudWatch.getMetricData, getMetricData)
    table.on(CloudWatch.putMetricAlarm, access: { [ResourceAccess(Self.arn($0.alarmName, $1))] }, putMetricAlarm)
    table.on(
      CloudWatch.describeAlarms,
      access: { input, call in
        let names = input.alarmNames ?? []
        return names.isEmpty ? [ResourceAccess("*")] : names.map { ResourceAccess(Self.arn($0, call)) }
      }, describeAlarms)
    table.on(
      CloudWatch.deleteAlarms, access: { input, call in input.alarmNames.map { ResourceAccess(Self.arn($0, call)) } },
      deleteAlarms)
    table.on(CloudWatch.setAlarmState, access: { [ResourceAccess(Self.arn($0.alarmName, $1))] }, setAlarmState)
    table.on(CloudWatch.tagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, tagResource)
    table.on(CloudWatch.untagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, untagResource)
    table.on(
      CloudWatch.listTagsForResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, listTagsForResource)
    return [ServiceAPI(CloudWatch.model, actionPrefix: "cloudwatch", table)]
  }

  /// `arn:aws:cloudwatch:region:account:alarm:name`.
  static func arn(_ alarm: String, _ call: CallContext) -> String { call.arn("cloudwatch", "alarm:\(alarm)") }

  /// Evaluates alarms as their metrics come in and as time goes on, and forgets old samples.
  public func run() async throws {
    let changes = store.changes(in: [SeriesRecord.collection, AlarmRecord.collection])
    try await runByCalendar(clock: environment.clock, changes: changes) {
      let now = environment.clock.now
      try await forgetOldSamples(now)
      return try await evaluateAlarms(now)
    }
  }
}
