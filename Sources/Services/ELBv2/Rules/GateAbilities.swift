// What AWS knows and the Gate does not do yet: answered with 501 by name, in one place.

import AWSCore

enum GateAbilities {
  /// How targets of a protocol version are probed.
  /// - Throws: 501.
  static func check(_ healthCheck: HealthCheckRecord, version: String) throws {
    guard healthCheck.wireProtocol != "HTTPS" || ["HTTP1", ""].contains(version) else {
      throw AWSError.notImplemented("health checks over HTTPS of target groups of protocol version \(version)")
    }
  }
}
