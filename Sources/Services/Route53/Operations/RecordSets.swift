// ChangeResourceRecordSets and ListResourceRecordSets.

import AWSCore
import AWSWire
import Route53Model
import ServiceKit
import Store

extension Route53Service {
  /// All changes of a batch, or none.
  func changeResourceRecordSets(
    _ input: Route53.ChangeResourceRecordSetsRequest, _ call: CallContext
  ) async throws -> Route53.ChangeResourceRecordSetsResponse {
    let id = ZoneRecord.plain(input.hostedZoneId)
    let changes = input.changeBatch.changes
    guard !changes.isEmpty else { throw Route53Error.invalidInput("The change batch has no changes.") }
    guard changes.count <= Route53Limits.changesMax else {
      throw Route53Error.invalidBatch(["Number of changes limit of \(Route53Limits.changesMax) exceeded."])
    }
    let changeID = "C\(call.ids.upperAlphanumeric(20))"
    let scope = call.globalScope
    let change = try await store.write { tx in
      guard let zone = try tx.get(ZoneRecord.self, scope, id) else { throw Route53Error.noSuchZone(id) }
      var batch = ChangeBatch(zone: zone, tx: tx, scope: scope)
      for change in changes {
        let set = try Self.record(change, zone)
        // A set whose health check is gone can still be taken away.
        if let check = set.healthCheck, change.action != "DELETE",
          try tx.get(HealthCheckRecord.self, scope, check) == nil
        {
          throw Route53Error.noSuchHealthCheck(check)
        }
        try batch.apply(change.action, set)
      }
      guard batch.problems.isEmpty else { throw Route53Error.invalidBatch(batch.problems) }
      guard try tx.find(RecordSetRecord.self, scope, index: "zone", id).count <= Route53Limits.recordSetsMax else {
        throw Route53Error.invalidBatch(["Number of records limit of \(Route53Limits.recordSetsMax) exceeded."])
      }
      return try ChangeRecord.note(input.changeBatch.comment, changeID, call.now, tx, scope)
    }
    return .make { $0.changeInfo = change.wire }
  }

  /// A record set off the wire.
  /// - Throws: `InvalidInput`, and 501 for what is not built.
  private static func record(_ change: Route53.Change, _ zone: ZoneRecord) throws -> RecordSetRecord {
    let set = change.resourceRecordSet
    guard let name = DomainName.normal(set.name) else { throw Route53Error.invalidBatch(["Invalid name: \(set.name)"]) }
    if set.cidrRoutingConfig != nil { throw AWSError.notImplemented("routing by CIDR collections") }
    if set.geoProximityLocation != nil { throw AWSError.notImplemented("routing by geoproximity") }
    if set.trafficPolicyInstanceId != nil { throw AWSError.notImplemented("traffic policies") }
    let place =
      "Change with [Action=\(change.action), Name=\(name), Type=\(set.type), SetIdentifier=\(set.setIdentifier ?? "null")]"
    if set.aliasTarget == nil {
      guard set.ttl != nil else { throw Route53Error.invalidInput("Invalid request: Missing field 'TTL' in \(place)") }
      guard !(set.resourceRecords ?? []).isEmpty else {
        throw Route53Error.invalidInput(
          "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            + "TrafficPolicyInstanceId], but found none in \(place)")
      }
    } else if set.ttl != nil || !(set.resourceRecords ?? []).isEmpty {
      throw Route53Error.invalidInput(
        "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
          + "TrafficPolicyInstanceId], but found more than one in \(place)")
    }
    let routings = [
      set.weight != nil, set.region != nil, set.failover != nil, set.geoLocation != nil, set.multiValueAnswer == true,
    ].filter { $0 }.count
    guard routings <= 1 else {
      throw Route53Error.invalidInput(
        "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer], but found "
          + "more than one in \(place)")
    }
    if routings == 1, set.setIdentifier == nil {
      throw Route53Error.invalidInput("Invalid request: Missing field 'SetIdentifier' in \(place)")
    }
    if routings == 0, set.setIdentifier != nil {
      throw Route53Error.invalidInput(
        "Invalid request: Missing field 'Weight', 'Region', 'Failover', 'GeoLocation' or 'MultiValueAnswer' in \(place)"
      )
    }
    var record = RecordSetRecord(zone: zone.id, name: name, type: set.type, setIdentifier: set.setIdentifier)
    record.ttl = set.ttl
    record.values = set.resourceRecords.flatMap { $0.isEmpty ? nil : $0.map(\.value) }
    record.alias = set.aliasTarget.map {
      .init(
        zone: $0.hostedZoneId, name: DomainName.normal($0.dnsName) ?? $0.dnsName,
        evaluatesHealth: $0.evaluateTargetHealth)
    }
    record.weight = set.weight
    record.region = set.region
    record.failover = set.failover
    record.location = set.geoLocation.map {
      .init(continent: $0.continentCode, country: $0.countryCode, subdivision: $0.subdivisionCode)
    }
    record.isMultiValue = set.multiValueAnswer
    record.healthCheck = set.healthCheckId
    return record
  }

