// PutMetricAlarm, DescribeAlarms, DeleteAlarms, SetAlarmState, and tags.

import AWSCore
import AWSWire
import CloudWatchModel
import ServiceKit
import Store

extension CloudWatchService {
  func putMetricAlarm(_ input: CloudWatch.PutMetricAlarmInput, _ call: CallContext) async throws -> Empty {
    let settings = try Self.settings(input)
    let tags = try Self.tags(input.tags ?? [])
    let scope = call.scope
    let arn = Self.arn(input.alarmName, call)
    try await store.write { tx in
      if var old = try tx.get(AlarmRecord.self, scope, input.alarmName) {
        // The state stays as it is until the next evaluation; tags of an existing alarm change by TagResource only.
        guard old.settings != settings else { return }
        old.settings = settings
        old.configuredAt = call.now
        try tx.put(old, scope)
        return
      }
      guard try tx.count(AlarmRecord.self, scope) < CloudWatchLimits.alarmsMax else {
        throw CloudWatchError.limitExceeded("The maximum number of alarms has been reached.")
      }
      let new = AlarmRecord(
        name: input.alarmName, arn: arn, settings: settings, state: .insufficientData,
        reason: "Unchecked: Initial alarm creation", configuredAt: call.now, updatedAt: call.now,
        transitionedAt: call.now, tags: tags)
      try tx.put(new, scope)
    }
    return Empty()
  }

