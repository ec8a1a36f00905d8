// Zones, record sets and changes, as they are kept.

import AWSCore
import Route53Model
import Store

struct ZoneRecord: Record {
  static let collection = "route53.zone"
  var recordID: String { id }
  var recordIndex: [String: String] { ["reference": callerReference] }

  struct Network: Codable, Sendable, Hashable {
    var id: String
    var region: String
  }

  /// `Z…`, without `/hostedzone/`.
  var id: String
  /// With its dot.
  var name: String
  var callerReference: String
  var comment: String?
  /// A zone with networks is private.
  var networks: [Network]
  var nameServers: [String]
  var createdAt: Timestamp
  var tags: [String: String] = [:]

  var isPrivate: Bool { !networks.isEmpty }
  var path: String { "/hostedzone/\(id)" }

  /// An id as callers write it, without the path before it.
  static func plain(_ id: String) -> String { id.split(separator: "/").last.map { String($0) } ?? id }
}

struct RecordSetRecord: Record, Equatable {
  static let collection = "route53.recordset"
  /// In the order in which record sets are listed, zone by zone.
  var recordID: String { Self.id(zone, name, type, setIdentifier) }
  var recordIndex: [String: String] { ["zone": zone, "name": "\(zone) \(name)"] }

  struct Alias: Codable, Sendable, Hashable {
    var zone: String
    var name: String
    var evaluatesHealth: Bool
  }
  struct Location: Codable, Sendable, Hashable {
    var continent: String?
    var country: String?
    var subdivision: String?
  }

  var zone: String
  var name: String
  var type: String
  var setIdentifier: String?
  var ttl: Int?
  var values: [String]?
  var alias: Alias?
  var weight: Int?
  var region: String?
  var failover: String?
  var location: Location?
  var isMultiValue: Bool?
  var healthCheck: String?

  static func id(_ zone: String, _ name: String, _ type: String, _ identifier: String?) -> String {
    [zone, DomainName.sortKey(name), type, identifier ?? ""].joined(separator: "\u{1F}")
  }

  /// `[name='www.example.com.', type='A']`, as messages name it.
  var told: String {
    "[name='\(name)', type='\(type)'\(setIdentifier.map { ", set-identifier='\($0)'" } ?? "")]"
  }

  var wire: Route53.ResourceRecordSet {
    .make {
      $0.name = name
      $0.type = type
      $0.setIdentifier = setIdentifier
      $0.ttl = ttl
      $0.resourceRecords = values?.map { value in .make { $0.value = value } }
      $0.aliasTarget = alias.map { alias in
        .make {
          $0.hostedZoneId = alias.zone
          $0.dnsName = alias.name
          $0.evaluateTargetHealth = alias.evaluatesHealth
        }
      }
      $0.weight = weight
      $0.region = region
      $0.failover = failover
      $0.geoLocation = location.map { location in
        .make {
          $0.continentCode = location.continent
          $0.countryCode = location.country
          $0.subdivisionCode = location.subdivision
        }
      }
      $0.multiValueAnswer = isMultiValue
      $0.healthCheckId = healthCheck
    }
  }
}

/// A change, for GetChange. All are in force at once: there is one copy of the data.
struct ChangeRecord: Record {
  static let collection = "route53.change"
  var recordID: String { id }
  var recordIndex: [String: String] { ["number": String(number)] }
  var id: String
  var number: Int
  var submittedAt: Timestamp
  var comment: String?

  /// Notes a change, and forgets the one that is too old by now.
  static func note(_ comment: String?, _ id: String, _ now: Timestamp, _ tx: Transaction, _ scope: Scope) throws
    -> ChangeRecord
  {
    let number = try tx.nextNumber("route53.change", scope)
    let change = ChangeRecord(id: id, number: number, submittedAt: now, comment: comment)
    try tx.put(change, scope)
    for old in try tx.find(Self.self, scope, index: "number", String(number - Route53Limits.changesKept)) {
      try tx.delete(Self.self, scope, old.id)
    }
    return change
  }

  var wire: Route53.ChangeInfo {
    .make {
      $0.id = "/change/\(id)"
      $0.status = "INSYNC"
      $0.submittedAt = submittedAt
      $0.comment = comment
    }
  }
}
