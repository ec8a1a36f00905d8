// What AWS knows and the Gate does not do yet: answered with 501 by name, in one place.

import AWSCore

enum GateAbilities {
  /// - Throws: 501.
  static func check(_ list: ActionList) throws {
    for check in list.checks {
      switch check {
      case .oidc: throw AWSError.notImplemented("listener actions of type authenticate-oidc")
      case .jwt: throw AWSError.notImplemented("listener actions of type jwt-validation")
      }
    }
    if case .forward(let forward) = list.action, forward.isSticky == true {
      throw AWSError.notImplemented("target group stickiness of forward actions")
    }
  }

  /// - Throws: 501.
  static func check(_ conditions: [ConditionRecord]) throws {
    if conditions.contains(where: { $0.regexValues != nil }) {
      throw AWSError.notImplemented("regular expressions in rule conditions")
    }
  }

  /// - Throws: 501.
  static func check(_ transforms: [TransformRecord]) throws {
    if !transforms.isEmpty { throw AWSError.notImplemented("transforms of rules") }
  }

  /// How targets of a protocol version are probed.
  /// - Throws: 501.
  static func check(_ healthCheck: HealthCheckRecord, version: String) throws {
    guard healthCheck.wireProtocol != "HTTPS" || ["HTTP1", ""].contains(version) else {
      throw AWSError.notImplemented("health checks over HTTPS of target groups of protocol version \(version)")
    }
  }
}
