// The one instance that there is: the machine that the castle runs on. It is there, and is neither launched nor ended.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  /// The machine as an account sees it in a region.
  struct Instance: Sendable {
    var id: String
    var reservation: String
    var zone: String
    /// Of the default VPC, in the machine's zone; nil when that is gone.
    var subnet: SubnetRecord?
    /// The default one of the subnet's VPC.
    var group: SecurityGroupRecord?
    var tags: [String: String]
  }

  static func instance(_ snapshot: Snapshot, _ scope: Scope) throws -> Instance {
    let id = Machine.id(scope)
    let zone = Machine.zone(scope.region)
    var instance = Instance(
      id: id, reservation: Machine.reservation(scope), zone: zone,
      tags: try snapshot.get(InstanceRecord.self, scope, id)?.tags ?? [:])
    guard let vpc = try snapshot.list(VPCRecord.self, scope).first(where: \.isDefault) else { return instance }
    let subnets = try snapshot.find(SubnetRecord.self, scope, index: "vpc", vpc.id).filter { $0.zone == zone }
    guard let subnet = subnets.first(where: \.isDefault) ?? subnets.min(by: { $0.id < $1.id }) else { return instance }
    instance.subnet = subnet
    instance.group = try snapshot.find(SecurityGroupRecord.self, scope, index: "vpc", vpc.id)
      .first { $0.name == "default" }
    return instance
  }

  /// Its record, to be changed: it has one from its first tag on.
  static func instanceRecord(_ id: String, _ snapshot: Snapshot, _ scope: Scope) throws -> InstanceRecord {
    guard id == Machine.id(scope) else { throw EC2Error.notFound(InstanceRecord.self, id) }
    return try snapshot.get(InstanceRecord.self, scope, id) ?? InstanceRecord(id: id)
  }

  func describeInstances(
    _ input: EC2.DescribeInstancesRequest, _ call: CallContext
  ) async throws -> EC2.DescribeInstancesResult {
    try Self.check(ids: input.instanceIds, limit: input.maxResults, token: input.nextToken, call)
    if input.dryRun == true { throw EC2Error.dryRun }
    let instance = try await store.read { try Self.instance($0, call.scope) }
    let isMeant = try Filters(input.filters).pass(Self.fields(instance, call), tags: instance.tags)
    return .make {
      $0.reservations = []
      guard isMeant else { return }
      $0.reservations = [
        .make {
          $0.reservationId = instance.reservation
          $0.ownerId = call.account
          $0.groups = []
          $0.instances = [Self.answer(instance)]
        }
      ]
    }
  }

  func describeInstanceStatus(
    _ input: EC2.DescribeInstanceStatusRequest, _ call: CallContext
  ) async throws -> EC2.DescribeInstanceStatusResult {
    try Self.check(ids: input.instanceIds, limit: input.maxResults, token: input.nextToken, call)
    if input.dryRun == true { throw EC2Error.dryRun }
    let instance = try await store.read { try Self.instance($0, call.scope) }
    let fields = [
      "availability-zone": [instance.zone], "availability-zone-id": [Zones.id(instance.zone)],
      "instance-state-code": ["16"], "instance-state-name": ["running"], "instance-status.reachability": ["passed"],
      "instance-status.status": ["ok"], "system-status.reachability": ["passed"], "system-status.status": ["ok"],
      "attached-ebs-status.status": [], "event.code": [], "event.description": [], "event.instance-event-id": [],
      "event.not-after": [], "event.not-before": [], "event.not-before-deadline": [], "operator.managed": ["false"],
      "operator.principal": [],
    ]
    let isMeant = try Filters(input.filters).pass(fields, tags: [:])
    return .make { $0.instanceStatuses = isMeant ? [Self.status(instance)] : [] }
  }

  /// Each id must be that of the machine. One instance is never more than a page.
  private static func check(ids: [String]?, limit: Int?, token: String?, _ call: CallContext) throws {
    let ids = ids ?? []
    if let malformed = ids.first(where: { !Machine.isID($0) }) {
      throw AWSError("InvalidInstanceID.Malformed", "Invalid id: \"\(malformed)\"")
    }
    if let limit {
      guard ids.isEmpty else {
        throw AWSError(
          "InvalidParameterCombination",
          "The parameter instancesSet cannot be used with the parameter maxResults")
      }
      guard limit >= 5 else {
        throw EC2Error.invalid("\(limit)", "maxResults", "Expecting a value greater than 5.")
      }
    }
    if let token, !token.isEmpty { throw EC2Error.invalid(token, "nextToken", "Unable to parse pagination token") }
    let strangers = ids.filter { $0 != Machine.id(call.scope) }
    if strangers.count == 1 { throw EC2Error.notFound(InstanceRecord.self, strangers[0]) }
    if !strangers.isEmpty {
      throw AWSError(
        InstanceRecord.notFoundCode, "The instance IDs '\(strangers.joined(separator: ", "))' do not exist")
    }
  }

  private static func answer(_ instance: Instance) -> EC2.Instance {
    .make {
      $0.instanceId = instance.id
      $0.instanceType = Machine.this.type
      $0.architecture = Machine.architecture
      $0.platformDetails = "Linux/UNIX"
      $0.state = running
      $0.stateTransitionReason = ""
      $0.launchTime = Machine.this.booted
      $0.amiLaunchIndex = 0
      $0.placement = .make {
        $0.availabilityZone = instance.zone
        $0.availabilityZoneId = Zones.id(instance.zone)
        $0.groupName = ""
        $0.tenancy = "default"
      }
      $0.privateIpAddress = Machine.address
      $0.privateDnsName = Machine.dnsName
      $0.publicDnsName = ""
      $0.vpcId = instance.subnet?.vpc
      $0.subnetId = instance.subnet?.id
      $0.securityGroups = [instance.group].compactMap(\.self).map { group in
        .make {
          $0.groupId = group.id
          $0.groupName = group.name
        }
      }
      $0.networkInterfaces = []
      // Its disks are its own: it boots from no image and has no volumes.
      $0.rootDeviceType = "instance-store"
      $0.blockDeviceMappings = []
      $0.ebsOptimized = false
      $0.productCodes = []
      $0.monitoring = .make { $0.state = "disabled" }
      $0.enclaveOptions = .make { $0.enabled = false }
      $0.hibernationOptions = .make { $0.configured = false }
      $0.metadataOptions = .make {
        $0.state = "applied"
        $0.httpEndpoint = "disabled"
      }
      $0.tags = instance.tags.ec2
    }
  }

  private static var running: EC2.InstanceState {
    .make {
      $0.code = 16
      $0.name = "running"
    }
  }

  private static func status(_ instance: Instance) -> EC2.InstanceStatus {
    let good: EC2.InstanceStatusSummary = .make {
      $0.status = "ok"
      $0.details = [
        .make {
          $0.name = "reachability"
          $0.status = "passed"
        }
      ]
    }
    return .make {
      $0.instanceId = instance.id
      $0.instanceState = running
      $0.availabilityZone = instance.zone
      $0.availabilityZoneId = Zones.id(instance.zone)
      $0.instanceStatus = good
      $0.systemStatus = good
      $0.events = []
    }
  }

  /// What the filters of DescribeInstances look at; nothing for what the machine has not.
  private static func fields(_ instance: Instance, _ call: CallContext) -> [String: [String]] {
    func of(_ value: String?) -> [String] { value.map { [$0] } ?? [] }
    return [
      "affinity": [], "architecture": [Machine.architecture], "availability-zone": [instance.zone],
      "availability-zone-id": [Zones.id(instance.zone)], "dns-name": [], "group-id": [], "group-name": [],
      "hypervisor": [], "iam-instance-profile.arn": [], "image-id": [], "instance-id": [instance.id],
      "instance-lifecycle": [], "instance-state-code": ["16"], "instance-state-name": ["running"],
      "instance-type": [Machine.this.type], "instance.group-id": of(instance.group?.id),
      "instance.group-name": of(instance.group?.name), "ip-address": [], "kernel-id": [], "key-name": [],
      "launch-index": ["0"], "launch-time": [Machine.this.booted.iso8601Milliseconds], "monitoring-state": ["disabled"],
      "owner-id": [call.account], "placement-group-name": [], "platform": [], "platform-details": ["Linux/UNIX"],
      "private-dns-name": [Machine.dnsName], "private-ip-address": [Machine.address], "product-code": [],
      "product-code.type": [], "ramdisk-id": [], "reason": [], "requester-id": [],
      "reservation-id": [instance.reservation], "root-device-name": [], "root-device-type": ["instance-store"],
      "source-dest-check": [], "spot-instance-request-id": [], "state-reason-code": [], "state-reason-message": [],
      "subnet-id": of(instance.subnet?.id), "tenancy": ["default"], "virtualization-type": [],
      "vpc-id": of(instance.subnet?.vpc), "metadata-options.http-endpoint": ["disabled"],
      "metadata-options.http-tokens": [], "network-interface.network-interface-id": [],
      "network-interface.subnet-id": [], "network-interface.vpc-id": [], "network-interface.group-id": [],
      "network-interface.addresses.private-ip-address": [], "network-interface.addresses.association.public-ip": [],
      "network-interface.private-dns-name": [], "network-interface.status": [],
      "block-device-mapping.volume-id": [], "block-device-mapping.device-name": [],
      "block-device-mapping.status": [], "client-token": [], "operator.managed": ["false"], "operator.principal": [],
    ]
  }
}
