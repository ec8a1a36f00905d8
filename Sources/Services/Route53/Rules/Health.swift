// When a health check is healthy.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html

/// The health of one endpoint or alarm. A new one is healthy until there is enough to say otherwise.
struct Health: Codable, Sendable, Hashable {
  var isHealthy = true
  /// How many looks in a row spoke against `isHealthy`.
  var against = 0

  /// Notes a look. The health turns after so many in a row that speak against it.
  mutating func note(_ success: Bool, threshold: Int) {
    guard success != isHealthy else {
      against = 0
      return
    }
    against += 1
    if against >= threshold {
      isHealthy = success
      against = 0
    }
  }
}

/// All health checks of an account with what was seen of them.
struct HealthBook: Sendable {
  var checks: [String: HealthCheckRecord]
  var seen: [String: HealthRecord]

  /// The status of a health check as record sets and other checks take it: disabled ones are healthy, inverted ones the
  /// opposite of what they would be.
  func isHealthy(_ id: String) -> Bool { isHealthy(id, within: []) }

  private func isHealthy(_ id: String, within above: Set<String>) -> Bool {
    // One that is gone, or that would have to know itself first, says nothing against.
    guard let check = checks[id], !above.contains(id) else { return true }
    let settings = check.settings
    let found: Bool =
      if settings.isDisabled {
        true
      } else if settings.type == .calculated {
        healthyChildren(check, within: above) >= settings.healthThreshold ?? 0
      } else {
        seen[id]?.health.isHealthy ?? true
      }
    return settings.isInverted ? !found : found
  }

  /// How many of a calculated check's children are healthy.
  func healthyChildren(_ check: HealthCheckRecord) -> Int { healthyChildren(check, within: []) }

  private func healthyChildren(_ check: HealthCheckRecord, within above: Set<String>) -> Int {
    (check.settings.children ?? []).filter { isHealthy($0, within: above.union([check.id])) }.count
  }

  /// Whether a check with these children would, through them, look at itself.
  func hasCircle(_ id: String, _ children: [String]) -> Bool {
    var waiting = children
    var known: Set<String> = []
    while let next = waiting.popLast() {
      if next == id { return true }
      if known.insert(next).inserted { waiting += checks[next]?.settings.children ?? [] }
    }
    return false
  }
}
