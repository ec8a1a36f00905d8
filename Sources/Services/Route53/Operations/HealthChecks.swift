// CreateHealthCheck, GetHealthCheck, UpdateHealthCheck, DeleteHealthCheck and the list.

import AWSCore
import AWSWire
import CloudWatchModel
import Route53Model
import ServiceKit
import Store

extension Route53Service {
  func createHealthCheck(
    _ input: Route53.CreateHealthCheckRequest, _ call: CallContext
  ) async throws -> Route53.CreateHealthCheckResponse {
    let config = input.healthCheckConfig
    guard let type = HealthCheckType(rawValue: config.type) else {
      throw AWSError.notImplemented("health checks of type \(config.type)")
    }
    let settings = try HealthCheckRecord.Settings.make(config, type).checked()
    let alarm = try await alarmSettings(settings.alarm, call)
    let made = HealthCheckRecord(
      id: call.ids.uuid(), callerReference: input.callerReference, settings: settings, alarmSettings: alarm,
      createdAt: call.now)
    let scope = call.globalScope
    let check = try await store.write { tx in
      if let found = try tx.find(HealthCheckRecord.self, scope, index: "reference", made.callerReference).first {
        // The same call once more gives the same health check.
        guard found.settings == made.settings else { throw Route53Error.healthCheckExists }
        return found
      }
      if let used = try tx.get(UsedReferenceRecord.self, scope, made.callerReference) {
        guard call.now > used.deletedAt.adding(seconds: Route53Limits.referenceKept) else {
          throw Route53Error.healthCheckExists
        }
      }
      let all = try tx.list(HealthCheckRecord.self, scope)
      guard all.count < Route53Limits.healthChecksMax else { throw Route53Error.tooManyHealthChecks }
      try Self.checkChildren(made, all)
      try tx.put(made, scope)
      return made
    }
    return .make {
      $0.healthCheck = check.wire
      $0.location = "\(call.endpoint)/2013-04-01/healthcheck/\(check.id)"
    }
  }

