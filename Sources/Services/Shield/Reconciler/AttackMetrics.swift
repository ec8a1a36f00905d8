// AWS/DDoSProtection: what CloudWatch is told of attacks on protected resources. Once a minute while one goes on, once
// when it is over, and once a day in peace, so that alarms have something to look at.
// https://docs.aws.amazon.com/waf/latest/developerguide/shield-metrics.html

import AWSCore
import MetricsKit
import ServiceKit
import Store

actor AttackMetrics {
  static let namespace = "AWS/DDoSProtection"
  private static let interval = 60.0
  private static let day = 86_400.0

  /// What was told of an attack last.
  private struct Told {
    var resource: String
    var at: Timestamp
    var vectors: [AttackRecord.Vector]
    var bytes: Int
  }

  private let environment: ServiceEnvironment
  private var told: [String: Told] = [:]

  init(_ environment: ServiceEnvironment) { self.environment = environment }

  /// Tells of an attack when it is time. Only protected resources have metrics, as on AWS.
  func tell(_ record: AttackRecord, _ scope: Scope) async throws {
    let last = told[record.id]
    if record.ended == nil, let last, record.updated.seconds - last.at.seconds < Self.interval { return }
    let resource = record.resource
    let isProtected = try await environment.store.read { snapshot in
      try !snapshot.find(ProtectionRecord.self, scope, index: "resource", resource).isEmpty
    }
    guard isProtected else { return }
    if record.ended != nil {
      told[record.id] = nil
      return await put(Self.end(record), resource, record.updated)
    }
    told[record.id] = Told(
      resource: resource, at: record.updated, vectors: record.vectors, bytes: record.bytes ?? 0)
    await put(Self.volumes(record, since: last.map { ($0.at, $0.vectors, $0.bytes) }), resource, record.updated)
  }

  /// Tells each day that nothing happens to resources that are not attacked; until the task is cancelled.
  func run() async throws {
    while true {
      try await tellPeace()
      try await environment.clock.sleep(until: environment.clock.now.adding(seconds: Self.day))
    }
  }

  func tellPeace() async throws {
    let protections = try await environment.store.read { try $0.list(ProtectionRecord.self).map(\.1) }
    let attacked = Set(told.values.map(\.resource))
    for protection in protections where !attacked.contains(protection.resource) {
      await put([Self.detected(protection.resource, false)], protection.resource, environment.clock.now)
    }
  }

  // MARK: - Data

  private static func detected(_ resource: String, _ isAttacked: Bool) -> MetricPoint {
    MetricPoint(
      name: "DDoSDetected", dimensions: ["ResourceArn": resource], unit: "Count", value: isAttacked ? 1 : 0)
  }

  /// Rates since the last telling; of the first the averages so far.
  static func volumes(
    _ record: AttackRecord, since last: (at: Timestamp, vectors: [AttackRecord.Vector], bytes: Int)?
  ) -> [MetricPoint] {
    var points = [detected(record.resource, true)]
    let seconds = max(1, record.updated.seconds - (last?.at ?? record.started).seconds)
    for vector in record.vectors {
      let old = last?.vectors.first { $0.name == vector.name }
      let samples = vector.samples - (old?.samples ?? 0)
      let rate = samples > 0 ? (vector.sum - (old?.sum ?? 0)) / Double(samples) : 0
      let bits = Double((record.bytes ?? 0) - (last?.bytes ?? 0)) * 8 / seconds
      for (name, value, unit) in measures(vector.name, rate: rate, bits: bits) {
        points.append(MetricPoint(name: name, dimensions: dimensions(record, vector), unit: unit, value: value))
      }
    }
    return points
  }

  /// Nothing more of anything.
  static func end(_ record: AttackRecord) -> [MetricPoint] {
    [detected(record.resource, false)]
      + record.vectors.flatMap { vector in
        measures(vector.name, rate: 0, bits: 0).map { name, value, unit in
          MetricPoint(name: name, dimensions: dimensions(record, vector), unit: unit, value: value)
        }
      }
  }

  private static func measures(_ vector: String, rate: Double, bits: Double) -> [(String, Double, String)] {
    switch vector {
    case "REQUEST_FLOOD": [("DDoSAttackRequestsPerSecond", rate, "Count/Second")]
    case "UDP_TRAFFIC":
      [("DDoSAttackPacketsPerSecond", rate, "Count/Second"), ("DDoSAttackBitsPerSecond", bits, "Bits/Second")]
    // A connection is a handshake's packet at least; what follows it is not counted.
    case "CONNECTION_FLOOD": [("DDoSAttackPacketsPerSecond", rate, "Count/Second")]
    // These have no volume that AWS has a metric for.
    default: []
    }
  }

  private static func dimensions(_ record: AttackRecord, _ vector: AttackRecord.Vector) -> [String: String] {
    ["ResourceArn": record.resource, "AttackVector": dimension(vector.name)]
  }

  /// `UDP_TRAFFIC` is `UDPTraffic` as a dimension.
  static func dimension(_ vector: String) -> String {
    vector.split(separator: "_").map { word in
      word == "UDP" ? "UDP" : word.prefix(1) + word.dropFirst().lowercased()
    }.joined()
  }

  /// To the resource's region; those of global resources are in us-east-1.
  private func put(_ points: [MetricPoint], _ resource: String, _ time: Timestamp) async {
    guard let arn = ARN(resource) else { return }
    let call = environment.call(
      as: AttackRecorder.servicePrincipal, account: arn.account.isEmpty ? nil : arn.account,
      region: arn.region.isEmpty ? "us-east-1" : arn.region)
    await call.put(points, in: Self.namespace, at: time)
  }
}
