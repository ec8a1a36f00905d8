// Groups, attacks, the automatic response, contacts, and what stacks make of them.

import AWSCore
import AWSWire
import CastleTesting
import CloudWatchModel
import ELBv2Model
import GateProtocol
import ServiceKit
import ShieldModel
import Store
import Synchronization
import Testing

@testable import ShieldService

@Suite("Shield Advanced")
struct ShieldAdvancedTests {
  private static let balancer =
    "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/50dc6c495c0c9188"
  private static let address = "arn:aws:ec2:us-east-1:000000000000:eip-allocation/eipalloc-1"

  private func with(_ body: (ServiceHarness, ManualClock) async throws -> Void) async throws {
    let clock = ManualClock()
    let harness = try ServiceHarness(clock: clock, collections: ShieldService.collections) { [ShieldService($0)] }
    defer { harness.remove() }
    _ = try await harness.run(Shield.createSubscription)
    try await body(harness, clock)
  }

  /// The code of the error that an operation throws; empty without one.
  private func code<I, O>(
    _ harness: ServiceHarness, _ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }
  ) async throws -> String {
    do {
      _ = try await harness.run(operation, configure)
      return ""
    } catch let error as AWSError {
      return error.code
    }
  }

  private func protect(_ harness: ServiceHarness, _ resource: String) async throws -> String {
    let made = try await harness.run(Shield.createProtection) {
      $0.name = "p"
      $0.resourceArn = resource
    }
    return made.protectionId ?? ""
  }

  private static func attack(_ id: String, _ phase: GateAttack.Phase, at time: Double) -> GateAttack {
    GateAttack(
      id: id, loadBalancer: balancer, phase: phase, beganAt: 1_700_000_000, updatedAt: time,
      endedAt: phase == .ended ? time : nil,
      vectors: [
        .init(name: "REQUEST_FLOOD", counter: "Requests", max: 9000, average: 5000, sum: 50_000, samples: 10)
      ], offered: 60_000, refused: 40_000, requests: 50_000, bytes: 1,
      sources: [.init(name: "192.0.2.1", count: 30_000), .init(name: "192.0.2.2", count: 20_000)], heldSources: 2,
      isMitigated: true)
  }

  @Test("a group's pattern says which protected resources are its own")
  func groups() async throws {
    try await with { harness, _ in
      _ = try await protect(harness, Self.balancer)
      _ = try await protect(harness, Self.address)
      for (id, pattern, type, members) in [
        ("all", "ALL", nil, nil), ("kind", "BY_RESOURCE_TYPE", "ELASTIC_IP_ALLOCATION", nil),
        ("some", "ARBITRARY", nil, [Self.balancer]),
      ] as [(String, String, String?, [String]?)] {
        _ = try await harness.run(Shield.createProtectionGroup) {
          $0.protectionGroupId = id
          $0.aggregation = "SUM"
          $0.pattern = pattern
          $0.resourceType = type
          $0.members = members
        }
      }
      func resources(_ id: String) async throws -> [String]? {
        try await harness.run(Shield.listResourcesInProtectionGroup) { $0.protectionGroupId = id }.resourceArns
      }
      #expect(try await resources("all") == [Self.address, Self.balancer])
      #expect(try await resources("kind") == [Self.address])
      #expect(try await resources("some") == [Self.balancer])
      let list = try await harness.run(Shield.listProtectionGroups) {
        $0.inclusionFilters = .make { $0.patterns = ["ALL"] }
      }
      #expect(list.protectionGroups?.map(\.protectionGroupId) == ["all"])
      _ = try await harness.run(Shield.updateProtectionGroup) {
        $0.protectionGroupId = "all"
        $0.aggregation = "MEAN"
        $0.pattern = "ALL"
      }
      let group = try await harness.run(Shield.describeProtectionGroup) { $0.protectionGroupId = "all" }.protectionGroup
      #expect(group?.aggregation == "MEAN")
      #expect(group?.protectionGroupArn == "arn:aws:shield::000000000000:protection-group/all")
      let again = try await code(harness, Shield.createProtectionGroup) {
        $0.protectionGroupId = "all"
        $0.aggregation = "SUM"
        $0.pattern = "ALL"
      }
      #expect(again == "ResourceAlreadyExistsException")
      let stray = try await code(harness, Shield.createProtectionGroup) {
        $0.protectionGroupId = "x"
        $0.aggregation = "SUM"
        $0.pattern = "ALL"
        $0.members = [Self.balancer]
      }
      #expect(stray == "InvalidParameterException")
      _ = try await harness.run(Shield.deleteProtectionGroup) { $0.protectionGroupId = "all" }
      let gone = try await code(harness, Shield.describeProtectionGroup) { $0.protectionGroupId = "all" }
      #expect(gone == "ResourceNotFoundException")
    }
  }

  @Test("attacks that the Gate tells of are listed, described and counted, and an older telling changes nothing")
  func attacks() async throws {
    try await with { harness, clock in
      let recorder = AttackRecorder(harness.environment, gate: GateController(socketPath: "/nowhere"))
      let empty = try await harness.run(Shield.listAttacks)
      #expect(empty.attackSummaries?.isEmpty ?? false)
      let none = try await harness.run(Shield.describeAttackStatistics)
      #expect(none.dataItems?.map(\.attackCount) == [0])
      let start = 1_700_000_000.0
      try await recorder.keep(Self.attack("a-1", .began, at: start))
      let running = try await harness.run(Shield.listAttacks)
      #expect(running.attackSummaries?.first?.endTime == nil)
      try await recorder.keep(Self.attack("a-1", .ended, at: start + 60))
      try await recorder.keep(Self.attack("a-1", .updated, at: start + 30))
      let ended = try await harness.run(Shield.listAttacks)
      let summary = try #require(ended.attackSummaries?.first)
      #expect(ended.attackSummaries?.count == 1)
      #expect(summary.endTime == Timestamp(seconds: start + 60))
      #expect(summary.resourceArn == Self.balancer)
      #expect(summary.attackVectors?.map(\.vectorType) == ["REQUEST_FLOOD"])
      let detail = try await harness.run(Shield.describeAttack) { $0.attackId = "a-1" }.attack
      #expect(detail?.attackCounters?.first?.max == 9000)
      #expect(detail?.attackProperties?.first?.topContributors?.map(\.name) == ["192.0.2.1", "192.0.2.2"])
      #expect(detail?.mitigations?.isEmpty == false)
      #expect(try await code(harness, Shield.describeAttack) { $0.attackId = "b" } == "AccessDeniedException")
      let before = try await harness.run(Shield.listAttacks) {
        $0.startTime = .make { $0.toExclusive = Timestamp(seconds: start) }
      }
      #expect(before.attackSummaries?.isEmpty ?? false)
      clock.advance(seconds: start + 3600 - harness.clock.now.seconds)
      let statistics = try await harness.run(Shield.describeAttackStatistics)
      #expect(statistics.dataItems?.first?.attackCount == 1)
      #expect(statistics.dataItems?.first?.attackVolume?.requestsPerSecond?.max == 9000)
    }
  }

  @Test("an attack on a network load balancer has the name of its protected Elastic IP address, and is found by either")
  func networkAttacks() async throws {
    let harness = try ServiceHarness(collections: ShieldService.collections) { [ShieldService($0), FlowBalancer()] }
    defer { harness.remove() }
    let recorder = AttackRecorder(harness.environment, gate: GateController(socketPath: "/nowhere"))
    var attack = Self.attack("n-1", .began, at: 1_700_000_000)
    attack.loadBalancer = FlowBalancer.arn
    attack.vectors = [.init(name: "UDP_TRAFFIC", counter: "Packets", max: 90, average: 50, sum: 500, samples: 10)]
    try await recorder.keep(attack)
    _ = try await harness.run(Shield.createSubscription)
    #expect(
      try await code(harness, Shield.createProtection) {
        $0.name = "n"
        $0.resourceArn = FlowBalancer.arn
      } == "InvalidResourceException")
    _ = try await protect(harness, Self.address)
    // An attack keeps the name that it began with.
    attack.updatedAt += 1
    try await recorder.keep(attack)
    attack.id = "n-2"
    try await recorder.keep(attack)
    let all = try await harness.run(Shield.listAttacks).attackSummaries ?? []
    let names = Dictionary(all.map { ($0.attackId ?? "", $0.resourceArn ?? "") }) { $1 }
    #expect(names == ["n-1": FlowBalancer.arn, "n-2": Self.address])
    let ofBalancer = try await harness.run(Shield.listAttacks) { $0.resourceArns = [FlowBalancer.arn] }
    #expect(ofBalancer.attackSummaries?.count == 2)
    let ofAddress = try await harness.run(Shield.listAttacks) { $0.resourceArns = [Self.address] }
    #expect(ofAddress.attackSummaries?.map(\.attackId) == ["n-2"])
    let detail = try await harness.run(Shield.describeAttack) { $0.attackId = "n-2" }.attack
    #expect(detail?.attackProperties?.first?.attackLayer == "NETWORK")
    #expect(detail?.attackCounters?.first?.unit == "PACKETS")
  }

  @Test("CloudWatch is told of attacks on protected resources each minute, when they are over, and once a day in peace")
  func metrics() async throws {
    let watch = MetricBook()
    let harness = try ServiceHarness(collections: ShieldService.collections) { [ShieldService($0), watch] }
    defer { harness.remove() }
    let recorder = AttackRecorder(harness.environment, gate: GateController(socketPath: "/nowhere"))
    let start = 1_700_000_000.0
    func tell(_ phase: GateAttack.Phase, after seconds: Double, requests: Double, packets: Double) async throws {
      var attack = Self.attack("m-1", phase, at: start + seconds)
      let samples = max(1, Int(seconds * 10))
      attack.vectors = [
        .init(
          name: "REQUEST_FLOOD", counter: "Requests", max: requests, average: requests, sum: requests * Double(samples),
          samples: samples),
        .init(
          name: "UDP_TRAFFIC", counter: "Packets", max: packets, average: packets, sum: packets * Double(samples),
          samples: samples),
        .init(name: "SLOWLORIS", counter: "SlowConnections", max: 9, average: 9, sum: 9, samples: 1),
      ]
      attack.bytes = UInt64(packets * 100 * seconds)
      try await recorder.keep(attack)
    }
    try await tell(.began, after: 0, requests: 5000, packets: 200)
    #expect(watch.take().isEmpty, "what is not protected has no metrics")
    _ = try await harness.run(Shield.createSubscription)
    _ = try await protect(harness, Self.balancer)
    try await recorder.metrics.tellPeace()
    #expect(watch.take() == ["us-east-1 DDoSDetected - 0.0"])
    try await tell(.updated, after: 10, requests: 5000, packets: 200)
    #expect(
      watch.take() == [
        "us-east-1 DDoSDetected - 1.0", "us-east-1 DDoSAttackRequestsPerSecond RequestFlood 5000.0",
        "us-east-1 DDoSAttackPacketsPerSecond UDPTraffic 200.0",
        "us-east-1 DDoSAttackBitsPerSecond UDPTraffic 160000.0",
      ])
    try await tell(.updated, after: 40, requests: 5000, packets: 200)
    #expect(watch.take().isEmpty)
    // A minute in which it was twice as much as on average until then: 5000 for 10 s, 6200 over 70 s.
    try await tell(.updated, after: 70, requests: 6200, packets: 200)
    #expect(watch.take().contains("us-east-1 DDoSAttackRequestsPerSecond RequestFlood 6400.0"))
    try await recorder.metrics.tellPeace()
    #expect(watch.take().isEmpty, "it is attacked")
    try await tell(.ended, after: 80, requests: 6200, packets: 200)
    #expect(
      watch.take() == [
        "us-east-1 DDoSDetected - 0.0", "us-east-1 DDoSAttackRequestsPerSecond RequestFlood 0.0",
        "us-east-1 DDoSAttackPacketsPerSecond UDPTraffic 0.0", "us-east-1 DDoSAttackBitsPerSecond UDPTraffic 0.0",
      ])
    // A Gate that tells again of what is known changes nothing.
    try await tell(.ended, after: 80, requests: 6200, packets: 200)
    #expect(watch.take().isEmpty)
    try await recorder.metrics.tellPeace()
    #expect(watch.take() == ["us-east-1 DDoSDetected - 0.0"])
  }

  @Test("the automatic response needs a protection, one action, and comes back on Describe")
  func automaticResponse() async throws {
    try await with { harness, _ in
      let id = try await protect(harness, Self.balancer)
      // Without a WAF to ask there is no web ACL.
      let refused = try await code(harness, Shield.enableApplicationLayerAutomaticResponse) {
        $0.resourceArn = Self.address
        $0.action = .make { $0.block = .init() }
      }
      #expect(refused == "InvalidOperationException")
      let none = try await code(harness, Shield.updateApplicationLayerAutomaticResponse) {
        $0.resourceArn = Self.balancer
        $0.action = .make { $0.count = .init() }
      }
      #expect(none == "InvalidOperationException")
      let both = try await code(harness, Shield.updateApplicationLayerAutomaticResponse) {
        $0.resourceArn = Self.balancer
        $0.action = .make {
          $0.count = .init()
          $0.block = .init()
        }
      }
      #expect(both == "InvalidParameterException")
      let check = "arn:aws:route53:::healthcheck/1"
      _ = try await harness.run(Shield.associateHealthCheck) {
        $0.protectionId = id
        $0.healthCheckArn = check
      }
      let protection = try await harness.run(Shield.describeProtection) { $0.protectionId = id }.protection
      #expect(protection?.healthCheckIds == ["1"])
      _ = try await harness.run(Shield.disassociateHealthCheck) {
        $0.protectionId = id
        $0.healthCheckArn = check
      }
      let again = try await code(harness, Shield.disassociateHealthCheck) {
        $0.protectionId = id
        $0.healthCheckArn = check
      }
      #expect(again == "ResourceNotFoundException")
    }
  }

  @Test("the response team's access and the contacts are kept as they are set")
  func responseTeam() async throws {
    try await with { harness, _ in
      let early = try await code(harness, Shield.associateDRTLogBucket) { $0.logBucket = "logs" }
      #expect(early == "NoAssociatedRoleException")
      _ = try await harness.run(Shield.associateDRTRole) { $0.roleArn = "arn:aws:iam::000000000000:role/srt" }
      _ = try await harness.run(Shield.associateDRTLogBucket) { $0.logBucket = "logs" }
      let access = try await harness.run(Shield.describeDRTAccess)
      #expect(access.logBucketList == ["logs"])
      #expect(access.roleArn == "arn:aws:iam::000000000000:role/srt")
      #expect(try await code(harness, Shield.enableProactiveEngagement) == "InvalidOperationException")
      _ = try await harness.run(Shield.associateProactiveEngagementDetails) {
        $0.emergencyContactList = [.make { $0.emailAddress = "oncall@example.com" }]
      }
      _ = try await harness.run(Shield.disableProactiveEngagement)
      let subscription = try await harness.run(Shield.describeSubscription).subscription
      #expect(subscription?.proactiveEngagementStatus == "DISABLED")
      let contacts = try await harness.run(Shield.describeEmergencyContactSettings).emergencyContactList
      #expect(contacts?.map(\.emailAddress) == ["oncall@example.com"])
    }
  }

  @Test("the subscription is locked for its year: AutoRenew changes in the last thirty days, deletion after them")
  func commitment() async throws {
    try await with { harness, clock in
      var codes: [String] = []
      codes.append(try await code(harness, Shield.updateSubscription) { $0.autoRenew = "ENABLED" })
      codes.append(try await code(harness, Shield.updateSubscription) { $0.autoRenew = "DISABLED" })
      codes.append(try await code(harness, Shield.deleteSubscription))
      #expect(codes == ["", "LockedSubscriptionException", "LockedSubscriptionException"])
      clock.advance(seconds: 340 * 86_400)
      codes = [try await code(harness, Shield.updateSubscription) { $0.autoRenew = "DISABLED" }]
      clock.advance(seconds: 26 * 86_400)
      codes.append(try await code(harness, Shield.deleteSubscription))
      #expect(codes == ["", ""])
      let state = try await harness.run(Shield.getSubscriptionState).subscriptionState
      #expect(state == "INACTIVE")
    }
  }

  @Test("a stack's protection and group come with their attributes, follow changes, and go")
  func stack() async throws {
    try await with { harness, _ in
      let service = ShieldService(harness.environment)
      func provider(_ type: String) throws -> ResourceProvider {
        try #require(service.resourceProviders.first { $0.type == type })
      }
      let context = ResourceContext(
        stackName: "s", stackID: "arn:aws:cloudformation:us-east-1:000000000000:stack/s/1", logicalID: "P",
        tags: ["from": "stack"], call: harness.call())
      let properties = JSONValue.object([
        "Name": .string("p"), "ResourceArn": .string(Self.balancer),
        "HealthCheckArns": .array([.string("arn:aws:route53:::healthcheck/1")]),
      ])
      let protections = try provider("AWS::Shield::Protection")
      let handle = try await protections.create(properties, context)
      let id = handle.attributes["ProtectionId"]?.text ?? ""
      #expect(handle.physicalID == "arn:aws:shield::000000000000:protection/\(id)")
      let changed = JSONValue.object(["Name": .string("p"), "ResourceArn": .string(Self.balancer)])
      _ = try await protections.update(handle, properties, changed, context)
      let protection = try await harness.run(Shield.describeProtection) { $0.protectionId = id }.protection
      #expect(protection?.healthCheckIds == [])
      let tags = try await harness.run(Shield.listTagsForResource) { $0.resourceARN = handle.physicalID }.tags
      #expect(tags?.map(\.key) == ["from"])
      let groups = try provider("AWS::Shield::ProtectionGroup")
      let group = JSONValue.object([
        "ProtectionGroupId": .string("g"), "Aggregation": .string("MAX"), "Pattern": .string("ALL"),
      ])
      let made = try await groups.create(group, context)
      #expect(made.physicalID == "arn:aws:shield::000000000000:protection-group/g")
      try await groups.delete(made, group, context)
      try await groups.delete(made, group, context)
      try await protections.delete(handle, changed, context)
      let left = try await harness.run(Shield.listProtections).protections
      #expect(left?.isEmpty ?? false)
    }
  }
}

