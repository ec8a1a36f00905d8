// Route 53 and CloudWatch with the health checker at work and a clock that stands still until a test moves it.

import AWSCore
import CastleTesting
import CloudWatchModel
import CloudWatchService
import Route53Model
import ServiceKit
import Store

@testable import Route53Service

struct HealthCheckFixture: Sendable {
  let harness: ServiceHarness
  let clock: ManualClock

  /// Runs `body` while the health checker works.
  static func run(_ body: (HealthCheckFixture) async throws -> Void) async throws {
    let clock = ManualClock()
    let harness = try ServiceHarness(
      clock: clock, collections: Route53Service.collections + CloudWatchService.collections
    ) { [Route53Service($0), CloudWatchService($0)] }
    defer { harness.remove() }
    let service = Route53Service(harness.environment)
    let loop = Task { try await service.run() }
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(HealthCheckFixture(harness: harness, clock: clock)))
    } catch {
      outcome = .failure(error)
    }
    loop.cancel()
    _ = await loop.result
    try outcome.get()
  }

  /// Makes a health check; an endpoint's is asked every ten seconds and turns after two looks.
  @discardableResult
  func make(
    _ type: String, reference: String? = nil, _ configure: (inout Route53.HealthCheckConfig) -> Void
  ) async throws -> Route53.HealthCheck {
    let isEndpoint = !["CALCULATED", "CLOUDWATCH_METRIC"].contains(type)
    let config = Route53.HealthCheckConfig.make {
      $0.type = type
      if isEndpoint {
        $0.requestInterval = 10
        $0.failureThreshold = 2
      }
      configure(&$0)
    }
    let made = try await harness.run(Route53.createHealthCheck) {
      $0.callerReference = reference ?? harness.environment.ids.uuid()
      $0.healthCheckConfig = config
    }
    return made.healthCheck ?? .init()
  }

  func make(
    _ type: String, _ port: UInt16, _ configure: (inout Route53.HealthCheckConfig) -> Void = { _ in }
  ) async throws -> String {
    try await make(type) {
      $0.ipAddress = "127.0.0.1"
      $0.port = Int(port)
      configure(&$0)
    }.id ?? ""
  }

  /// Waits, without a clock, until something seen makes the condition true.
  func until(_ condition: () async throws -> Bool) async throws {
    let changes = harness.environment.store.changes(in: [
      HealthRecord.collection, HealthCheckRecord.collection, "cloudwatch.series",
    ])
    if try await condition() { return }
    for await _ in changes where try await condition() { return }
  }

  /// What the last look said; nil before the first.
  func report(_ id: String) async throws -> Route53.StatusReport? {
    try await harness.run(Route53.getHealthCheckStatus) { $0.healthCheckId = id }.healthCheckObservations?.first?
      .statusReport
  }

  /// Lets the interval pass and waits for the look that follows.
  /// - Returns: what it said.
  @discardableResult
  func nextReport(_ id: String, after seconds: Double = 10) async throws -> String {
    clock.advance(seconds: seconds)
    let now = clock.now
    try await until { try await report(id)?.checkedTime == now }
    return try await report(id)?.status ?? ""
  }

  func firstReport(_ id: String) async throws -> String {
    try await until { try await report(id) != nil }
    return try await report(id)?.status ?? ""
  }

  /// The status as record sets would take it.
  func isHealthy(_ id: String) async throws -> Bool {
    let scope = harness.call().globalScope
    return try await harness.environment.store.read { snapshot in
      let checks = try snapshot.list(HealthCheckRecord.self, scope)
      let seen = try snapshot.list(HealthRecord.self, scope)
      return HealthBook(
        checks: Dictionary(uniqueKeysWithValues: checks.map { ($0.id, $0) }),
        seen: Dictionary(uniqueKeysWithValues: seen.map { ($0.id, $0) })
      ).isHealthy(id)
    }
  }

  func error(_ body: () async throws -> Void) async -> AWSError? {
    do {
      try await body()
      return nil
    } catch {
      return error as? AWSError
    }
  }
}
