// What CloudWatch and S3 are told of load balancers.

import AWSCore
import AWSWire
import CloudWatchModel
import Compression
import ELBv2Model
import Foundation
import GateProtocol
import MetricsKit
import S3Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 metrics", .timeLimit(.minutes(1)))
struct ELBv2MetricsTests {
  private static let balancer =
    "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/0123456789abcdef"
  private static let group = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef"

  private func statistics(_ time: Double, started: Double = 1, requests: UInt64, slow: Int) -> GateStatistics {
    var balancer = GateStatistics.LoadBalancer(id: Self.balancer)
    balancer.requests = requests + 7
    balancer.routedRequests = requests
    balancer.activeConnections = 3
    balancer.targetConnections = 2
    balancer.newConnections = requests
    balancer.newTargetConnections = 1
    balancer.ruleEvaluations = requests
    balancer.target.code2xx = requests
    var group = GateStatistics.TargetGroup(id: Self.group)
    group.loadBalancer = Self.balancer
    group.requests = requests
    group.routedRequests = requests
    group.grpcRequests = 2
    group.failOpenRequests = 1
    group.connectionErrors = 1
    group.target.code2xx = requests
    for _ in 0..<requests { group.latency.record(microseconds: 1000) }
    for _ in 0..<slow { group.latency.record(microseconds: 1_000_000) }
    var statistics = GateStatistics(time: time, workerStartedAt: started, loadBalancers: [balancer])
    group.zone = "us-east-1a"
    balancer.zone = "us-east-1a"
    statistics.nodes = [balancer]
    statistics.groupNodes = [group]
    var target = GateStatistics.Target(targetGroup: Self.group, address: "127.0.0.1", port: 1)
    target.zone = "us-east-1a"
    target.isAnomalous = true
    statistics.targets = [target]
    return statistics
  }

  private func point(_ points: [MetricPoint], _ name: String, _ keys: Set<String>) -> MetricPoint? {
    points.first { $0.name == name && Set($0.dimensions.keys) == keys }
  }

