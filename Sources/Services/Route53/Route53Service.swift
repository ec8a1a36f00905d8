// Amazon Route 53: hosted zones and their record sets, and health checks that really probe. The DNS server that would
// answer from the zones is not built yet.

import AWSCore
import AWSWire
import Route53Model
import ServiceKit
import Store

/// Route 53 (global: its records belong to no region).
public struct Route53Service: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  /// The service that looks at alarms and puts metrics.
  static let servicePrincipal = "route53.amazonaws.com"

  public static var collections: [any Record.Type] {
    [
      ZoneRecord.self, RecordSetRecord.self, ChangeRecord.self, HealthCheckRecord.self, HealthRecord.self,
      UsedReferenceRecord.self,
    ]
  }

  public var resourceProviders: [ResourceProvider] { [zoneProvider, recordSetProvider, healthCheckProvider] }

  /// Probes the endpoints of health checks until the task is cancelled.
  public func run() async throws {
    let changes = store.changes(in: [HealthCheckRecord.collection, HealthRecord.collection, "cloudwatch.alarm"])
    try await HealthChecker(self).run(changes)
  }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(Route53.createHostedZone, createHostedZone)
    table.on(Route53.getHostedZone, access: { input, _ in [Self.access(input.id)] }, getHostedZone)
    table.on(Route53.deleteHostedZone, access: { input, _ in [Self.access(input.id)] }, deleteHostedZone)
    table.on(Route53.listHostedZones, listHostedZones)
    table.on(Route53.listHostedZonesByName, listHostedZonesByName)
    table.on(Route53.updateHostedZoneComment, access: { input, _ in [Self.access(input.id)] }, updateHostedZoneComment)
    table.on(
      Route53.changeResourceRecordSets, access: { input, _ in [Self.access(input.hostedZoneId)] },
      changeResourceRecordSets)
    table.on(
      Route53.listResourceRecordSets, access: { input, _ in [Self.access(input.hostedZoneId)] }, listResourceRecordSets)
    table.on(
      Route53.getChange,
      access: { input, _ in [ResourceAccess("arn:aws:route53:::change/\(ZoneRecord.plain(input.id))")] }, getChange)
    table.on(Route53.getDNSSEC, access: { input, _ in [Self.access(input.hostedZoneId)] }, getDNSSEC)
    table.on(Route53.getHostedZoneCount, getHostedZoneCount)
    addHealthChecks(to: &table)
    table.on(
      Route53.changeTagsForResource,
      access: { input, _ in
        [ResourceAccess("arn:aws:route53:::\(input.resourceType)/\(ZoneRecord.plain(input.resourceId))")]
      },
      changeTagsForResource)
    table.on(
      Route53.listTagsForResource,
      access: { input, _ in
        [ResourceAccess("arn:aws:route53:::\(input.resourceType)/\(ZoneRecord.plain(input.resourceId))")]
      },
      listTagsForResource)
    table.on(
      Route53.listTagsForResources,
      access: { input, _ in
        input.resourceIds.map {
          ResourceAccess("arn:aws:route53:::\(input.resourceType)/\(ZoneRecord.plain($0))")
        }
      },
      listTagsForResources)
    return [ServiceAPI(Route53.model, actionPrefix: "route53", table)]
  }

  private func addHealthChecks(to table: inout HandlerTable) {
    @Sendable func access(_ id: String) -> [ResourceAccess] { [ResourceAccess("arn:aws:route53:::healthcheck/\(id)")] }
    table.on(Route53.createHealthCheck, createHealthCheck)
    table.on(Route53.getHealthCheck, access: { input, _ in access(input.healthCheckId) }, getHealthCheck)
    table.on(Route53.updateHealthCheck, access: { input, _ in access(input.healthCheckId) }, updateHealthCheck)
    table.on(Route53.deleteHealthCheck, access: { input, _ in access(input.healthCheckId) }, deleteHealthCheck)
    table.on(Route53.listHealthChecks, listHealthChecks)
    table.on(Route53.getHealthCheckCount, getHealthCheckCount)
    table.on(Route53.getHealthCheckStatus, access: { input, _ in access(input.healthCheckId) }, getHealthCheckStatus)
    table.on(
      Route53.getHealthCheckLastFailureReason, access: { input, _ in access(input.healthCheckId) },
      getHealthCheckLastFailureReason)
    table.on(Route53.getCheckerIpRanges, getCheckerIpRanges)
  }

  private static func access(_ zone: String) -> ResourceAccess {
    ResourceAccess("arn:aws:route53:::hostedzone/\(ZoneRecord.plain(zone))")
  }

  /// - Throws: `NoSuchHostedZone`.
  func zone(_ id: String, _ call: CallContext) async throws -> ZoneRecord {
    let plain = ZoneRecord.plain(id)
    guard let found = try await store.get(ZoneRecord.self, call.globalScope, plain) else {
      throw Route53Error.noSuchZone(plain)
    }
    return found
  }
}
