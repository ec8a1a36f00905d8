// Zonal shifts: the API's rules, and what clients of load balancers meet over a real castle-gate.

import ARCZonalShiftModel
import ARCZonalShiftService
import AWSCore
import AWSWire
import CastleTesting
import ELBv2Model
import GateProtocol
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("Zonal shift", .timeLimit(.minutes(2)), .serialized)
struct ZonalShiftTests {
  private func set(_ elb: ELBv2Fixture, _ balancer: String, _ values: [String: String]) async throws {
    _ = try await elb.run(ELBv2.modifyLoadBalancerAttributes) {
      $0.loadBalancerArn = balancer
      $0.attributes = values.map { key, value in
        .make {
          $0.key = key
          $0.value = value
        }
      }
    }
  }

  private func start(
    _ elb: ELBv2Fixture, _ balancer: String, _ zone: String = "use1-az1", _ time: String = "1h"
  ) async throws -> ARCZonalShift.ZonalShift {
    try await elb.run(ARCZonalShift.startZonalShift) {
      $0.resourceIdentifier = balancer
      $0.awayFrom = zone
      $0.expiresIn = time
      $0.comment = "test"
    }
  }

  private func failure(
    _ elb: ELBv2Fixture, _ balancer: String, _ zone: String = "use1-az1", _ time: String = "1h"
  ) async throws -> AWSError? {
    do {
      _ = try await start(elb, balancer, zone, time)
      return nil
    } catch let error as AWSError {
      return error
    }
  }

  private static let on = ["zonal_shift.config.enabled": "true"]

  @Test("only load balancers that say so can be shifted, one zone at a time, for a minute to three days")
  func rules() async throws {
    let clock = ManualClock()
    try await ELBv2Fixture.alone(clock: clock) { elb in
      let balancer = try await elb.loadBalancer("shop")
      #expect(try await elb.run(ARCZonalShift.listManagedResources).items?.isEmpty == true)
      #expect(try await failure(elb, balancer)?.code == "ResourceNotFoundException")
      try await set(elb, balancer, Self.on)
      let managed = try #require(try await elb.run(ARCZonalShift.listManagedResources).items)
      #expect(managed.map(\.arn) == [balancer] && managed[0].name == "shop")
      #expect(managed[0].availabilityZones == ["use1-az1", "use1-az2"])
      #expect(managed[0].appliedWeights == ["use1-az1": 1, "use1-az2": 1])
      for (zone, time, reason) in [
        ("use1-az9", "1h", "InvalidAz"), ("us-east-1a", "1h", "InvalidAz"), ("use1-az3", "1h", "UnsupportedAz"),
        ("use1-az1", "73h", "InvalidExpiresIn"), ("use1-az1", "4321m", "InvalidExpiresIn"),
      ] {
        let error = try await failure(elb, balancer, zone, time)
        #expect(error?.code == "ValidationException" && error?.fields["reason"] == reason, "\(zone) \(time)")
      }
      #expect(try await failure(elb, "not-an-arn")?.fields["reason"] == "InvalidResourceIdentifier")
      let shift = try await start(elb, balancer, "use1-az1", "4320m")
      let id = try #require(shift.zonalShiftId)
      #expect(shift.status == "ACTIVE" && shift.awayFrom == "use1-az1")
      #expect(shift.expiryTime == clock.now.adding(days: 3) && shift.startTime == clock.now)
      let second = try await failure(elb, balancer, "use1-az2")
      #expect(second?.code == "ConflictException" && second?.status == 409)
      #expect(second?.fields == ["reason": "ZonalShiftAlreadyExists", "zonalShiftId": id])
      let told = try await elb.run(ARCZonalShift.getManagedResource) { $0.resourceIdentifier = balancer }
      #expect(told.appliedWeights == ["use1-az1": 0, "use1-az2": 1])
      #expect(told.zonalShifts?.map(\.appliedStatus) == ["APPLIED"])
    }
  }