  /// The sum.
  private func value(_ points: [MetricPoint], _ name: String, _ keys: Set<String>) -> Double? {
    point(points, name, keys).map { $0.value ?? zip($0.values, $0.counts).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  @Test("a minute has the differences of the counters, also over a restart of the worker")
  func differences() {
    var minute = MetricMinute()
    let first = statistics(60, requests: 100, slow: 0)
    minute.add(first, after: nil)
    let second = statistics(61, requests: 130, slow: 1)
    minute.add(second, after: first)
    minute.add(statistics(62, started: 2, requests: 5, slow: 0), after: second)
    var layout = MetricLayout(
      users: [Self.group: [Self.balancer]], hosts: [Self.group: [nil: HostCount(healthy: 2, unhealthy: 1)]])
    layout.crossesZones = [Self.balancer: [Self.group]]
    let points = minute.points(Self.balancer, .application, layout)
    let zone = "AvailabilityZone"
    #expect(value(points, "RequestCount", ["LoadBalancer"]) == 35)
    #expect(point(points, "RequestCount", ["LoadBalancer"])?.counts == [35], "a sample for each request")
    #expect(value(points, "HTTPCode_Target_2XX_Count", ["LoadBalancer"]) == 35)
    #expect(value(points, "HTTPCode_ELB_5XX_Count", ["LoadBalancer"]) == nil)
    for keys: Set<String> in [["LoadBalancer", "TargetGroup"], ["LoadBalancer", "TargetGroup", zone]] {
      #expect(value(points, "RequestCount", keys) == 35)
      #expect(value(points, "GrpcRequestCount", keys) == 2)
      #expect(value(points, "UnhealthyRoutingRequestCount", keys) == 1)
      #expect(value(points, "HTTPCode_Target_2XX_Count", keys) == 35)
      #expect(value(points, "AnomalousHostCount", keys) == 1)
      #expect(value(points, "MitigatedHostCount", keys) == 0)
      #expect(value(points, "RequestCountPerTarget", keys) == 17.5)
    }
    for keys: Set<String> in [["LoadBalancer"], ["LoadBalancer", zone]] {
      #expect(value(points, "GrpcRequestCount", keys) == 2)
      #expect(value(points, "TargetConnectionErrorCount", keys) == 1)
      #expect(value(points, "ActiveConnectionCount", keys) == 5, "clients' and targets'")
      #expect(value(points, "NewConnectionCount", keys) == 36)
      #expect(value(points, "ForwardedInvalidHeaderRequestCount", keys) == 0, "always told")
      let latency = point(points, "TargetResponseTime", keys)
      #expect(latency?.counts == [35, 1])
      #expect((latency?.values.last ?? 0) > 0.9 && (latency?.values.last ?? 9) < 1.1)
    }
    #expect(value(points, "UnhealthyRoutingRequestCount", ["LoadBalancer"]) == nil)
    #expect(value(points, "RuleEvaluations", ["LoadBalancer"]) == 35)
    #expect(value(points, "RuleEvaluations", ["LoadBalancer", zone]) == nil)
    #expect(value(points, "PeakLCUs", ["LoadBalancer"]) == 30.0 / 25)
    #expect(value(points, "ConsumedLCUs", ["LoadBalancer"]) == 30.0 / 25 / 60)
    #expect(value(points, "RequestCountPerTarget", ["TargetGroup"]) == 17.5)
    #expect(value(points, "HealthyHostCount", ["LoadBalancer", "TargetGroup"]) == 2)
    #expect(value(points, "UnHealthyHostCount", ["LoadBalancer", "TargetGroup"]) == 1)
    #expect(points.first?.dimensions["LoadBalancer"] == "app/shop/0123456789abcdef")
  }

  private func flows(_ time: Double, flows: UInt64, zone: String? = nil) -> GateStatistics.NetworkLoadBalancer {
    var balancer = GateStatistics.NetworkLoadBalancer(id: Self.network)
    balancer.zone = zone
    balancer.newFlows = flows
    balancer.newFlowsTLS = flows / 10
    balancer.newFlowsUDP = flows / 5
    balancer.activeFlows = 6
    balancer.activeFlowsTLS = 1
    balancer.activeFlowsUDP = 2
    balancer.bytesIn = flows * 1000
    balancer.bytesUDP = flows * 100
    balancer.rejectedFlows = flows / 10
    balancer.rejectedFlowsUDP = flows / 20
    balancer.targetResets = 3
    balancer.packets = flows * 4
    return balancer
  }

  private static let network =
    "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/flows/0123456789abcdef"

  @Test("flows are told by protocol and zone, with the most of ten seconds and the units of each protocol")
  func network() {
    var minute = MetricMinute()
    var before: GateStatistics?
    for (time, count) in [(60.0, 0), (61, 400), (71, 500), (72, 1000)] as [(Double, UInt64)] {
      var statistics = GateStatistics(time: time, workerStartedAt: 1)
      statistics.networkLoadBalancers = [flows(time, flows: count)]
      statistics.networkNodes = [flows(time, flows: count, zone: "us-east-1b")]
      if count == 0 { statistics.networkLoadBalancers[0].targetResets = 0 }
      minute.add(statistics, after: before)
      before = statistics
    }
    var layout = MetricLayout(
      users: [Self.group: [Self.network]], hosts: [Self.group: [nil: HostCount(healthy: 1)]])
    layout.zones = [
      Self.network: [Self.group: ["us-east-1a": ZoneHealth(), "us-east-1b": ZoneHealth(isEnoughForDNS: true)]]
    ]
    let points = minute.points(Self.network, .network, layout)
    for keys: Set<String> in [["LoadBalancer"], ["LoadBalancer", "AvailabilityZone"]] {
      #expect(value(points, "NewFlowCount", keys) == 1000)
      #expect(value(points, "NewFlowCount_TCP", keys) == 700)
      #expect(value(points, "NewFlowCount_TLS", keys) == 100)
      #expect(value(points, "NewFlowCount_UDP", keys) == 200)
      #expect(value(points, "ActiveFlowCount", keys) == 6)
      #expect(value(points, "ActiveFlowCount_TCP", keys) == 3)
      #expect(value(points, "ProcessedBytes", keys) == 1_000_000)
      #expect(value(points, "ProcessedBytes_TCP", keys) == 900_000)
      #expect(value(points, "ProcessedPackets", keys) == 4000)
      #expect(value(points, "RejectedFlowCount_TCP", keys) == 50)
      #expect(value(points, "TCP_ELB_Reset_Count", keys) == 0, "always told")
      #expect(value(points, "PeakBytesPerSecond", keys) == 60_000)
    }
    #expect(value(points, "TCP_Target_Reset_Count", ["LoadBalancer"]) == 3)
    let units = ["TCP", "TLS", "UDP"].compactMap { value(points, "ConsumedLCUs_\($0)", ["LoadBalancer"]) }
    #expect(abs(units.reduce(0, +) - (value(points, "ConsumedLCUs", ["LoadBalancer"]) ?? 0)) < 1e-9)
    #expect(units.count == 3)
    let zones = points.filter { $0.name == "ZonalHealthStatus" && $0.dimensions.count == 2 }
    #expect(zones.map(\.value) == [0, 1])
    #expect(value(points, "HealthyHostCount", ["LoadBalancer", "TargetGroup"]) == 1)
    #expect(points.allSatisfy { $0.name != "HealthyStateDNS" })
  }

  @Test("a zone has targets enough as the group's attributes say")
  func zones() {
    var group = TargetGroupRecord(
      arn: Self.group, name: "web", targetType: "ip", protocolName: "HTTP", protocolVersion: "HTTP1", port: 80,
      vpc: "vpc-1", healthCheck: HealthCheckRecord())
    group.targets = (0..<4).map { .init(id: "10.0.0.\($0)", port: 80, zone: $0 < 3 ? "a" : "b") }
    group.attributes = [
      "target_group_health.dns_failover.minimum_healthy_targets.percentage": "60",
      "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "3",
    ]
    var balancer = LoadBalancerRecord(
      arn: Self.balancer, name: "shop", scheme: "internal", vpc: "vpc-1",
      zones: [.init(zone: "a", subnet: "s"), .init(zone: "b", subnet: "t")], securityGroups: [], ipAddressType: "ipv4",
      created: Timestamp(milliseconds: 0), address: "127.0.1.1")
    // Two of the three in zone a are healthy, none in b.
    func known() -> GroupHealth {
      GroupHealth(group: group) { target in target.zone == "a" && target.id != "10.0.0.0" ? .healthy : .unhealthy }
    }
    #expect(known().zones(of: balancer) == ["a": ZoneHealth(), "b": ZoneHealth()], "half of all is not enough")
    group.attributes["load_balancing.cross_zone.enabled"] = "false"
    #expect(known().zones(of: balancer) == ["a": ZoneHealth(isEnoughForDNS: true), "b": ZoneHealth()])
    #expect(
      known().hosts() == [
        nil: .init(healthy: 2, unhealthy: 2), "a": .init(healthy: 2, unhealthy: 1), "b": .init(unhealthy: 1),
      ])
    balancer.zones.removeLast()
    #expect(known().zones(of: balancer).count == 1)
  }

  @Test("gzip files are read by gzip, and are smaller than what they hold")
  func gzip() async throws {
    var texts: [[UInt8]] = [[], [65], Array("abcabcabcabc".utf8)]
    var lines = ""
    for number in 0..<2000 {
      lines += "https 2026-11-23T07:00:00.\(number)Z app/shop/1 127.0.0.1:\(number) 200 - \"GET /\"\n"
    }
    texts.append(Array(lines.utf8))
    texts.append((0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) })
    for text in texts {
      let packed = try Gzip.compressed(text)
      let folder = NSTemporaryDirectory() + "gzip-\(SystemIdentifiers().hex(8))"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try Data(packed).write(to: URL(fileURLWithPath: "\(folder)/a.gz"))
      #expect(try await ELBProgram.run(["gzip", "-d", "\(folder)/a.gz"]).status == 0)
      #expect(FileManager.default.contents(atPath: "\(folder)/a").map(Array.init) == text)
    }
    let size = try Gzip.compressed(Array(lines.utf8)).count
    #expect(size < lines.utf8.count / 4)
  }

