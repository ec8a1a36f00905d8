// Security groups and their rules.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  func createSecurityGroup(
    _ input: EC2.CreateSecurityGroupRequest, _ call: CallContext
  ) async throws -> EC2.CreateSecurityGroupResult {
    if input.groupName.hasPrefix("sg-") || input.groupName == "default" {
      throw EC2Error.invalid(input.groupName, "GroupName", "The name is reserved.")
    }
    if input.dryRun == true { throw EC2Error.dryRun }
    let tags = Dictionary(input.tagSpecifications, for: "security-group")
    let scope = call.scope
    let group = try await store.write { tx in
      let vpc: VPCRecord
      if let id = input.vpcId {
        vpc = try Self.find(VPCRecord.self, id, tx, scope)
      } else if let found = try tx.list(VPCRecord.self, scope).first(where: \.isDefault) {
        vpc = found
      } else {
        throw AWSError("VPCIdNotSpecified", "No default VPC for this user")
      }
      if try tx.find(SecurityGroupRecord.self, scope, index: "vpc", vpc.id).contains(where: {
        $0.name == input.groupName
      }) {
        throw AWSError(
          "InvalidGroup.Duplicate", "The security group '\(input.groupName)' already exists for VPC '\(vpc.id)'")
      }
      let group = SecurityGroupRecord(
        id: call.ids.ec2("sg"), tags: tags, name: input.groupName, description: input.description, vpc: vpc.id,
        rules: [SecurityRule(id: call.ids.ec2("sgr"), isEgress: true, ipProtocol: "-1", cidr: "0.0.0.0/0")])
      try tx.put(group, scope)
      return group
    }
    return .make {
      $0.groupId = group.id
      $0.securityGroupArn = call.arn("ec2", "security-group/\(group.id)")
      $0.tags = tags.ec2
    }
  }

  /// A group by id, or by name in the default VPC.
  private static func group(
    _ id: String?, _ name: String?, _ snapshot: Snapshot, _ scope: Scope
  ) throws -> SecurityGroupRecord {
    if let id, !id.isEmpty { return try find(SecurityGroupRecord.self, id, snapshot, scope) }
    guard let name else {
      throw AWSError("MissingParameter", "The request must contain the parameter groupName or groupId")
    }
    let vpc = try snapshot.list(VPCRecord.self, scope).first(where: \.isDefault)?.id
    guard
      let found = try snapshot.list(SecurityGroupRecord.self, scope).first(where: { $0.name == name && $0.vpc == vpc })
    else { throw AWSError("InvalidGroup.NotFound", "The security group '\(name)' does not exist") }
    return found
  }

  func deleteSecurityGroup(
    _ input: EC2.DeleteSecurityGroupRequest, _ call: CallContext
  ) async throws -> EC2.DeleteSecurityGroupResult {
    let scope = call.scope
    let id = try await store.write { tx in
      let group = try Self.group(input.groupId, input.groupName, tx, scope)
      if group.name == "default" {
        throw AWSError(
          "CannotDelete", "the specified group: \"\(group.id)\" name: \"default\" cannot be deleted by a user")
      }
      let users = try tx.list(SecurityGroupRecord.self, scope).filter {
        $0.id != group.id && $0.rules.contains { $0.group == group.id }
      }
      if !users.isEmpty {
        throw AWSError("DependencyViolation", "resource \(group.id) has a dependent object")
      }
      _ = try tx.delete(SecurityGroupRecord.self, scope, group.id)
      return group.id
    }
    return .make {
      $0.return = true
      $0.groupId = id
    }
  }

  func describeSecurityGroups(
    _ input: EC2.DescribeSecurityGroupsRequest, _ call: CallContext
  ) async throws -> EC2.DescribeSecurityGroupsResult {
    var (records, next) = try await select(
      SecurityGroupRecord.self, call, ids: input.groupIds, filters: input.filters, limit: input.maxResults,
      token: input.nextToken
    ) { group in
      let inward = group.rules.filter { !$0.isEgress }
      return [
        "group-id": [group.id], "group-name": [group.name], "vpc-id": [group.vpc], "description": [group.description],
        "owner-id": [call.account], "ip-permission.cidr": inward.compactMap(\.cidr),
        "ip-permission.group-id": inward.compactMap(\.group), "ip-permission.protocol": inward.map(\.ipProtocol),
        "ip-permission.from-port": inward.compactMap { $0.fromPort.map(String.init) },
        "ip-permission.to-port": inward.compactMap { $0.toPort.map(String.init) },
        "egress.ip-permission.cidr": group.rules.filter(\.isEgress).compactMap(\.cidr),
      ]
    }
    if let names = input.groupNames, !names.isEmpty {
      for name in names where !records.contains(where: { $0.name == name }) {
        throw AWSError("InvalidGroup.NotFound", "The security group '\(name)' does not exist")
      }
      records = records.filter { names.contains($0.name) }
    }
    return .make {
      $0.securityGroups = records.map { group in
        .make {
          $0.groupId = group.id
          $0.groupName = group.name
          $0.description = group.description
          $0.vpcId = group.vpc
          $0.ownerId = call.account
          $0.securityGroupArn = call.arn("ec2", "security-group/\(group.id)")
          $0.tags = group.tags.ec2
          $0.ipPermissions = SecurityRules.permissions(group.rules.filter { !$0.isEgress })
          $0.ipPermissionsEgress = SecurityRules.permissions(group.rules.filter(\.isEgress))
        }
      }
      $0.nextToken = next
    }
  }

  func describeSecurityGroupRules(
    _ input: EC2.DescribeSecurityGroupRulesRequest, _ call: CallContext
  ) async throws -> EC2.DescribeSecurityGroupRulesResult {
    let scope = call.scope
    let filters = Filters(input.filters)
    let groups = try await store.read { try $0.list(SecurityGroupRecord.self, scope) }
    var rules: [EC2.SecurityGroupRule] = []
    for group in groups {
      for rule in group.rules {
        if let ids = input.securityGroupRuleIds, !ids.isEmpty, !ids.contains(rule.id) { continue }
        let fields = ["group-id": [group.id], "security-group-rule-id": [rule.id]]
        guard try filters.pass(fields, tags: rule.tags) else { continue }
        rules.append(SecurityRules.answer(rule, group: group.id, call))
      }
    }
    if let ids = input.securityGroupRuleIds {
      for id in ids where !rules.contains(where: { $0.securityGroupRuleId == id }) {
        throw AWSError("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '\(id)' does not exist")
      }
    }
    return .make { $0.securityGroupRules = rules }
  }

  // MARK: - Authorize and revoke

  func authorizeIngress(
    _ input: EC2.AuthorizeSecurityGroupIngressRequest, _ call: CallContext
  ) async throws -> EC2.AuthorizeSecurityGroupIngressResult {
    let simple = SecurityRules.Simple(
      ipProtocol: input.ipProtocol, from: input.fromPort, to: input.toPort, cidr: input.cidrIp,
      group: input.sourceSecurityGroupName)
    let tags = Dictionary(input.tagSpecifications, for: "security-group-rule")
    let (group, rules) = try await authorize(
      input.groupId, input.groupName, input.ipPermissions, simple, isEgress: false, tags, call)
    return .make {
      $0.return = true
      $0.securityGroupRules = rules.map { SecurityRules.answer($0, group: group, call) }
    }
  }

  func authorizeEgress(
    _ input: EC2.AuthorizeSecurityGroupEgressRequest, _ call: CallContext
  ) async throws -> EC2.AuthorizeSecurityGroupEgressResult {
    let simple = SecurityRules.Simple(
      ipProtocol: input.ipProtocol, from: input.fromPort, to: input.toPort, cidr: input.cidrIp, group: nil)
    let tags = Dictionary(input.tagSpecifications, for: "security-group-rule")
    let (group, rules) = try await authorize(
      input.groupId, nil, input.ipPermissions, simple, isEgress: true, tags, call)
    return .make {
      $0.return = true
      $0.securityGroupRules = rules.map { SecurityRules.answer($0, group: group, call) }
    }
  }

  private func authorize(
    _ id: String?, _ name: String?, _ permissions: [EC2.IpPermission]?, _ simple: SecurityRules.Simple, isEgress: Bool,
    _ tags: [String: String], _ call: CallContext
  ) async throws -> (String, [SecurityRule]) {
    let scope = call.scope
    return try await store.write { tx in
      var group = try Self.group(id, name, tx, scope)
      var new = try SecurityRules.expand(permissions, simple, isEgress: isEgress, call)
      guard !new.isEmpty else { throw EC2Error.missing("ipPermissions") }
      var known = Set(group.rules.map(\.identity))
      for index in new.indices {
        new[index].tags = tags
        if let other = new[index].group { _ = try Self.find(SecurityGroupRecord.self, other, tx, scope) }
        guard known.insert(new[index].identity).inserted else {
          throw AWSError(
            "InvalidPermission.Duplicate",
            "the specified rule \"\(SecurityRules.text(new[index]))\" already exists")
        }
      }
      group.rules += new
      try tx.put(group, scope)
      return (group.id, new)
    }
  }

  func revokeIngress(
    _ input: EC2.RevokeSecurityGroupIngressRequest, _ call: CallContext
  ) async throws -> EC2.RevokeSecurityGroupIngressResult {
    let simple = SecurityRules.Simple(
      ipProtocol: input.ipProtocol, from: input.fromPort, to: input.toPort, cidr: input.cidrIp,
      group: input.sourceSecurityGroupName)
    try await revoke(
      input.groupId, input.groupName, input.ipPermissions, simple, input.securityGroupRuleIds, isEgress: false, call)
    return .make { $0.return = true }
  }

  func revokeEgress(
    _ input: EC2.RevokeSecurityGroupEgressRequest, _ call: CallContext
  ) async throws -> EC2.RevokeSecurityGroupEgressResult {
    let simple = SecurityRules.Simple(
      ipProtocol: input.ipProtocol, from: input.fromPort, to: input.toPort, cidr: input.cidrIp, group: nil)
    try await revoke(input.groupId, nil, input.ipPermissions, simple, input.securityGroupRuleIds, isEgress: true, call)
    return .make { $0.return = true }
  }

  private func revoke(
    _ id: String?, _ name: String?, _ permissions: [EC2.IpPermission]?, _ simple: SecurityRules.Simple,
    _ ruleIDs: [String]?, isEgress: Bool, _ call: CallContext
  ) async throws {
    let scope = call.scope
    try await store.write { tx in
      var group = try Self.group(id, name, tx, scope)
      for ruleID in ruleIDs ?? [] {
        guard let at = group.rules.firstIndex(where: { $0.id == ruleID && $0.isEgress == isEgress }) else {
          throw AWSError("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '\(ruleID)' does not exist")
        }
        group.rules.remove(at: at)
      }
      if ruleIDs?.isEmpty ?? true {
        for gone in try SecurityRules.expand(permissions, simple, isEgress: isEgress, call) {
          guard let at = group.rules.firstIndex(where: { $0.identity == gone.identity }) else {
            throw AWSError(
              "InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
          }
          group.rules.remove(at: at)
        }
      }
      try tx.put(group, scope)
    }
  }

  func describeIngressRules(
    _ input: EC2.UpdateSecurityGroupRuleDescriptionsIngressRequest, _ call: CallContext
  ) async throws -> EC2.UpdateSecurityGroupRuleDescriptionsIngressResult {
    try await updateDescriptions(
      input.groupId, input.groupName, input.ipPermissions, input.securityGroupRuleDescriptions, isEgress: false, call)
    return .make { $0.return = true }
  }

  func describeEgressRules(
    _ input: EC2.UpdateSecurityGroupRuleDescriptionsEgressRequest, _ call: CallContext
  ) async throws -> EC2.UpdateSecurityGroupRuleDescriptionsEgressResult {
    try await updateDescriptions(
      input.groupId, input.groupName, input.ipPermissions, input.securityGroupRuleDescriptions, isEgress: true, call)
    return .make { $0.return = true }
  }

  private func updateDescriptions(
    _ id: String?, _ name: String?, _ permissions: [EC2.IpPermission]?,
    _ descriptions: [EC2.SecurityGroupRuleDescription]?, isEgress: Bool, _ call: CallContext
  ) async throws {
    let scope = call.scope
    try await store.write { tx in
      var group = try Self.group(id, name, tx, scope)
      let none = SecurityRules.Simple(ipProtocol: nil, from: nil, to: nil, cidr: nil, group: nil)
      for changed in try SecurityRules.expand(permissions, none, isEgress: isEgress, call) {
        guard let at = group.rules.firstIndex(where: { $0.identity == changed.identity }) else {
          throw AWSError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
        }
        group.rules[at].description = changed.description
      }
      for entry in descriptions ?? [] {
        guard let at = group.rules.firstIndex(where: { $0.id == entry.securityGroupRuleId }) else {
          throw AWSError(
            "InvalidSecurityGroupRuleId.NotFound",
            "The security group rule ID '\(entry.securityGroupRuleId ?? "")' does not exist")
        }
        group.rules[at].description = entry.description
      }
      try tx.put(group, scope)
    }
  }
}
