// AWS::Route53::HostedZone and AWS::Route53::RecordSet for CloudFormation.

import AWSCore
import AWSWire
import Route53Model
import ServiceKit

extension Route53Service {
  /// Ref is the zone's id; Fn::GetAtt knows Id and NameServers.
  var zoneProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Route53::HostedZone", properties: ["HostedZoneConfig", "HostedZoneTags", "Name", "VPCs"],
      replacedBy: ["Name", "VPCs"],
      create: { properties, context in
        let networks = properties["VPCs"]?.array ?? []
        guard networks.count <= 1 else { throw AWSError.notImplemented("a private hosted zone of several VPCs") }
        let made = try await context.call.invoke(
          Route53.createHostedZone,
          .make {
            $0.name = properties["Name"]?.text ?? ""
            $0.callerReference = "\(context.stackName)-\(context.logicalID)-\(context.call.ids.hex(16))"
            if let comment = properties["HostedZoneConfig"]?["Comment"]?.text {
              $0.hostedZoneConfig = .make { $0.comment = comment }
            }
            $0.vpc = networks.first.map { network in
              .make {
                $0.vpcId = network["VPCId"]?.text
                $0.vpcRegion = network["VPCRegion"]?.text
              }
            }
          })
        let id = ZoneRecord.plain(made.hostedZone?.id ?? "")
        try await Self.applyTags("hostedzone", id, properties["HostedZoneTags"], context)
        let servers = (made.delegationSet?.nameServers ?? []).map { JSONValue.string($0) }
        return ResourceHandle(id, attributes: ["Id": .string(id), "NameServers": .array(servers)])
      },
      update: { handle, _, new, context in
        _ = try await context.call.invoke(
          Route53.updateHostedZoneComment,
          .make {
            $0.id = handle.physicalID
            $0.comment = new["HostedZoneConfig"]?["Comment"]?.text
          })
        try await Self.applyTags("hostedzone", handle.physicalID, new["HostedZoneTags"], context)
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(Route53.deleteHostedZone, .make { $0.id = handle.physicalID })
        } catch let error as AWSError where error.code == "NoSuchHostedZone" {
          // It is gone.
        }
      })
  }

  /// Makes a resource's tags those of its stack and its own.
  static func applyTags(_ type: String, _ id: String, _ own: JSONValue?, _ context: ResourceContext) async throws {
    var wanted = context.tags
    for tag in own?.array ?? [] { wanted[tag["Key"]?.text ?? ""] = tag["Value"]?.text ?? "" }
    let old =
      try await context.call.invoke(
        Route53.listTagsForResource,
        .make {
          $0.resourceType = type
          $0.resourceId = id
        }
      ).resourceTagSet?.tags ?? []
    let gone = old.compactMap(\.key).filter { wanted[$0] == nil }
    guard !gone.isEmpty || !wanted.isEmpty else { return }
    let add = wanted.sorted { $0.key < $1.key }.map { key, value in
      Route53.Tag.make {
        $0.key = key
        $0.value = value
      }
    }
    _ = try await context.call.invoke(
      Route53.changeTagsForResource,
      .make {
        $0.resourceType = type
        $0.resourceId = id
        $0.addTags = add.isEmpty ? nil : add
        $0.removeTagKeys = gone.isEmpty ? nil : gone
      })
  }

  /// Ref is the record set's name.
  var recordSetProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Route53::RecordSet",
      properties: [
        "AliasTarget", "CidrRoutingConfig", "Comment", "Failover", "GeoLocation", "GeoProximityLocation",
        "HealthCheckId",
        "HostedZoneId", "HostedZoneName", "MultiValueAnswer", "Name", "Region", "ResourceRecords", "SetIdentifier",
        "TTL",
        "Type", "Weight",
      ],
      replacedBy: ["HostedZoneId", "HostedZoneName", "Name", "SetIdentifier", "Type"],
      create: { properties, context in
        try await Self.change("CREATE", properties, context)
        return ResourceHandle(properties["Name"]?.text ?? "")
      },
      update: { handle, _, new, context in
        try await Self.change("UPSERT", new, context)
        return handle
      },
      delete: { _, properties, context in
        do {
          try await Self.change("DELETE", properties, context)
        } catch let error as AWSError
          where error.code == "NoSuchHostedZone"
          || (error.code == "InvalidChangeBatch" && error.message.contains("was not found"))
        {
          // It is gone.
        }
      })
  }

  private static func change(_ action: String, _ properties: JSONValue, _ context: ResourceContext) async throws {
    let zone = try await zoneID(properties, context.call)
    var set = try PropertyMapper(Route53.model).structure(
      Route53.ResourceRecordSet.self, properties,
      ignoring: ["Comment", "HostedZoneId", "HostedZoneName", "ResourceRecords"])
    set.resourceRecords = properties["ResourceRecords"]?.array?.map { value in .make { $0.value = value.text ?? "" } }
    let wanted = set
    _ = try await context.call.invoke(
      Route53.changeResourceRecordSets,
      .make {
        $0.hostedZoneId = zone
        $0.changeBatch = .make {
          $0.comment = properties["Comment"]?.text
          $0.changes = [
            .make {
              $0.action = action
              $0.resourceRecordSet = wanted
            }
          ]
        }
      })
  }

  private static func zoneID(_ properties: JSONValue, _ call: CallContext) async throws -> String {
    if let id = properties["HostedZoneId"]?.text { return id }
    guard let name = properties["HostedZoneName"]?.text, let normal = DomainName.normal(name) else {
      throw AWSError.validation("A record set names its zone by HostedZoneId or HostedZoneName.")
    }
    let found =
      try await call.invoke(
        Route53.listHostedZonesByName, .make { $0.dnsName = normal }
      ).hostedZones ?? []
    let zones = found.filter { $0.name == normal }
    guard zones.count == 1, let id = zones[0].id else {
      throw AWSError.validation("\(zones.isEmpty ? "No" : "More than one") hosted zone is named \(normal)")
    }
    return ZoneRecord.plain(id)
  }
}