  @Test("logs are turned on only with the bucket's leave, and segments land under AWS's keys")
  func logs() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      _ = try await elb.run(S3.createBucket) { $0.bucket = "logs" }
      func turnOn() async throws -> String {
        try await elb.failure(ELBv2.modifyLoadBalancerAttributes) {
          $0.loadBalancerArn = balancer
          $0.attributes = [("enabled", "true"), ("bucket", "logs"), ("prefix", "web")].map { key, value in
            .make {
              $0.key = "access_logs.s3.\(key)"
              $0.value = value
            }
          }
        }
      }
      #expect(
        try await turnOn()
          == "InvalidConfigurationRequest: Access Denied for bucket: logs. Please check S3bucket permission")
      _ = try await elb.run(S3.putBucketPolicy) {
        $0.bucket = "logs"
        $0.policy = """
          {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject",
          "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
          "Resource": "arn:aws:s3:::logs/web/AWSLogs/000000000000/*"}]}
          """
      }
      #expect(try await turnOn() == "")
      let shipper = LogShipper(elb.service, directory: "\(elb.harness.directory)/segments")
      let folder = "\(elb.harness.directory)/segments/\(LogKind.access.folder(balancer))"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data("a line\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/1795420800-1-1.log"))
      try Data("half\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/1795421100-1-2.part"))
      let orphan = "\(elb.harness.directory)/segments/app.gone.0123456789abcdef"
      try FileManager.default.createDirectory(atPath: "\(orphan)/access_logs", withIntermediateDirectories: true)
      try await shipper.ship()
      #expect(!FileManager.default.fileExists(atPath: orphan))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["1795421100-1-2.part"])
      let keys = try await elb.run(S3.listObjectsV2) { $0.bucket = "logs" }.contents?.compactMap(\.key) ?? []
      #expect(keys.contains("web/AWSLogs/000000000000/ELBAccessLogTestFile"))
      let name = balancer.split(separator: "/").suffix(3).joined(separator: ".")
      let prefix = "web/AWSLogs/000000000000/elasticloadbalancing/us-east-1/2026/11/23/"
      let file = prefix + "000000000000_elasticloadbalancing_us-east-1_\(name)_20261123T0800Z_127."
      #expect(keys.contains { $0.hasPrefix(file) && $0.hasSuffix(".log.gz") }, "\(keys)")
    }
  }
}
