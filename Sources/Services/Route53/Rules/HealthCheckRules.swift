// What a health check's settings must be, and what Route 53 fills in.

import AWSCore
import Route53Model

extension HealthCheckRecord.Settings {
  /// The settings with what Route 53 fills in.
  /// - Throws: `InvalidInput`.
  func checked() throws -> Self {
    switch type {
    case .calculated: try checkCalculated()
    case .metric: try checkMetric()
    default: try checkEndpoint()
    }
    var full = self
    guard type.isEndpoint else { return full }
    full.requestInterval = requestInterval ?? 30
    full.failureThreshold = failureThreshold ?? 3
    full.measuresLatency = measuresLatency ?? false
    full.enablesSNI = enablesSNI ?? type.isTLS
    return full
  }

  private static func invalid(_ message: String) -> AWSError {
    Route53Error.invalidInput("Invalid parameter : \(message)")
  }

  private func checkEndpoint() throws {
    guard alarm == nil else {
      throw Self.invalid("Basic health checks must not have an metric region specified.")
    }
    try refuse([
      ("insufficient data health status", insufficientData != nil), ("child health checks", children?.isEmpty == false),
      ("health threshold", healthThreshold != nil),
    ])
    if let ipAddress {
      guard RecordValue.isIPv4(ipAddress) || RecordValue.isIPv6(ipAddress) else {
        throw Self.invalid("\(ipAddress) is not a valid IP address.")
      }
    } else if domainName == nil || domainName == "" {
      throw Self.invalid("Health checks must have an IP address or a fully qualified domain name specified.")
    }
    if let domainName, !domainName.isEmpty, !DomainName.isHost(domainName) {
      throw Self.invalid("\(domainName) is not a valid fully qualified domain name.")
    }
    if let requestInterval, ![10, 30].contains(requestInterval) {
      throw Self.invalid("The request interval must be 10 or 30 seconds.")
    }
    if type == .tcp {
      guard port != nil else { throw Self.invalid("TCP health checks must have a port specified.") }
      if ipAddress != nil, domainName != nil {
        throw Route53Error.invalidInput(
          "TCP health checks that have IP address must not have a fully qualified domain name specified.")
      }
      guard resourcePath == nil || resourcePath == "" else {
        throw Self.invalid("TCP health checks must not have a resource path specified.")
      }
    }
    guard (searchString?.isEmpty == false) == type.searches else {
      throw Self.invalid(
        type.searches
          ? "Health checks of type \(type.rawValue) must have a search string specified."
          : "Health checks of type \(type.rawValue) must not have a search string specified.")
    }
    // What would end the request's line early would make another request of it.
    if resourcePath?.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) == true {
      throw Self.invalid("The resource path contains characters that a path cannot have.")
    }
  }

  private func checkCalculated() throws {
    try refuse(
      ofEndpoints + [("alarm identifier", alarm != nil), ("insufficient data status", insufficientData != nil)])
    guard healthThreshold != nil else {
      throw Self.invalid("Calculated health checks must have a health threshold specified.")
    }
  }

  private func checkMetric() throws {
    try refuse(
      ofEndpoints + [
        ("child health checks", children?.isEmpty == false), ("health threshold", healthThreshold != nil),
      ])
    guard alarm != nil else { throw Self.invalid("Metric health checks must have an alarm identifier specified.") }
  }

  /// The settings that only checks of endpoints have.
  private var ofEndpoints: [(String, Bool)] {
    [
      ("IP address", ipAddress != nil), ("port", port != nil), ("resource path", resourcePath?.isEmpty == false),
      ("fully qualified domain name", domainName?.isEmpty == false), ("search string", searchString?.isEmpty == false),
      ("request interval", requestInterval != nil), ("failure threshold", failureThreshold != nil),
      ("latency measurement", measuresLatency == true), ("regions", regions?.isEmpty == false),
    ]
  }

  private func refuse(_ given: [(name: String, isThere: Bool)]) throws {
    let kind =
      switch type {
      case .calculated: "Calculated"
      case .metric: "Metric"
      default: "Basic"
      }
    for setting in given where setting.isThere {
      throw Self.invalid("\(kind) health checks must not have a \(setting.name) specified.")
    }
  }
}
