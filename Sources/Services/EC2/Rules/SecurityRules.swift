// From the permissions that callers send to single rules, and back to the permissions that AWS answers.

import AWSCore
import EC2Model
import ServiceKit

enum SecurityRules {
  /// The one rule that an old-fashioned call names by its parameters.
  struct Simple: Sendable {
    var ipProtocol: String?
    var from: Int?
    var to: Int?
    var cidr: String?
    var group: String?
  }

  private static let numbers = ["6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"]

  private static func normal(_ ipProtocol: String) -> String {
    let lower = ipProtocol.lowercased()
    return numbers[lower] ?? lower
  }

  /// One rule for each source or destination that the permissions name.
  static func expand(
    _ permissions: [EC2.IpPermission]?, _ simple: Simple, isEgress: Bool, _ call: CallContext
  ) throws -> [SecurityRule] {
    var rules: [SecurityRule] = []
    func rule(_ ipProtocol: String?, _ from: Int?, _ to: Int?) throws -> SecurityRule {
      guard let ipProtocol, !ipProtocol.isEmpty else { throw EC2Error.missing("ipProtocol") }
      let name = normal(ipProtocol)
      let isAll = name == "-1"
      if name == "tcp" || name == "udp" {
        guard let from, let to, from <= to || to == -1, (-1...65535).contains(from), (-1...65535).contains(to) else {
          throw EC2Error.invalid(
            "\(from.map(String.init) ?? "")", "portRange", "Must specify both from and to ports with TCP/UDP.")
        }
      }
      return SecurityRule(
        id: call.ids.ec2("sgr"), isEgress: isEgress, ipProtocol: name, fromPort: isAll ? nil : from,
        toPort: isAll ? nil : to)
    }
    if simple.cidr != nil || simple.group != nil {
      var one = try rule(simple.ipProtocol, simple.from, simple.to)
      one.cidr = try simple.cidr.map(checked)
      one.group = simple.group
      one.groupAccount = simple.group.map { _ in call.account }
      rules.append(one)
    }
    for permission in permissions ?? [] {
      let base = try rule(permission.ipProtocol, permission.fromPort, permission.toPort)
      func add(_ description: String?, _ set: (inout SecurityRule) throws -> Void) rethrows {
        var new = base
        new.id = call.ids.ec2("sgr")
        new.description = description
        try set(&new)
        rules.append(new)
      }
      for range in permission.ipRanges ?? [] {
        try add(range.description) { $0.cidr = try checked(range.cidrIp ?? "") }
      }
      for range in permission.ipv6Ranges ?? [] { add(range.description) { $0.cidrIPv6 = range.cidrIpv6 } }
      for list in permission.prefixListIds ?? [] { add(list.description) { $0.prefixList = list.prefixListId } }
      for pair in permission.userIdGroupPairs ?? [] {
        add(pair.description) {
          $0.group = pair.groupId ?? pair.groupName
          $0.groupAccount = pair.userId ?? call.account
        }
      }
    }
    return rules
  }

  private static func checked(_ cidr: String) throws -> String {
    guard let network = CIDR(cidr) else {
      throw AWSError("InvalidParameterValue", "CIDR block \(cidr) is malformed")
    }
    return network.description
  }

  static func text(_ rule: SecurityRule) -> String {
    let peer = rule.cidr ?? rule.cidrIPv6 ?? rule.group ?? rule.prefixList ?? ""
    let ports = rule.fromPort.map { "from port: \($0), to port: \(rule.toPort ?? $0), " } ?? ""
    return "peer: \(peer), \(rule.ipProtocol.uppercased()), \(ports)ALLOW"
  }

  /// Rules with the same protocol and ports stand together, as DescribeSecurityGroups answers them.
  static func permissions(_ rules: [SecurityRule]) -> [EC2.IpPermission] {
    var order: [[String]] = []
    var grouped: [[String]: EC2.IpPermission] = [:]
    for rule in rules {
      let key = [rule.ipProtocol, rule.fromPort.map(String.init) ?? "", rule.toPort.map(String.init) ?? ""]
      if grouped[key] == nil {
        order.append(key)
        grouped[key] = .make {
          $0.ipProtocol = rule.ipProtocol
          $0.fromPort = rule.fromPort
          $0.toPort = rule.toPort
          $0.ipRanges = []
          $0.ipv6Ranges = []
          $0.prefixListIds = []
          $0.userIdGroupPairs = []
        }
      }
      if let cidr = rule.cidr {
        grouped[key]?.ipRanges?.append(
          .make {
            $0.cidrIp = cidr
            $0.description = rule.description
          })
      }
      if let cidr = rule.cidrIPv6 {
        grouped[key]?.ipv6Ranges?.append(
          .make {
            $0.cidrIpv6 = cidr
            $0.description = rule.description
          })
      }
      if let list = rule.prefixList {
        grouped[key]?.prefixListIds?.append(
          .make {
            $0.prefixListId = list
            $0.description = rule.description
          })
      }
      if let group = rule.group {
        grouped[key]?.userIdGroupPairs?.append(
          .make {
            $0.groupId = group
            $0.userId = rule.groupAccount
            $0.description = rule.description
          })
      }
    }
    return order.compactMap { grouped[$0] }
  }

  static func answer(_ rule: SecurityRule, group: String, _ call: CallContext) -> EC2.SecurityGroupRule {
    .make {
      $0.securityGroupRuleId = rule.id
      $0.securityGroupRuleArn = call.arn("ec2", "security-group-rule/\(rule.id)")
      $0.groupId = group
      $0.groupOwnerId = call.account
      $0.isEgress = rule.isEgress
      $0.ipProtocol = rule.ipProtocol
      $0.fromPort = rule.fromPort ?? -1
      $0.toPort = rule.toPort ?? -1
      $0.cidrIpv4 = rule.cidr
      $0.cidrIpv6 = rule.cidrIPv6
      $0.prefixListId = rule.prefixList
      $0.description = rule.description
      $0.tags = rule.tags.ec2
      if let other = rule.group {
        $0.referencedGroupInfo = .make {
          $0.groupId = other
          $0.userId = rule.groupAccount
        }
      }
    }
  }
}
