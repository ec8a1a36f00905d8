// The health checker: asks endpoints as often as their checks want it, follows alarms, and puts metrics each minute.

import AWSCore
import AWSWire
import CloudWatchModel
import HealthProbe
import Logging
import MetricsKit
import ServiceKit
import Store

/// One per service. Probes run beside each other; a slow endpoint keeps nobody waiting.
actor HealthChecker {
  private struct Key: Hashable {
    let account: String
    let check: String
  }
  private struct Turn {
    /// The check's version that was last asked; a changed check is asked at once.
    var version: Int
    var next: Timestamp
  }
  /// A probe that is due.
  private struct Work: Sendable {
    let scope: Scope
    let check: HealthCheckRecord
  }

  private let service: Route53Service
  private let prober = Prober()
  private let work: AsyncStream<Work>
  private let due: AsyncStream<Work>.Continuation
  private var turns: [Key: Turn] = [:]
  private var running: Set<Key> = []
  /// The minute (since 1970) whose metrics were put.
  private var measured: Int64?
  /// The times of each check's last probe, for those that measure latency.
  private var latencies: [Key: ProbeAnswer] = [:]

  init(_ service: Route53Service) {
    self.service = service
    (work, due) = AsyncStream.makeStream(of: Work.self)
  }

  /// Works until the task is cancelled or the store is closed.
  func run(_ changes: AsyncStream<ChangeBatch>) async throws {
    let clock = service.environment.clock
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [due] in
        defer { due.finish() }
        try await runByCalendar(clock: clock, changes: changes) { try await self.settle() }
      }
      group.addTask { [work] in
        try await withThrowingDiscardingTaskGroup { probes in
          for await next in work { probes.addTask { try await self.carryOut(next) } }
        }
      }
      try await group.waitForAll()
    }
  }

  // MARK: - What is due

  /// - Returns: when the next thing is due.
  private func settle() async throws -> Timestamp? {
    let now = service.environment.clock.now
    let (all, seen) = try await service.store.read { snapshot in
      (try snapshot.list(HealthCheckRecord.self), try snapshot.list(HealthRecord.self))
    }
    let keys = Set(all.map { Key(account: $0.0.account, check: $0.1.id) })
    turns = turns.filter { keys.contains($0.key) }
    latencies = latencies.filter { keys.contains($0.key) }
    guard !all.isEmpty else { return nil }
    var next = Timestamp(milliseconds: (now.milliseconds / 60_000 + 1) * 60_000)
    for (scope, check) in all where !check.settings.isDisabled {
      if check.settings.type == .metric {
        try await follow(check, scope, now)
      } else if check.settings.type.isEndpoint, let at = ask(check, scope, now) {
        next = min(next, at)
      }
    }
    let minute = now.milliseconds / 60_000
    if measured != minute {
      measured = minute
      for (scope, checks) in Dictionary(grouping: all, by: \.0) {
        await measure(checks.map(\.1), seen.filter { $0.0 == scope }.map(\.1), scope, now)
      }
    }
    return next
  }

  /// Starts a probe when one is due.
  /// - Returns: when the next one is; nil while one runs, whose end wakes the loop.
  private func ask(_ check: HealthCheckRecord, _ scope: Scope, _ now: Timestamp) -> Timestamp? {
    let key = Key(account: scope.account, check: check.id)
    guard !running.contains(key) else { return nil }
    if let turn = turns[key], turn.version == check.version, turn.next > now { return turn.next }
    let interval = Double(check.settings.requestInterval ?? 30)
    turns[key] = Turn(version: check.version, next: now.adding(seconds: interval))
    running.insert(key)
    due.yield(Work(scope: scope, check: check))
    return nil
  }

  private func carryOut(_ work: Work) async throws {
    let key = Key(account: work.scope.account, check: work.check.id)
    let check = work.check
    let probe = try await service.store.read { try check.probe(ZoneReader(snapshot: $0, scope: work.scope)) }
    var answer = ProbeAnswer(.failed(.unresolved))
    if let probe { answer = await prober.probe(probe) }
    // A castle that goes down says nothing about an endpoint.
    try Task.checkCancellation()
    if check.settings.measuresLatency == true { latencies[key] = answer }
    running.remove(key)
    let now = service.environment.clock.now
    let words = answer.words(isNamed: check.settings.ipAddress == nil)
    try await note(check, work.scope, answer.isSuccess, words, now, threshold: check.settings.failureThreshold ?? 3)
  }

  /// Writes down what was seen. The write wakes the loop.
  private func note(
    _ check: HealthCheckRecord, _ scope: Scope, _ success: Bool, _ words: String, _ now: Timestamp, threshold: Int
  ) async throws {
    try await service.store.write { tx in
      // What was asked of settings that are no more says nothing.
      guard let current = try tx.get(HealthCheckRecord.self, scope, check.id) else { return }
      var record = try tx.get(HealthRecord.self, scope, check.id) ?? HealthRecord(id: check.id)
      if current.version == check.version {
        record.health.note(success, threshold: threshold)
        record.last = .init(at: now, words: words)
        if !success { record.lastFailure = record.last }
      }
      try tx.put(record, scope)
    }
  }

  // MARK: - Alarms

  /// The health of a check that follows an alarm.
  private func follow(_ check: HealthCheckRecord, _ scope: Scope, _ now: Timestamp) async throws {
    guard let alarm = check.settings.alarm else { return }
    let call = service.environment.call(
      as: Route53Service.servicePrincipal, account: scope.account, region: alarm.region)
    var state: String?
    do {
      state = try await call.invoke(CloudWatch.describeAlarms, .make { $0.alarmNames = [alarm.name] })
        .metricAlarms?.first?.stateValue
    } catch let error as AWSError {
      service.environment.logger.warning("no alarm for a health check", metadata: ["error": "\(error.message)"])
    }
    let before = try await service.store.get(HealthRecord.self, scope, check.id)
    let known = before?.health.isHealthy ?? true
    let isHealthy: Bool =
      switch state {
      case "OK": true
      case "ALARM": false
      default:
        switch check.settings.insufficientData {
        case "Healthy": true
        case "Unhealthy": false
        default: known
        }
      }
    let words = "\(isHealthy ? "Success" : "Failure"): The alarm's state is \(state ?? "unknown")"
    // Only what is new is written, for a write wakes the loop.
    guard before == nil || known != isHealthy || before?.last?.words != words else { return }
    try await note(check, scope, isHealthy, words, now, threshold: 1)
  }

  // MARK: - Metrics

  private func measure(
    _ checks: [HealthCheckRecord], _ seen: [HealthRecord], _ scope: Scope, _ now: Timestamp
  ) async {
    let book = HealthBook(
      checks: Dictionary(checks.map { ($0.id, $0) }, uniquingKeysWith: { $1 }),
      seen: Dictionary(seen.map { ($0.id, $0) }, uniquingKeysWith: { $1 }))
    let points = checks.flatMap { check in
      HealthMetrics.points(check, book, latencies[Key(account: scope.account, check: check.id)])
    }
    let call = service.environment.call(
      as: Route53Service.servicePrincipal, account: scope.account, region: HealthMetrics.region)
    await call.put(points, in: "AWS/Route53", at: now)
  }
}
