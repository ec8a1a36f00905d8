// The CloudFormation resource types of security groups.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit

extension EC2Service {
  /// A rule's properties (`CidrIp`, `SourceSecurityGroupId`, …) as a permission.
  private func permission(_ rule: JSONValue, isEgress: Bool) -> EC2.IpPermission {
    let description = rule["Description"]?.text
    return .make {
      $0.ipProtocol = rule["IpProtocol"]?.text
      $0.fromPort = rule["FromPort"]?.integer
      $0.toPort = rule["ToPort"]?.integer
      if let cidr = rule["CidrIp"]?.text {
        $0.ipRanges = [
          .make {
            $0.cidrIp = cidr
            $0.description = description
          }
        ]
      }
      if let cidr = rule["CidrIpv6"]?.text {
        $0.ipv6Ranges = [
          .make {
            $0.cidrIpv6 = cidr
            $0.description = description
          }
        ]
      }
      if let list = rule[isEgress ? "DestinationPrefixListId" : "SourcePrefixListId"]?.text {
        $0.prefixListIds = [
          .make {
            $0.prefixListId = list
            $0.description = description
          }
        ]
      }
      if let group = rule[isEgress ? "DestinationSecurityGroupId" : "SourceSecurityGroupId"]?.text {
        $0.userIdGroupPairs = [
          .make {
            $0.groupId = group
            $0.description = description
          }
        ]
      }
    }
  }

  private func authorize(_ group: String, _ rules: [JSONValue], isEgress: Bool, _ context: ResourceContext) async throws
    -> String
  {
    guard !rules.isEmpty else { return "" }
    let permissions = rules.map { permission($0, isEgress: isEgress) }
    if isEgress {
      return try await context.call.invoke(
        EC2.authorizeSecurityGroupEgress,
        .make {
          $0.groupId = group
          $0.ipPermissions = permissions
        }
      ).securityGroupRules?.first?.securityGroupRuleId ?? ""
    }
    return try await context.call.invoke(
      EC2.authorizeSecurityGroupIngress,
      .make {
        $0.groupId = group
        $0.ipPermissions = permissions
      }
    ).securityGroupRules?.first?.securityGroupRuleId ?? ""
  }

  private func revoke(_ group: String, _ rules: [JSONValue], isEgress: Bool, _ context: ResourceContext) async throws {
    guard !rules.isEmpty else { return }
    let permissions = rules.map { permission($0, isEgress: isEgress) }
    if isEgress {
      _ = try await context.call.invoke(
        EC2.revokeSecurityGroupEgress,
        .make {
          $0.groupId = group
          $0.ipPermissions = permissions
        })
    } else {
      _ = try await context.call.invoke(
        EC2.revokeSecurityGroupIngress,
        .make {
          $0.groupId = group
          $0.ipPermissions = permissions
        })
    }
  }

  var securityGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::SecurityGroup",
      properties: ["GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress", "Tags", "VpcId"],
      replacedBy: ["GroupDescription", "GroupName", "VpcId"],
      create: { properties, context in
        var tags = context.tags
        for tag in properties["Tags"]?.array ?? [] { tags[tag["Key"]?.text ?? ""] = tag["Value"]?.text ?? "" }
        let made = try await context.call.invoke(
          EC2.createSecurityGroup,
          .make {
            $0.groupName = properties["GroupName"]?.text ?? context.generatedName(maxLength: 255)
            $0.description = properties["GroupDescription"]?.text ?? ""
            $0.vpcId = properties["VpcId"]?.text
            $0.tagSpecifications = [
              .make {
                $0.resourceType = "security-group"
                $0.tags = tags.ec2
              }
            ]
          })
        let id = made.groupId ?? ""
        _ = try await authorize(id, properties["SecurityGroupIngress"]?.array ?? [], isEgress: false, context)
        if let egress = properties["SecurityGroupEgress"]?.array {
          try await revoke(id, [["IpProtocol": "-1", "CidrIp": "0.0.0.0/0"]], isEgress: true, context)
          _ = try await authorize(id, egress, isEgress: true, context)
        }
        return ResourceHandle(
          id,
          attributes: ["GroupId": .string(id), "Id": .string(id), "VpcId": properties["VpcId"] ?? ""])
      },
      update: { handle, old, new, context in
        for (name, isEgress) in [("SecurityGroupIngress", false), ("SecurityGroupEgress", true)] {
          let before = old[name]?.array ?? []
          let after = new[name]?.array ?? []
          try await revoke(
            handle.physicalID, before.filter { !after.contains($0) }, isEgress: isEgress, context)
          _ = try await authorize(
            handle.physicalID, after.filter { !before.contains($0) }, isEgress: isEgress, context)
        }
        var tags = context.tags
        for tag in new["Tags"]?.array ?? [] { tags[tag["Key"]?.text ?? ""] = tag["Value"]?.text ?? "" }
        let wanted = tags
        if !wanted.isEmpty {
          _ = try await context.call.invoke(
            EC2.createTags,
            .make {
              $0.resources = [handle.physicalID]
              $0.tags = wanted.ec2
            })
        }
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(EC2.deleteSecurityGroup, .make { $0.groupId = handle.physicalID })
        } catch let error as AWSError where error.code == "InvalidGroup.NotFound" {
          return
        }
      })
  }

  var ingressProvider: ResourceProvider { ruleProvider("AWS::EC2::SecurityGroupIngress", isEgress: false) }
  var egressProvider: ResourceProvider { ruleProvider("AWS::EC2::SecurityGroupEgress", isEgress: true) }

  private func ruleProvider(_ type: String, isEgress: Bool) -> ResourceProvider {
    let properties: Set<String> = [
      "CidrIp", "CidrIpv6", "Description", "FromPort", "GroupId", "IpProtocol", "ToPort",
      isEgress ? "DestinationPrefixListId" : "SourcePrefixListId",
      isEgress ? "DestinationSecurityGroupId" : "SourceSecurityGroupId",
    ]
    return ResourceProvider(
      type, properties: properties, replacedBy: properties,
      create: { properties, context in
        let group = properties["GroupId"]?.text ?? ""
        let id = try await authorize(group, [properties], isEgress: isEgress, context)
        return ResourceHandle(id, attributes: ["Id": .string(id)])
      },
      delete: { _, properties, context in
        do {
          try await revoke(properties["GroupId"]?.text ?? "", [properties], isEgress: isEgress, context)
        } catch let error as AWSError where error.code.hasSuffix("NotFound") {
          return
        }
      })
  }
}
