// Evaluates the alarms, and forgets samples that are too old.

import AWSCore
import ServiceKit
import Store

extension CloudWatchService {
  /// Brings every alarm's state in line with its metric.
  /// - Returns: when to look again though nothing has come in: the next minute, while there are alarms.
  func evaluateAlarms(_ now: Timestamp) async throws -> Timestamp? {
    let decided = try await store.read { snapshot in
      try snapshot.list(AlarmRecord.self).map { scope, alarm in
        (scope, alarm, Result { try Self.decide(alarm, snapshot, scope, now) })
      }
    }
    guard !decided.isEmpty else { return nil }
    for (scope, alarm, result) in decided {
      let decision: AlarmRules.Decision?
      switch result {
      case .success(let found): decision = found
      case .failure(let error):
        // An expression that cannot be computed leaves the alarm without data, and says why.
        guard let known = error as? AWSError else { throw error }
        decision = .init(state: .insufficientData, reason: "The alarm could not be evaluated: \(known.message)")
      }
      guard let decision, decision.state != alarm.state || decision.reason != alarm.reason else { continue }
      // While the state stays, the reason of the transition stays too.
      guard decision.state != alarm.state || alarm.reason.hasPrefix("Unchecked") else { continue }
      try await apply(decision, to: alarm, scope, now)
    }
    return Timestamp(milliseconds: (now.milliseconds / 60_000 + 1) * 60_000)
  }

  private static func decide(
    _ alarm: AlarmRecord, _ snapshot: Snapshot, _ scope: Scope, _ now: Timestamp
  ) throws -> AlarmRules.Decision? {
    let settings = alarm.settings
    let period = Int64(max(60, settings.period))
    // The period that runs counts as soon as it has a datapoint; before that the window ends with the one before it.
    let current = Int64(now.seconds) / period * period
    let count = Int64(settings.evaluationPeriods)
    let start = Timestamp(milliseconds: (current - count * period) * 1000)
    let end = Timestamp(milliseconds: (current + period) * 1000)
    let series: TimeSeries
    if let stat = settings.stat {
      series = try Self.series(snapshot, scope, stat, from: start, to: end)
    } else {
      series =
        try MetricQueries(
          queries: settings.queries ?? [], from: start, to: end,
          read: { try Self.series(snapshot, scope, $0, from: start, to: end) }
        ).run().first?.series ?? TimeSeries(period: Int(period))
    }
    let last = series.values[current] == nil ? current - period : current
    let window = stride(from: last - (count - 1) * period, through: last, by: Int64.Stride(period)).map { time in
      (start: Timestamp(milliseconds: time * 1000), value: series.values[time])
    }
    return AlarmRules.decide(settings, window)
  }

  private func apply(
    _ decision: AlarmRules.Decision, to alarm: AlarmRecord, _ scope: Scope, _ now: Timestamp
  ) async throws {
    try await store.write { tx in
      // Somebody may have changed or deleted it meanwhile; then the next round decides.
      guard var current = try tx.get(AlarmRecord.self, scope, alarm.name), current.settings == alarm.settings,
        current.state == alarm.state, current.updatedAt == alarm.updatedAt
      else { return }
      if current.state != decision.state { current.transitionedAt = now }
      current.state = decision.state
      current.reason = decision.reason
      current.reasonData = nil
      current.updatedAt = now
      try tx.put(current, scope)
    }
    let actions: [String] =
      switch decision.state {
      case .ok: alarm.settings.okActions
      case .alarm: alarm.settings.alarmActions
      case .insufficientData: alarm.settings.insufficientDataActions
      }
    if alarm.settings.actionsEnabled, !actions.isEmpty, decision.state != alarm.state {
      environment.logger.notice(
        "an alarm has actions that Castle does not carry out",
        metadata: ["alarm": "\(alarm.name)", "state": "\(decision.state.rawValue)", "actions": "\(actions)"])
    }
  }

  /// Removes what is past its retention. Cheap when there is nothing: days are found by an index.
  func forgetOldSamples(_ now: Timestamp) async throws {
    let today = Int64(now.seconds / 86_400)
    let old = try await store.read { snapshot in
      var found: [(Scope, String)] = []
      // A castle that slept for long has more than one day to forget; the first look after a start goes far back.
      for day in (today - 60)...(today - Int64(CloudWatchLimits.retentionDays) - 1) {
        found += try snapshot.find(SeriesRecord.self, index: "day", String(day)).map { ($0.0, $0.1.recordID) }
      }
      return found
    }
    guard !old.isEmpty else { return }
    try await store.write { tx in
      for (scope, id) in old { try tx.delete(SeriesRecord.self, scope, id) }
      let oldest = Int64(now.seconds / 3600) - Int64(CloudWatchLimits.retentionDays * 24)
      for (scope, metric) in try tx.list(MetricRecord.self) where metric.lastHour < oldest {
        try tx.delete(MetricRecord.self, scope, metric.recordID)
      }
    }
  }
}