  func listResourceRecordSets(
    _ input: Route53.ListResourceRecordSetsRequest, _ call: CallContext
  ) async throws -> Route53.ListResourceRecordSetsResponse {
    let zone = try await zone(input.hostedZoneId, call)
    let limit = try Self.page(input.maxItems, limit: Route53Limits.recordSetPageMax)
    if input.startRecordType != nil, input.startRecordName == nil {
      throw Route53Error.invalidInput("The type is given only together with a name.")
    }
    var start = ""
    if let name = input.startRecordName {
      guard let normal = DomainName.normal(name) else { throw Route53Error.invalidDomain(name) }
      start = RecordSetRecord.id(zone.id, normal, input.startRecordType ?? "", input.startRecordIdentifier)
    }
    let scope = call.globalScope
    let from = start
    let all = try await store.read { try $0.find(RecordSetRecord.self, scope, index: "zone", zone.id) }
      .filter { $0.recordID >= from }
    return .make {
      $0.resourceRecordSets = all.prefix(limit).map(\.wire)
      $0.isTruncated = all.count > limit
      $0.maxItems = String(limit)
      if all.count > limit {
        $0.nextRecordName = all[limit].name
        $0.nextRecordType = all[limit].type
        $0.nextRecordIdentifier = all[limit].setIdentifier
      }
    }
  }
}

/// Changes applied one after the other within a transaction; what is wrong is collected, so that one answer names all.
private struct ChangeBatch {
  let zone: ZoneRecord
  let tx: Transaction
  let scope: Scope
  var problems: [String] = []

  mutating func apply(_ action: String, _ set: RecordSetRecord) throws {
    let before = problems.count
    check(set)
    guard problems.count == before else { return }
    let old = try tx.get(RecordSetRecord.self, scope, set.recordID)
    switch action {
    case "DELETE":
      guard let old else {
        problems.append("Tried to delete resource record set \(set.told) but it was not found")
        return
      }
      guard Self.same(old, set) else {
        problems.append(
          "Tried to delete resource record set \(set.told) but the values provided do not match the current values")
        return
      }
      guard set.name != zone.name || !["NS", "SOA"].contains(set.type) else {
        problems.append(
          set.type == "NS"
            ? "A HostedZone must contain at least one NS record for the zone itself."
            : "A HostedZone must contain exactly one SOA record.")
        return
      }
      try tx.delete(RecordSetRecord.self, scope, set.recordID)
    case "CREATE" where old != nil:
      problems.append("Tried to create resource record set \(set.told) but it already exists")
    default:
      guard try !conflicts(set) else { return }
      try tx.put(set, scope)
    }
  }

  /// The order of values has no meaning.
  private static func same(_ a: RecordSetRecord, _ b: RecordSetRecord) -> Bool {
    var (one, two) = (a, b)
    one.values?.sort()
    two.values?.sort()
    return one == two
  }

  private mutating func check(_ set: RecordSetRecord) {
    guard DomainName.isIn(set.name, zone.name) else {
      problems.append("RRSet with DNS name \(set.name) is not permitted in zone \(zone.name)")
      return
    }
    if set.type == "CNAME", set.name == zone.name {
      problems.append("RRSet of type CNAME with DNS name \(set.name) is not permitted at apex in zone \(zone.name)")
    }
    let values = set.values ?? []
    if set.type == "CNAME", values.count > 1 {
      problems.append("Invalid Resource Record: CNAME resource record sets can have only one value.")
    }
    if Set(values).count != values.count {
      problems.append("Duplicate Resource Record: '\(values.first ?? "")'")
    }
    for value in values { if let problem = RecordValue.problem(set.type, value) { problems.append(problem) } }
  }

  private mutating func conflicts(_ set: RecordSetRecord) throws -> Bool {
    let others = try tx.find(RecordSetRecord.self, scope, index: "name", "\(zone.id) \(set.name)")
      .filter { $0.recordID != set.recordID }
    if set.type == "CNAME", others.contains(where: { $0.type != "CNAME" }) {
      problems.append(
        "RRSet of type CNAME with DNS name \(set.name) is not permitted as it conflicts with other records with the "
          + "same DNS name in zone \(zone.name)")
      return true
    }
    if set.type != "CNAME", others.contains(where: { $0.type == "CNAME" }) {
      problems.append(
        "RRSet of type \(set.type) with DNS name \(set.name) is not permitted because a conflicting RRSet of type CNAME "
          + "with the same DNS name already exists in zone \(zone.name)")
      return true
    }
    if let other = others.first(where: { $0.type == set.type && Self.routing($0) != Self.routing(set) }) {
      problems.append(
        "RRSet with DNS name \(set.name), type \(set.type), and SetIdentifier \(set.setIdentifier ?? "null") cannot be "
          + "created because a \(Self.routing(other)) RRSet with the same name and type already exists.")
      return true
    }
    return false
  }

  private static func routing(_ set: RecordSetRecord) -> String {
    if set.weight != nil { return "weighted" }
    if set.region != nil { return "latency" }
    if set.failover != nil { return "failover" }
    if set.location != nil { return "geolocation" }
    return set.isMultiValue == true ? "multivalue answer" : "simple"
  }
}
