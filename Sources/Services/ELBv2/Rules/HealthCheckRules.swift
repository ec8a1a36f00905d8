// The health check of a target group: what may be set, and what it then is.

import AWSCore

/// The health check members of CreateTargetGroup and ModifyTargetGroup.
struct HealthCheckInput: Sendable {
  var enabled: Bool?
  var protocolName: String?
  var path: String?
  var port: String?
  var interval: Int?
  var timeout: Int?
  var healthyThreshold: Int?
  var unhealthyThreshold: Int?
  var matcher: String?
  var grpcMatcher: String?

  /// The health check that a new target group has when nothing is said.
  static func standard(protocolName: String, version: String, targetType: String) -> HealthCheckRecord {
    var check = HealthCheckRecord()
    if ["HTTP", "HTTPS"].contains(protocolName) {
      check.protocolName = "HTTP"
      if version == "GRPC" {
        check.path = "/AWS.ALB/healthcheck"
        check.grpcMatcher = "12"
      }
    } else {
      check.protocolName = targetType == "alb" ? "HTTP" : "TCP"
      check.timeout = targetType == "alb" ? 6 : 10
      check.matcher = "200-399"
    }
    return check
  }

  /// The health check after these members are set on it.
  /// - Throws: `ValidationError`.
  func applied(
    to old: HealthCheckRecord, targetType: String, protocolName groupProtocol: String, version: String
  ) throws -> HealthCheckRecord {
    if enabled == false {
      throw ELBv2Error.validation(
        "Health check enabled must be true for target groups with target type '\(targetType)'")
    }
    let isApplication = ["HTTP", "HTTPS"].contains(groupProtocol)
    var new = old
    if let protocolName, !protocolName.isEmpty {
      let known = isApplication || targetType == "alb" ? ["HTTP", "HTTPS"] : ["HTTP", "HTTPS", "TCP"]
      guard known.contains(protocolName) else {
        throw ELBv2Error.validation(
          "Health check protocol '\(protocolName)' must be one of '[\(known.joined(separator: ", "))]'")
      }
      if protocolName != "TCP", old.wireProtocol == "TCP", timeout == nil { new.timeout = 6 }
      new.protocolName = protocolName
    }
    try applyPath(to: &new)
    new.interval = try checked(interval, old.interval, 5...300, "Health check interval")
    new.timeout = try checked(timeout, new.timeout, 2...120, "Health check timeout")
    new.healthyThreshold = try checked(healthyThreshold, old.healthyThreshold, 2...10, "Healthy threshold count")
    new.unhealthyThreshold = try checked(
      unhealthyThreshold, old.unhealthyThreshold, 2...10, "Unhealthy threshold count")
    // A timeout that nobody named gives way to a short interval.
    if timeout == nil, new.timeout >= new.interval { new.timeout = new.interval - 1 }
    guard new.timeout < new.interval || (!isApplication && new.timeout == new.interval) else {
      throw ELBv2Error.validation(
        "Health check timeout '\(new.timeout)' must be smaller than the interval '\(new.interval)'")
    }
    try applyMatcher(to: &new, limit: isApplication ? 499 : 599, isGRPC: version == "GRPC")
    return new
  }

  /// What is empty is not said, as the query protocol has it.
  private func applyPath(to new: inout HealthCheckRecord) throws {
    if let path, !path.isEmpty {
      guard new.wireProtocol != "TCP" else {
        throw ELBv2Error.validation("A health check path cannot be specified for health checks over TCP")
      }
      guard path.hasPrefix("/"), path.utf8.count <= 1024 else {
        throw ELBv2Error.validation(
          "Health check path '\(path)' must begin with '/' and have at most '1024' characters")
      }
      new.path = path
    }
    if let port, !port.isEmpty {
      guard port == "traffic-port" || (1...65_535).contains(Int(port) ?? 0) else {
        throw ELBv2Error.validation("Health check port '\(port)' must be in the range 1-65535 or 'traffic-port'")
      }
      new.port = port
    }
  }

  private func applyMatcher(to new: inout HealthCheckRecord, limit: Int, isGRPC: Bool) throws {
    if let grpcMatcher, !grpcMatcher.isEmpty {
      guard isGRPC else { throw ELBv2Error.validation("A gRPC code matcher needs the protocol version GRPC") }
      guard Self.isMatcher(grpcMatcher, within: 0...99) else {
        throw ELBv2Error.validation("Health check matcher gRPC code '\(grpcMatcher)' must be within '0-99' inclusive")
      }
      new.grpcMatcher = grpcMatcher
    }
    if let matcher, !matcher.isEmpty {
      guard !isGRPC, new.wireProtocol != "TCP" else {
        throw ELBv2Error.validation("An HTTP code matcher cannot be specified for this target group")
      }
      guard Self.isMatcher(matcher, within: 200...limit) else {
        throw ELBv2Error.validation(
          "Health check matcher HTTP code '\(matcher)' must be within '200-\(limit)' inclusive")
      }
      new.matcher = matcher
    }
  }

  private func checked(_ value: Int?, _ old: Int, _ range: ClosedRange<Int>, _ noun: String) throws -> Int {
    guard let value else { return old }
    guard range.contains(value) else {
      throw ELBv2Error.validation("\(noun) '\(value)' must be between '\(range.lowerBound)' and '\(range.upperBound)'")
    }
    return value
  }

  /// `200`, `200,202`, `200-299`, each code within the range.
  static func isMatcher(_ text: String, within range: ClosedRange<Int>) -> Bool {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    return !parts.isEmpty
      && parts.allSatisfy { part in
        let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return false }
        return first <= last && range.contains(first) && range.contains(last)
      }
  }
}
