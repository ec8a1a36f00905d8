// The security policies of TLS, as DescribeSSLPolicies tells them.

import GateProtocol

enum SecurityPolicies {
  /// The policy of listeners that name none.
  static let standard = TLSSecurityPolicy.defaultName

  static func contains(_ name: String) -> Bool { TLSSecurityPolicy.named(name) != nil }
}
