// ELBv2's errors, in its own words.

import AWSCore

enum ELBv2Error {
  static func validation(_ message: String) -> AWSError { AWSError("ValidationError", message) }
  static func invalidConfiguration(_ message: String) -> AWSError { AWSError("InvalidConfigurationRequest", message) }
  static func invalidAction(_ message: String) -> AWSError { AWSError("InvalidLoadBalancerAction", message) }
  static func notPermitted(_ message: String) -> AWSError { AWSError("OperationNotPermitted", message) }

  static func loadBalancerNotFound(_ arn: String) -> AWSError {
    AWSError("LoadBalancerNotFound", "Load balancer '\(arn)' not found")
  }
  static func loadBalancersNotFound(names: [String]) -> AWSError {
    AWSError("LoadBalancerNotFound", "Load balancers '[\(names.joined(separator: ", "))]' not found")
  }
  static func targetGroupNotFound(_ arn: String) -> AWSError {
    AWSError("TargetGroupNotFound", "Target groups '\(arn)' not found")
  }
  static func listenerNotFound(_ arn: String) -> AWSError {
    AWSError("ListenerNotFound", "Listener '\(arn)' not found")
  }
  static func trustStoreNotFound(_ arn: String) -> AWSError {
    AWSError("TrustStoreNotFound", "Trust store '\(arn)' not found")
  }
  static func certificateNotFound(_ arn: String) -> AWSError {
    AWSError("CertificateNotFound", "Certificate '\(arn)' not found")
  }
  static func policyNotFound(_ name: String) -> AWSError {
    AWSError("SSLPolicyNotFound", "SSL policy '\(name)' not found")
  }
  static func unsupportedProtocol(_ name: String, _ kind: LoadBalancerKind) -> AWSError {
    AWSError("UnsupportedProtocol", "Protocol '\(name)' is not supported on \(kind.plural)")
  }
  static func incompatible(_ listener: String, _ group: String) -> AWSError {
    AWSError(
      "IncompatibleProtocols",
      "Listener protocol '\(listener)' is not supported with a target group with the protocol '\(group)'")
  }
  static func ruleNotFound(_ arn: String) -> AWSError { AWSError("RuleNotFound", "Rule '\(arn)' not found") }
  static func invalidARN(_ arn: String, _ noun: String) -> AWSError {
    validation("'\(arn)' is not a valid \(noun) ARN")
  }
  static func duplicate(_ code: String, _ noun: String, _ name: String) -> AWSError {
    AWSError(code, "A \(noun) with the same name '\(name)' exists, but with different settings")
  }
  static func priorityInUse(_ priority: Int) -> AWSError {
    AWSError("PriorityInUse", "Priority '\(priority)' is currently in use")
  }
}
