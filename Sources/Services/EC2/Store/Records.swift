// What the network keeps: one record a resource, its tags within.

import AWSCore
import Store

/// A record of a taggable EC2 resource.
protocol NetworkRecord: Record {
  /// The resource type in DescribeTags and TagSpecifications, such as `security-group`.
  static var resourceType: String { get }
  /// The code when a resource of this kind is not there, such as `InvalidVpcID.NotFound`.
  static var notFoundCode: String { get }
  /// How AWS names the kind in its message.
  static var noun: String { get }
  var id: String { get }
  var tags: [String: String] { get set }
}

extension NetworkRecord {
  var recordID: String { id }
}

struct VPCRecord: NetworkRecord {
  static let collection = "ec2.vpc"
  static let resourceType = "vpc"
  static let notFoundCode = "InvalidVpcID.NotFound"
  static let noun = "vpc ID"
  var id: String
  var tags: [String: String] = [:]
  var cidr: String
  var associationID: String
  var isDefault = false
  var tenancy = "default"
  var dnsSupport = true
  var dnsHostnames = false
  var addressUsageMetrics = false
  var networkACL: String
  var networkACLRuleDeny = 32767
}

struct SubnetRecord: NetworkRecord {
  static let collection = "ec2.subnet"
  static let resourceType = "subnet"
  static let notFoundCode = "InvalidSubnetID.NotFound"
  static let noun = "subnet ID"
  var recordIndex: [String: String] { ["vpc": vpc] }
  var id: String
  var tags: [String: String] = [:]
  var vpc: String
  var cidr: String
  var zone: String
  var isDefault = false
  var mapPublicIP = false
  var dns64 = false
  var nameDNSA = false
  var nameDNSAAAA = false
  var hostnameType = "ip-name"
  var assignIPv6 = false
  var aclAssociation: String
}

/// A rule of a security group: one source or destination each, as AWS numbers them.
struct SecurityRule: Codable, Sendable, Hashable {
  var id: String
  var isEgress: Bool
  var ipProtocol: String
  var fromPort: Int?
  var toPort: Int?
  var cidr: String?
  var cidrIPv6: String?
  var prefixList: String?
  var group: String?
  var groupAccount: String?
  var description: String?
  var tags: [String: String] = [:]

  /// Two rules are the same when all but id, description and tags are.
  var identity: [String] {
    [
      isEgress ? "out" : "in", ipProtocol, fromPort.map(String.init) ?? "", toPort.map(String.init) ?? "", cidr ?? "",
      cidrIPv6 ?? "", prefixList ?? "", group ?? "",
    ]
  }
}

struct SecurityGroupRecord: NetworkRecord {
  static let collection = "ec2.security-group"
  static let resourceType = "security-group"
  static let notFoundCode = "InvalidGroup.NotFound"
  static let noun = "security group"
  var recordIndex: [String: String] { ["vpc": vpc] }
  var id: String
  var tags: [String: String] = [:]
  var name: String
  var description: String
  var vpc: String
  var rules: [SecurityRule] = []
}

struct RouteEntry: Codable, Sendable, Hashable {
  var destination: String
  /// `local`, `igw-…`, `nat-…`, `vgw-…`, `pcx-…`, `eni-…`, `vpce-…`, `tgw-…`.
  var target: String
  var origin: String
}

struct RouteAssociation: Codable, Sendable, Hashable {
  var id: String
  var subnet: String?
  var gateway: String?
  var isMain = false
}

struct RouteTableRecord: NetworkRecord {
  static let collection = "ec2.route-table"
  static let resourceType = "route-table"
  static let notFoundCode = "InvalidRouteTableID.NotFound"
  static let noun = "routeTable ID"
  var recordIndex: [String: String] { ["vpc": vpc] }
  var id: String
  var tags: [String: String] = [:]
  var vpc: String
  var routes: [RouteEntry]
  var associations: [RouteAssociation] = []
}

struct InternetGatewayRecord: NetworkRecord {
  static let collection = "ec2.internet-gateway"
  static let resourceType = "internet-gateway"
  static let notFoundCode = "InvalidInternetGatewayID.NotFound"
  static let noun = "internetGateway ID"
  var id: String
  var tags: [String: String] = [:]
  var vpc: String?
}

struct NATGatewayRecord: NetworkRecord {
  static let collection = "ec2.nat-gateway"
  static let resourceType = "natgateway"
  static let notFoundCode = "NatGatewayNotFound"
  static let noun = "NatGateway"
  var id: String
  var tags: [String: String] = [:]
  var vpc: String
  var subnet: String
  var allocation: String?
  var association: String?
  var connectivity: String
  var privateIP: String
  var interface: String
  var created: Timestamp
  var deleted: Timestamp?
}

struct ElasticIPRecord: NetworkRecord {
  static let collection = "ec2.elastic-ip"
  static let resourceType = "elastic-ip"
  static let notFoundCode = "InvalidAllocationID.NotFound"
  static let noun = "allocation ID"
  var id: String
  var tags: [String: String] = [:]
  var publicIP: String
  var association: String?
  var interface: String?
  var privateIP: String?
  /// What its PTR record says, with the dot.
  var reverseName: String?
}

/// The tags of the machine as an instance; all else of it is what it is (`Machine`).
struct InstanceRecord: NetworkRecord {
  static let collection = "ec2.instance"
  static let resourceType = "instance"
  static let notFoundCode = "InvalidInstanceID.NotFound"
  static let noun = "instance ID"
  var id: String
  var tags: [String: String] = [:]
}