  private static func settings(_ input: CloudWatch.PutMetricAlarmInput) throws -> AlarmSettings {
    if input.evaluationCriteria != nil || input.evaluationInterval != nil {
      throw AWSError.notImplemented("alarms on PromQL queries")
    }
    if input.thresholdMetricId != nil { throw AWSError.notImplemented("alarms on anomaly detection bands") }
    guard let comparison = input.comparisonOperator else {
      throw CloudWatchError.validation("ComparisonOperator must be given.")
    }
    guard !comparison.contains("UpperThreshold"), !comparison.contains("LowerThreshold") else {
      throw AWSError.notImplemented("alarms on anomaly detection bands (\(comparison))")
    }
    guard let threshold = input.threshold else { throw CloudWatchError.validation("Threshold must be given.") }
    guard let periods = input.evaluationPeriods, periods > 0 else {
      throw CloudWatchError.validation("EvaluationPeriods must be given, and at least 1.")
    }
    if let wanted = input.datapointsToAlarm, wanted > periods || wanted < 1 {
      throw CloudWatchError.validation("DatapointsToAlarm must be at least 1 and at most EvaluationPeriods.")
    }
    if let treat = input.treatMissingData, !["breaching", "notBreaching", "ignore", "missing"].contains(treat) {
      throw CloudWatchError.validation("TreatMissingData must be one of breaching, notBreaching, ignore, missing.")
    }
    var settings = AlarmSettings(
      description: input.alarmDescription, comparison: comparison, threshold: threshold, evaluationPeriods: periods,
      datapointsToAlarm: input.datapointsToAlarm, treatMissingData: input.treatMissingData,
      evaluateLowSampleCountPercentile: input.evaluateLowSampleCountPercentile,
      actionsEnabled: input.actionsEnabled ?? true, okActions: input.okActions ?? [],
      alarmActions: input.alarmActions ?? [], insufficientDataActions: input.insufficientDataActions ?? [])
    if let metrics = input.metrics, !metrics.isEmpty {
      guard input.metricName == nil, input.namespace == nil, input.statistic == nil, input.period == nil else {
        throw CloudWatchError.validation(
          "Metrics and MetricName, Namespace, Statistic or Period are mutually exclusive.")
      }
      let queries = try queries(metrics)
      guard queries.filter({ $0.returnData ?? true }).count == 1 else {
        throw CloudWatchError.validation("Exactly one element of the metrics list should return data.")
      }
      settings.queries = queries
    } else {
      guard let name = input.metricName, let namespace = input.namespace, let period = input.period else {
        throw CloudWatchError.validation("MetricName, Namespace and Period must be given, or Metrics.")
      }
      guard (input.statistic == nil) != (input.extendedStatistic == nil) else {
        throw CloudWatchError.validation("Exactly one of Statistic and ExtendedStatistic must be given.")
      }
      let word = input.statistic ?? input.extendedStatistic ?? ""
      _ = try statistic(word)
      settings.stat = MetricQuery.Stat(
        metric: MetricIdentity(
          namespace: namespace, name: name,
          dimensions: Dictionary((input.dimensions ?? []).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })),
        period: try checkedPeriod(period), statistic: word, unit: input.unit)
      settings.isExtended = input.extendedStatistic != nil ? true : nil
    }
    return settings
  }

  func describeAlarms(
    _ input: CloudWatch.DescribeAlarmsInput, _ call: CallContext
  ) async throws -> CloudWatch.DescribeAlarmsOutput {
    guard input.childrenOfAlarmName == nil, input.parentsOfAlarmName == nil else {
      throw AWSError.notImplemented("composite alarms")
    }
    let names = input.alarmNames ?? []
    guard names.isEmpty || input.alarmNamePrefix == nil else {
      throw CloudWatchError.validation("AlarmNames and AlarmNamePrefix are mutually exclusive.")
    }
    let scope = call.scope
    // Composite alarms are not built, so none exists.
    let wantsMetricAlarms = input.alarmTypes.map { $0.isEmpty || $0.contains("MetricAlarm") } ?? true
    let found = try await store.read { try $0.list(AlarmRecord.self, scope) }.filter { alarm in
      let actions = alarm.settings.alarmActions + alarm.settings.okActions + alarm.settings.insufficientDataActions
      return wantsMetricAlarms && (names.isEmpty || names.contains(alarm.name))
        && (input.alarmNamePrefix.map { alarm.name.hasPrefix($0) } ?? true)
        && (input.stateValue.map { alarm.state.rawValue == $0 } ?? true)
        && (input.actionPrefix.map { prefix in actions.contains { $0.hasPrefix(prefix) } } ?? true)
    }
    let page = try Page(
      found, limit: input.maxRecords ?? CloudWatchLimits.alarmsPage, token: input.nextToken, id: \.recordID)
    return .make {
      $0.compositeAlarms = []
      $0.metricAlarms = page.items.map(Self.wire)
      $0.nextToken = page.next
    }
  }

  private static func wire(_ alarm: AlarmRecord) -> CloudWatch.MetricAlarm {
    let settings = alarm.settings
    return .make {
      $0.alarmName = alarm.name
      $0.alarmArn = alarm.arn
      $0.alarmDescription = settings.description
      $0.alarmConfigurationUpdatedTimestamp = alarm.configuredAt
      $0.actionsEnabled = settings.actionsEnabled
      $0.okActions = settings.okActions
      $0.alarmActions = settings.alarmActions
      $0.insufficientDataActions = settings.insufficientDataActions
      $0.stateValue = alarm.state.rawValue
      $0.stateReason = alarm.reason
      $0.stateReasonData = alarm.reasonData
      $0.stateUpdatedTimestamp = alarm.updatedAt
      $0.stateTransitionedTimestamp = alarm.transitionedAt
      $0.comparisonOperator = settings.comparison
      $0.threshold = settings.threshold
      $0.evaluationPeriods = settings.evaluationPeriods
      $0.datapointsToAlarm = settings.datapointsToAlarm
      $0.treatMissingData = settings.treatMissingData
      $0.evaluateLowSampleCountPercentile = settings.evaluateLowSampleCountPercentile
      if let stat = settings.stat {
        $0.namespace = stat.metric.namespace
        $0.metricName = stat.metric.name
        $0.dimensions = stat.metric.wireDimensions
        $0.period = stat.period
        $0.unit = stat.unit
        if settings.isExtended == true { $0.extendedStatistic = stat.statistic } else { $0.statistic = stat.statistic }
      }
      $0.metrics = (settings.queries ?? []).map(wire)
    }
  }

  private static func wire(_ query: MetricQuery) -> CloudWatch.MetricDataQuery {
    .make {
      $0.id = query.id
      $0.label = query.label
      $0.expression = query.expression
      $0.period = query.period
      $0.returnData = query.returnData
      $0.metricStat = query.stat.map { stat in
        .make {
          $0.metric = .make {
            $0.namespace = stat.metric.namespace
            $0.metricName = stat.metric.name
            $0.dimensions = stat.metric.wireDimensions
          }
          $0.period = stat.period
          $0.stat = stat.statistic
          $0.unit = stat.unit
        }
      }
    }
  }

  func deleteAlarms(_ input: CloudWatch.DeleteAlarmsInput, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      let missing = try input.alarmNames.filter { try tx.get(AlarmRecord.self, scope, $0) == nil }
      guard missing.isEmpty else { throw CloudWatchError.alarmNotFound(missing) }
      for name in input.alarmNames { try tx.delete(AlarmRecord.self, scope, name) }
    }
    return Empty()
  }

  func setAlarmState(_ input: CloudWatch.SetAlarmStateInput, _ call: CallContext) async throws -> Empty {
    guard let state = AlarmState(rawValue: input.stateValue) else {
      throw CloudWatchError.validation("StateValue must be one of OK, ALARM, INSUFFICIENT_DATA.")
    }
    let scope = call.scope
    try await store.write { tx in
      guard var alarm = try tx.get(AlarmRecord.self, scope, input.alarmName) else {
        throw CloudWatchError.alarmNotFound([input.alarmName])
      }
      if alarm.state != state { alarm.transitionedAt = call.now }
      alarm.state = state
      alarm.reason = input.stateReason
      alarm.reasonData = input.stateReasonData
      alarm.updatedAt = call.now
      try tx.put(alarm, scope)
    }
    return Empty()
  }

  // MARK: - Tags

  private static func tags(_ tags: [CloudWatch.Tag]) throws -> [String: String] {
    guard Set(tags.map(\.key)).count == tags.count else { throw CloudWatchError.invalidValue("Duplicate tag keys.") }
    guard tags.count <= CloudWatchLimits.tagsMax else { throw CloudWatchError.limitExceeded("Too many tags.") }
    return Dictionary(tags.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
  }

  private func change(
    _ arn: String, _ call: CallContext, _ body: @escaping @Sendable (inout [String: String]) throws -> Void
  ) async throws {
    let scope = call.scope
    try await store.write { tx in
      guard var alarm = try tx.list(AlarmRecord.self, scope).first(where: { $0.arn == arn }) else {
        throw CloudWatchError.resourceNotFound(arn)
      }
      try body(&alarm.tags)
      guard alarm.tags.count <= CloudWatchLimits.tagsMax else { throw CloudWatchError.limitExceeded("Too many tags.") }
      try tx.put(alarm, scope)
    }
  }

  func tagResource(
    _ input: CloudWatch.TagResourceInput, _ call: CallContext
  ) async throws -> CloudWatch.TagResourceOutput {
    let new = try Self.tags(input.tags)
    try await change(input.resourceARN, call) { $0.merge(new) { $1 } }
    return .init()
  }

  func untagResource(
    _ input: CloudWatch.UntagResourceInput, _ call: CallContext
  ) async throws -> CloudWatch.UntagResourceOutput {
    try await change(input.resourceARN, call) { tags in
      for key in input.tagKeys { tags[key] = nil }
    }
    return .init()
  }

  func listTagsForResource(
    _ input: CloudWatch.ListTagsForResourceInput, _ call: CallContext
  ) async throws -> CloudWatch.ListTagsForResourceOutput {
    let scope = call.scope
    let alarms = try await store.read { try $0.list(AlarmRecord.self, scope) }
    guard let alarm = alarms.first(where: { $0.arn == input.resourceARN }) else {
      throw CloudWatchError.resourceNotFound(input.resourceARN)
    }
    return .make {
      $0.tags = alarm.tags.sorted { $0.key < $1.key }.map { key, value in
        .make {
          $0.key = key
          $0.value = value
        }
      }
    }
  }
}