  /// Children must be there, and a check must not wait for itself.
  private static func checkChildren(_ check: HealthCheckRecord, _ all: [HealthCheckRecord]) throws {
    let book = HealthBook(checks: Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { $1 }), seen: [:])
    let children = check.settings.children ?? []
    for child in children where book.checks[child] == nil && child != check.id {
      throw Route53Error.invalidInput("Invalid parameter : The child health check \(child) does not exist.")
    }
    guard !book.hasCircle(check.id, children) else {
      throw Route53Error.invalidInput("Invalid parameter : A health check cannot monitor itself.")
    }
  }

  /// The settings of the alarm that a check follows.
  /// - Throws: `InvalidInput` when there is none of that name.
  private func alarmSettings(
    _ alarm: HealthCheckRecord.Alarm?, _ call: CallContext
  ) async throws -> HealthCheckRecord.AlarmSettings? {
    guard let alarm else { return nil }
    let found = try await call.acting(as: Self.servicePrincipal).in(region: alarm.region).invoke(
      CloudWatch.describeAlarms, .make { $0.alarmNames = [alarm.name] }
    ).metricAlarms?.first
    guard let found else {
      throw Route53Error.invalidInput(
        "Invalid parameter : The CloudWatch alarm \(alarm.name) does not exist in \(alarm.region).")
    }
    return .init(
      namespace: found.namespace, metricName: found.metricName,
      dimensions: Dictionary((found.dimensions ?? []).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }),
      statistic: found.statistic, period: found.period, evaluationPeriods: found.evaluationPeriods,
      threshold: found.threshold, comparisonOperator: found.comparisonOperator)
  }

  func updateHealthCheck(
    _ input: Route53.UpdateHealthCheckRequest, _ call: CallContext
  ) async throws -> Route53.UpdateHealthCheckResponse {
    let alarm = try await alarmSettings(
      input.alarmIdentifier.map { .init(name: $0.name, region: $0.region) }, call)
    let scope = call.globalScope
    let check = try await store.write { tx in
      guard var check = try tx.get(HealthCheckRecord.self, scope, input.healthCheckId) else {
        throw Route53Error.noSuchHealthCheck(input.healthCheckId)
      }
      if let version = input.healthCheckVersion, version != check.version {
        throw Route53Error.healthCheckVersion(check.version)
      }
      check.settings = try Self.changed(check.settings, input).checked()
      if let alarm { check.alarmSettings = alarm }
      try Self.checkChildren(check, try tx.list(HealthCheckRecord.self, scope))
      check.version += 1
      try tx.put(check, scope)
      return check
    }
    return .make { $0.healthCheck = check.wire }
  }

  /// What is not given stays; what is to be reset is taken out first.
  private static func changed(
    _ old: HealthCheckRecord.Settings, _ input: Route53.UpdateHealthCheckRequest
  ) -> HealthCheckRecord.Settings {
    var new = old
    for element in input.resetElements ?? [] {
      switch element {
      case "ChildHealthChecks": new.children = nil
      case "FullyQualifiedDomainName": new.domainName = nil
      case "Regions": new.regions = nil
      case "ResourcePath": new.resourcePath = nil
      default: break
      }
    }
    new.ipAddress = input.ipAddress ?? new.ipAddress
    new.port = input.port ?? new.port
    new.resourcePath = input.resourcePath ?? new.resourcePath
    new.domainName = input.fullyQualifiedDomainName ?? new.domainName
    new.searchString = input.searchString ?? new.searchString
    new.failureThreshold = input.failureThreshold ?? new.failureThreshold
    new.isInverted = input.inverted ?? new.isInverted
    new.isDisabled = input.disabled ?? new.isDisabled
    new.healthThreshold = input.healthThreshold ?? new.healthThreshold
    new.children = input.childHealthChecks ?? new.children
    new.enablesSNI = input.enableSNI ?? new.enablesSNI
    new.regions = input.regions ?? new.regions
    new.alarm = input.alarmIdentifier.map { .init(name: $0.name, region: $0.region) } ?? new.alarm
    new.insufficientData = input.insufficientDataHealthStatus ?? new.insufficientData
    return new
  }

  /// Record sets and calculated checks that name it do not keep a health check from being deleted, as on AWS.
  func deleteHealthCheck(
    _ input: Route53.DeleteHealthCheckRequest, _ call: CallContext
  ) async throws -> Route53.DeleteHealthCheckResponse {
    let scope = call.globalScope
    try await store.write { tx in
      guard let check = try tx.get(HealthCheckRecord.self, scope, input.healthCheckId) else {
        throw Route53Error.noSuchHealthCheck(input.healthCheckId)
      }
      try tx.delete(HealthCheckRecord.self, scope, check.id)
      try tx.delete(HealthRecord.self, scope, check.id)
      for old in try tx.list(UsedReferenceRecord.self, scope)
      where call.now > old.deletedAt.adding(seconds: Route53Limits.referenceKept) {
        try tx.delete(UsedReferenceRecord.self, scope, old.reference)
      }
      try tx.put(UsedReferenceRecord(reference: check.callerReference, deletedAt: call.now), scope)
    }
    return .init()
  }

  /// - Throws: `NoSuchHealthCheck`.
  func healthCheck(_ id: String, _ call: CallContext) async throws -> HealthCheckRecord {
    guard let found = try await store.get(HealthCheckRecord.self, call.globalScope, id) else {
      throw Route53Error.noSuchHealthCheck(id)
    }
    return found
  }

  func getHealthCheck(
    _ input: Route53.GetHealthCheckRequest, _ call: CallContext
  ) async throws -> Route53.GetHealthCheckResponse {
    let check = try await healthCheck(input.healthCheckId, call)
    return .make { $0.healthCheck = check.wire }
  }

  func getHealthCheckCount(
    _ input: Route53.GetHealthCheckCountRequest, _ call: CallContext
  ) async throws -> Route53.GetHealthCheckCountResponse {
    let scope = call.globalScope
    let count = try await store.read { try $0.count(HealthCheckRecord.self, scope) }
    return .make { $0.healthCheckCount = count }
  }

  func listHealthChecks(
    _ input: Route53.ListHealthChecksRequest, _ call: CallContext
  ) async throws -> Route53.ListHealthChecksResponse {
    let limit = try input.maxItems.map { try Self.page($0, limit: Route53Limits.healthCheckPageMax) }
    let size = limit ?? Route53Limits.pageMax
    let scope = call.globalScope
    let all = try await store.read { try $0.list(HealthCheckRecord.self, scope) }.filter { $0.id >= input.marker ?? "" }
    return .make {
      $0.healthChecks = all.prefix(size).map(\.wire)
      $0.marker = input.marker ?? ""
      $0.isTruncated = all.count > size
      $0.nextMarker = all.count > size ? all[size].id : nil
      $0.maxItems = String(size)
    }
  }
}
