// CreateHostedZone, GetHostedZone, DeleteHostedZone, lists, comments, DNSSEC's answer.

import AWSCore
import AWSWire
import Route53Model
import ServiceKit
import Store

extension Route53Service {
  func createHostedZone(
    _ input: Route53.CreateHostedZoneRequest, _ call: CallContext
  ) async throws -> Route53.CreateHostedZoneResponse {
    guard let name = DomainName.normal(input.name), name != "." else { throw Route53Error.invalidDomain(input.name) }
    if input.delegationSetId != nil { throw AWSError.notImplemented("reusable delegation sets") }
    if input.hostedZoneConfig?.privateZone == true, input.vpc == nil {
      throw Route53Error.invalidInput("When you're creating a private hosted zone, you must specify a VPC.")
    }
    let networks = try input.vpc.map { vpc -> [ZoneRecord.Network] in
      guard let id = vpc.vpcId, let region = vpc.vpcRegion else {
        throw AWSError("InvalidVPCId", "The VPC ID and its region must be specified.")
      }
      return [.init(id: id, region: region)]
    }
    let zone = ZoneRecord(
      id: "Z\(call.ids.upperAlphanumeric(20))", name: name, callerReference: input.callerReference,
      comment: input.hostedZoneConfig?.comment, networks: networks ?? [],
      nameServers: Self.nameServers(call.ids, isPrivate: networks != nil), createdAt: call.now)
    let changeID = "C\(call.ids.upperAlphanumeric(20))"
    let scope = call.globalScope
    let change = try await store.write { tx in
      guard try tx.find(ZoneRecord.self, scope, index: "reference", zone.callerReference).isEmpty else {
        throw Route53Error.zoneExists
      }
      guard try tx.count(ZoneRecord.self, scope) < Route53Limits.zonesMax else { throw Route53Error.tooManyZones }
      try tx.put(zone, scope)
      for set in Self.apex(zone) { try tx.put(set, scope) }
      return try ChangeRecord.note(nil, changeID, call.now, tx, scope)
    }
    return .make {
      $0.hostedZone = Self.wire(zone, recordSets: 2)
      $0.changeInfo = change.wire
      $0.vpc = input.vpc
      if !zone.isPrivate { $0.delegationSet = .make { $0.nameServers = zone.nameServers } }
      $0.location = "\(call.endpoint)/2013-04-01\(zone.path)"
    }
  }

  /// Four names of AWS's form. Nothing answers at them.
  private static func nameServers(_ ids: any IdentifierSource, isPrivate: Bool) -> [String] {
    let bytes = ids.randomBytes(8).map { Int($0) }
    return ["com", "net", "org", "co.uk"].enumerated().map { index, top in
      isPrivate
        ? "ns-\(index * 512).awsdns-00.\(top)"
        : "ns-\(index * 512 + bytes[index * 2] * 2).awsdns-\(bytes[index * 2 + 1] % 64 < 10 ? "0" : "")\(bytes[index * 2 + 1] % 64).\(top)"
    }
  }

  /// The record sets that every zone has.
  static func apex(_ zone: ZoneRecord) -> [RecordSetRecord] {
    [
      RecordSetRecord(
        zone: zone.id, name: zone.name, type: "NS", ttl: 172_800, values: zone.nameServers.map { "\($0)." }),
      RecordSetRecord(
        zone: zone.id, name: zone.name, type: "SOA", ttl: 900,
        values: ["\(zone.nameServers[0]). awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"]),
    ]
  }

  static func wire(_ zone: ZoneRecord, recordSets: Int) -> Route53.HostedZone {
    .make {
      $0.id = zone.path
      $0.name = zone.name
      $0.callerReference = zone.callerReference
      $0.config = .make {
        $0.comment = zone.comment
        $0.privateZone = zone.isPrivate
      }
      $0.resourceRecordSetCount = recordSets
    }
  }

  func getHostedZone(
    _ input: Route53.GetHostedZoneRequest, _ call: CallContext
  ) async throws -> Route53.GetHostedZoneResponse {
    let zone = try await zone(input.id, call)
    let scope = call.globalScope
    let count = try await store.read { try $0.find(RecordSetRecord.self, scope, index: "zone", zone.id).count }
    return .make {
      $0.hostedZone = Self.wire(zone, recordSets: count)
      if zone.isPrivate {
        $0.vpcs = zone.networks.map { network in
          .make {
            $0.vpcId = network.id
            $0.vpcRegion = network.region
          }
        }
      } else {
        $0.delegationSet = .make { $0.nameServers = zone.nameServers }
      }
    }
  }

  func deleteHostedZone(
    _ input: Route53.DeleteHostedZoneRequest, _ call: CallContext
  ) async throws -> Route53.DeleteHostedZoneResponse {
    let id = ZoneRecord.plain(input.id)
    let changeID = "C\(call.ids.upperAlphanumeric(20))"
    let scope = call.globalScope
    let change = try await store.write { tx in
      guard let zone = try tx.get(ZoneRecord.self, scope, id) else { throw Route53Error.noSuchZone(id) }
      let sets = try tx.find(RecordSetRecord.self, scope, index: "zone", id)
      guard sets.allSatisfy({ $0.name == zone.name && ["NS", "SOA"].contains($0.type) }) else {
        throw Route53Error.zoneNotEmpty
      }
      for set in sets { try tx.delete(RecordSetRecord.self, scope, set.recordID) }
      try tx.delete(ZoneRecord.self, scope, id)
      return try ChangeRecord.note(nil, changeID, call.now, tx, scope)
    }
    return .make { $0.changeInfo = change.wire }
  }

