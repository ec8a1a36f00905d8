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

  /// The health check after these members are set on it.
  /// - Throws: `ValidationError`, 501 for HTTPS probes.
  func applied(to old: HealthCheckRecord, targetType: String) throws -> HealthCheckRecord {
    if enabled == false {
      throw ELBv2Error.validation(
        "Health check enabled must be true for target groups with target type '\(targetType)'")
    }
    switch protocolName ?? "HTTP" {
    case "HTTP", "": break
    case "HTTPS": throw AWSError.notImplemented("HTTPS health checks (the Gate does not speak TLS to targets)")
    default: throw ELBv2Error.validation("Health check protocol '\(protocolName ?? "")' must be one of '[HTTP, HTTPS]'")
    }
    if let grpcMatcher, !grpcMatcher.isEmpty {
      throw ELBv2Error.validation("A gRPC code matcher needs the protocol version GRPC")
    }
    var new = old
    // What is empty is not said, as the query protocol has it.
    if let path, !path.isEmpty {
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
    new.interval = try checked(interval, old.interval, 5...300, "Health check interval")
    new.timeout = try checked(timeout, old.timeout, 2...120, "Health check timeout")
    new.healthyThreshold = try checked(healthyThreshold, old.healthyThreshold, 2...10, "Healthy threshold count")
    new.unhealthyThreshold = try checked(
      unhealthyThreshold, old.unhealthyThreshold, 2...10, "Unhealthy threshold count")
    guard new.timeout < new.interval else {
      throw ELBv2Error.validation(
        "Health check timeout '\(new.timeout)' must be smaller than the interval '\(new.interval)'")
    }
    if let matcher, !matcher.isEmpty {
      guard Self.isMatcher(matcher) else {
        throw ELBv2Error.validation("Health check matcher HTTP code '\(matcher)' must be within '200-499' inclusive")
      }
      new.matcher = matcher
    }
    return new
  }

  private func checked(_ value: Int?, _ old: Int, _ range: ClosedRange<Int>, _ noun: String) throws -> Int {
    guard let value else { return old }
    guard range.contains(value) else {
      throw ELBv2Error.validation("\(noun) '\(value)' must be between '\(range.lowerBound)' and '\(range.upperBound)'")
    }
    return value
  }

  /// `200`, `200,202`, `200-299`, each code within 200 and 499.
  static func isMatcher(_ text: String) -> Bool {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    return !parts.isEmpty
      && parts.allSatisfy { part in
        let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return false }
        return first <= last && (200...499).contains(first) && (200...499).contains(last)
      }
  }
}
