// What CloudWatch and S3 are told of load balancers.

import AWSCore
import AWSWire
import CloudWatchModel
import Compression
import ELBv2Model
import Foundation
import GateProtocol
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
    balancer.requests = requests
    balancer.activeConnections = 3
    balancer.target.code2xx = requests
    var group = GateStatistics.TargetGroup(id: Self.group)
    group.requests = requests
    group.target.code2xx = requests
    for _ in 0..<requests { group.latency.record(microseconds: 1000) }
    for _ in 0..<slow { group.latency.record(microseconds: 1_000_000) }
    return GateStatistics(time: time, workerStartedAt: started, loadBalancers: [balancer], targetGroups: [group])
  }

  private func value(_ points: [MetricPoint], _ name: String, _ keys: Set<String>) -> Double? {
    points.first { $0.name == name && Set($0.dimensions.keys) == keys }?.value
  }

  @Test("a minute has the differences of the counters, also over a restart of the worker")
  func differences() {
    var minute = MetricMinute()
    let first = statistics(60, requests: 100, slow: 0)
    minute.add(first, after: nil)
    let second = statistics(61, requests: 130, slow: 1)
    minute.add(second, after: first)
    minute.add(statistics(62, started: 2, requests: 5, slow: 0), after: second)
    let layout = MetricLayout(
      users: [Self.group: [Self.balancer]], hosts: [Self.group: [nil: HostCount(healthy: 2, unhealthy: 1)]])
    let points = minute.points(Self.balancer, .application, layout)
    #expect(value(points, "RequestCount", ["LoadBalancer"]) == 35)
    #expect(value(points, "HTTPCode_Target_2XX_Count", ["LoadBalancer"]) == 35)
    #expect(value(points, "RequestCount", ["LoadBalancer", "TargetGroup"]) == 35)
    #expect(value(points, "RequestCountPerTarget", ["TargetGroup"]) == 17.5)
    #expect(value(points, "HealthyHostCount", ["LoadBalancer", "TargetGroup"]) == 2)
    #expect(value(points, "UnHealthyHostCount", ["LoadBalancer", "TargetGroup"]) == 1)
    #expect(value(points, "ActiveConnectionCount", ["LoadBalancer"]) == 3)
    #expect(value(points, "HTTPCode_ELB_5XX_Count", ["LoadBalancer"]) == nil)
    let latency = points.first { $0.name == "TargetResponseTime" && $0.dimensions.count == 1 }
    #expect(latency?.counts == [35, 1])
    #expect((latency?.values.last ?? 0) > 0.9 && (latency?.values.last ?? 9) < 1.1)
    #expect(points.first?.dimensions["LoadBalancer"] == "app/shop/0123456789abcdef")
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