/// ELBv2 with one network load balancer, which has an Elastic IP address.
private struct FlowBalancer: AWSService {
  static let arn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/flows/50dc6c495c0c9188"

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(ELBv2.describeLoadBalancers) { _, _ in
      .make {
        $0.loadBalancers = [
          .make {
            $0.loadBalancerArn = Self.arn
            $0.availabilityZones = [
              .make { $0.zoneName = "us-east-1a" },
              .make { $0.loadBalancerAddresses = [.make { $0.allocationId = "eipalloc-1" }] },
            ]
          }
        ]
      }
    }
    return [ServiceAPI(ELBv2.model, actionPrefix: "elasticloadbalancing", table)]
  }
}

/// CloudWatch, as far as Shield calls it: region, name, vector and value of each datum.
private final class MetricBook: AWSService {
  private let lines = Mutex<[String]>([])

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(CloudWatch.putMetricData) { [self] input, call in
      guard input.namespace == "AWS/DDoSProtection" else { return .init() }
      lines.withLock { lines in
        for datum in input.metricData ?? [] {
          let vector = datum.dimensions?.first { $0.name == "AttackVector" }?.value ?? "-"
          lines.append("\(call.region) \(datum.metricName) \(vector) \(datum.value ?? -1)")
        }
      }
      return .init()
    }
    return [ServiceAPI(CloudWatch.model, actionPrefix: "cloudwatch", table)]
  }

  func take() -> [String] {
    lines.withLock { lines in
      defer { lines = [] }
      return lines
    }
  }
}