  func updateHostedZoneComment(
    _ input: Route53.UpdateHostedZoneCommentRequest, _ call: CallContext
  ) async throws -> Route53.UpdateHostedZoneCommentResponse {
    let id = ZoneRecord.plain(input.id)
    let scope = call.globalScope
    let (zone, count) = try await store.write { tx in
      guard var zone = try tx.get(ZoneRecord.self, scope, id) else { throw Route53Error.noSuchZone(id) }
      zone.comment = input.comment
      try tx.put(zone, scope)
      return (zone, try tx.find(RecordSetRecord.self, scope, index: "zone", id).count)
    }
    return .make { $0.hostedZone = Self.wire(zone, recordSets: count) }
  }

  // MARK: - Lists

  static func page(_ text: String?, limit: Int) throws -> Int {
    guard let text else { return limit }
    guard let number = Int(text), number > 0 else {
      throw Route53Error.invalidInput("The maxitems value \(text) is not a positive number.")
    }
    return min(number, limit)
  }

  private func zones(_ call: CallContext) async throws -> [(zone: ZoneRecord, count: Int)] {
    let scope = call.globalScope
    return try await store.read { snapshot in
      try snapshot.list(ZoneRecord.self, scope).map { zone in
        (zone, try snapshot.find(RecordSetRecord.self, scope, index: "zone", zone.id).count)
      }
    }
  }

  func listHostedZones(
    _ input: Route53.ListHostedZonesRequest, _ call: CallContext
  ) async throws -> Route53.ListHostedZonesResponse {
    if input.delegationSetId != nil { throw AWSError.notImplemented("reusable delegation sets") }
    let limit = try Self.page(input.maxItems, limit: Route53Limits.pageMax)
    let all = try await zones(call).filter { zone, _ in
      (input.hostedZoneType != "PrivateHostedZone" || zone.isPrivate) && zone.id >= input.marker ?? ""
    }
    return .make {
      $0.hostedZones = all.prefix(limit).map { Self.wire($0.zone, recordSets: $0.count) }
      $0.marker = input.marker
      $0.isTruncated = all.count > limit
      $0.nextMarker = all.count > limit ? all[limit].zone.id : nil
      $0.maxItems = String(limit)
    }
  }

  func listHostedZonesByName(
    _ input: Route53.ListHostedZonesByNameRequest, _ call: CallContext
  ) async throws -> Route53.ListHostedZonesByNameResponse {
    let limit = try Self.page(input.maxItems, limit: Route53Limits.pageMax)
    var start = ("", "")
    if let name = input.dnsName {
      guard let normal = DomainName.normal(name) else { throw Route53Error.invalidDomain(name) }
      start = (DomainName.sortKey(normal), input.hostedZoneId.map(ZoneRecord.plain) ?? "")
    } else if input.hostedZoneId != nil {
      throw Route53Error.invalidInput("A hosted zone id is given only together with a DNS name.")
    }
    let all = try await zones(call).filter { (DomainName.sortKey($0.zone.name), $0.zone.id) >= start }
      .sorted { (DomainName.sortKey($0.zone.name), $0.zone.id) < (DomainName.sortKey($1.zone.name), $1.zone.id) }
    return .make {
      $0.hostedZones = all.prefix(limit).map { Self.wire($0.zone, recordSets: $0.count) }
      $0.dnsName = input.dnsName
      $0.hostedZoneId = input.hostedZoneId
      $0.isTruncated = all.count > limit
      $0.nextDNSName = all.count > limit ? all[limit].zone.name : nil
      $0.nextHostedZoneId = all.count > limit ? all[limit].zone.id : nil
      $0.maxItems = String(limit)
    }
  }

  // MARK: - Changes, DNSSEC, the count

  func getHostedZoneCount(
    _ input: Route53.GetHostedZoneCountRequest, _ call: CallContext
  ) async throws -> Route53.GetHostedZoneCountResponse {
    let scope = call.globalScope
    let count = try await store.read { try $0.count(ZoneRecord.self, scope) }
    return .make { $0.hostedZoneCount = count }
  }

  func getChange(_ input: Route53.GetChangeRequest, _ call: CallContext) async throws -> Route53.GetChangeResponse {
    let id = ZoneRecord.plain(input.id)
    guard let change = try await store.get(ChangeRecord.self, call.globalScope, id) else {
      throw Route53Error.noSuchChange(id)
    }
    return .make { $0.changeInfo = change.wire }
  }

  func getDNSSEC(_ input: Route53.GetDNSSECRequest, _ call: CallContext) async throws -> Route53.GetDNSSECResponse {
    guard try await !zone(input.hostedZoneId, call).isPrivate else {
      throw AWSError("InvalidArgument", "DNSSEC is not supported for private hosted zones.")
    }
    return .make {
      $0.status = .make { $0.serveSignature = "NOT_SIGNING" }
      $0.keySigningKeys = []
    }
  }
}