  @Test("a shift can be changed and cancelled while it is active, and ends by itself when its time is over")
  func life() async throws {
    let clock = ManualClock()
    try await ELBv2Fixture.alone(clock: clock) { elb in
      let balancer = try await elb.loadBalancer("shop")
      try await set(elb, balancer, Self.on)
      func states() async throws -> [String?] {
        try await elb.run(ARCZonalShift.listZonalShifts).items?.map(\.status) ?? []
      }
      func update(_ id: String, _ time: String?) async throws -> String {
        try await elb.failure(ARCZonalShift.updateZonalShift) {
          $0.zonalShiftId = id
          $0.expiresIn = time
        }
      }
      let first = try #require(try await start(elb, balancer, "use1-az1", "1m").zonalShiftId)
      clock.advance(seconds: 59)
      #expect(try await states() == ["ACTIVE"])
      #expect(try await update(first, nil).hasPrefix("ValidationException"))
      #expect(try await update("nothing-there", "2m").hasPrefix("ResourceNotFoundException"))
      #expect(try await update(first, "2m") == "")
      clock.advance(seconds: 119)
      #expect(try await states() == ["ACTIVE"])
      clock.advance(seconds: 1)
      #expect(try await states() == ["EXPIRED"])
      #expect(try await update(first, "2m").hasPrefix("ConflictException"))
      let next = try #require(try await start(elb, balancer, "use1-az2").zonalShiftId)
      let cancelled = try await elb.run(ARCZonalShift.cancelZonalShift) { $0.zonalShiftId = next }
      #expect(cancelled.status == "CANCELED")
      #expect(
        try await elb.failure(ARCZonalShift.cancelZonalShift) { $0.zonalShiftId = next }.hasPrefix("ConflictException"))
      #expect(try await states() == ["CANCELED", "EXPIRED"])
      let page = try await elb.run(ARCZonalShift.listZonalShifts) { $0.maxResults = 1 }
      #expect(page.items?.map(\.zonalShiftId) == [next])
      let rest = try await elb.run(ARCZonalShift.listZonalShifts) { $0.nextToken = page.nextToken }
      #expect(rest.items?.map(\.zonalShiftId) == [first] && rest.nextToken == nil)
      let canceled = try await elb.run(ARCZonalShift.listZonalShifts) { $0.status = "CANCELED" }
      #expect(canceled.items?.map(\.zonalShiftId) == [next])
      // Who is shifted no more has no shifts.
      _ = try await start(elb, balancer)
      try await set(elb, balancer, ["zonal_shift.config.enabled": "false"])
      let loop = Task { try await elb.shifts.run() }
      try await elb.until("the shift has ended", store: ["arc-zonal-shift.shift"]) {
        try await elb.run(ARCZonalShift.listZonalShifts).items?.first?.status == "CANCELED"
      }
      loop.cancel()
      _ = await loop.result
    }
  }

  @Test("zonal autoshift: there are none, and none can be turned on")
  func autoshift() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      try await set(elb, balancer, Self.on)
      #expect(try await elb.run(ARCZonalShift.listAutoshifts).items?.isEmpty == true)
      func update(_ status: String) async throws -> String {
        try await elb.failure(ARCZonalShift.updateZonalAutoshiftConfiguration) {
          $0.resourceIdentifier = balancer
          $0.zonalAutoshiftStatus = status
        }
      }
      #expect(try await update("DISABLED") == "")
      #expect(try await update("ENABLED").hasPrefix("ConflictException"))
    }
  }

  /// The override of each target, by zone.
  private func overrides(_ elb: ELBv2Fixture, _ group: String) async throws -> [String: String] {
    let all = try await elb.run(ELBv2.describeTargetHealth) { $0.targetGroupArn = group }.targetHealthDescriptions ?? []
    return Dictionary(
      all.map { ($0.target?.availabilityZone ?? "", $0.administrativeOverride?.state ?? "") }
    ) { $1 }
  }

  private func reached(_ name: String, _ count: Int = 8) async throws -> Set<String> {
    var seen: Set<String> = []
    for _ in 0..<count { seen.insert(try await ELBHTTP.get(name).body) }
    return seen
  }

  @Test("a shift moves an application load balancer's requests to the other zone, until it expires")
  func application() async throws {
    let clock = ManualClock()
    try await ELBv2Fixture.withGate(clock: clock) { elb in
      let servers = [try ELBServer("a"), try ELBServer("b")]
      let balancer = try await elb.loadBalancer("shop")
      try await set(elb, balancer, Self.on)
      let group = try await elb.targetGroup("web") { $0.healthCheckPath = "/health" }
      try await elb.register(group, servers, zones: ["us-east-1a", "us-east-1b"])
      _ = try await elb.listener(balancer, .forward(group))
      let name = try await elb.dnsName(balancer)
      try await elb.until("both healthy") { Set(try await elb.health(group).values) == ["healthy"] }
      #expect(try await reached(name) == ["a", "b"])
      #expect(Set(try await overrides(elb, group).values) == ["no_override"])
      // A shift has reached the Gate when its operation answers.
      _ = try await start(elb, balancer, "use1-az1", "5m")
      #expect(try await reached(name) == ["b"])
      #expect(
        try await overrides(elb, group) == ["us-east-1a": "zonal_shift_active", "us-east-1b": "no_override"])
      #expect(Set(try await elb.health(group).values) == ["healthy"])
      clock.advance(seconds: 301)
      try await elb.until("the shift has ended", seconds: 30) {
        Set(try await overrides(elb, group).values) == ["no_override"]
      }
      #expect(try await reached(name) == ["a", "b"])
    }
  }

  @Test(
    "a network load balancer keeps flows in their zone, and a shift closes a zone's node", arguments: [false, true])
  func network(crossZone: Bool) async throws {
    try await ELBv2Fixture.withGate { elb in
      let servers = [try ELBServer("a"), try ELBServer("b"), try ELBServer("c")]
      let made = try await elb.run(ELBv2.createLoadBalancer) {
        $0.name = "flows"
        $0.type = "network"
        $0.subnets = elb.subnets
      }
      let balancer = try #require(made.loadBalancers?.first?.loadBalancerArn)
      let group = try await elb.targetGroup("tcp") {
        $0.protocol = "TCP"
        $0.healthCheckTimeoutSeconds = nil
        $0.healthyThresholdCount = 2
      }
      // The third is in a zone that the load balancer has no node in.
      try await elb.register(group, servers, zones: ["us-east-1a", "us-east-1b", "us-east-1c"])
      _ = try await elb.run(ELBv2.createListener) {
        $0.loadBalancerArn = balancer
        $0.port = 80
        $0.protocol = "TCP"
        $0.defaultActions = [.forward(group)]
      }
      let name = try await elb.dnsName(balancer)
      try await elb.until("healthy", seconds: 40) {
        try await elb.health(group).values.sorted() == ["healthy", "healthy", "unused Target.NotInUse"]
      }
      var attributes = Self.on
      if crossZone {
        attributes["load_balancing.cross_zone.enabled"] = "true"
        // Connections to unhealthy targets would be terminated, which does not go together with a shift.
        await #expect(throws: AWSError.self) { try await set(elb, balancer, attributes) }
        _ = try await elb.run(ELBv2.modifyTargetGroupAttributes) {
          $0.targetGroupArn = group
          $0.attributes = [("connection_termination.enabled", "false"), ("draining_interval_seconds", "60")].map {
            key, value in
            .make {
              $0.key = "target_health_state.unhealthy.\(key)"
              $0.value = value
            }
          }
        }
      }
      try await set(elb, balancer, attributes)
      if crossZone {
        let refused = try await elb.failure(ELBv2.modifyTargetGroupAttributes) {
          $0.targetGroupArn = group
          $0.attributes = [
            .make {
              $0.key = "load_balancing.cross_zone.enabled"
              $0.value = "false"
            }
          ]
        }
        #expect(refused.hasPrefix("InvalidConfigurationRequest"), "\(refused)")
      }
      #expect(try await reached(name, 24) == ["a", "b"])
      let shift = try await start(elb, balancer, "use1-az2")
      #expect(try await reached(name) == ["a"])
      #expect(
        try await overrides(elb, group)["us-east-1b"]
          == (crossZone ? "zonal_shift_active" : "zonal_shift_delegated_to_dns"))
      _ = try await elb.run(ARCZonalShift.cancelZonalShift) { $0.zonalShiftId = shift.zonalShiftId ?? "" }
      #expect(try await reached(name, 24) == ["a", "b"])
      #expect(Set(try await overrides(elb, group).values) == ["no_override"])
    }
  }
}
