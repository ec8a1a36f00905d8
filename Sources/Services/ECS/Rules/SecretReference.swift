// What `valueFrom` of a container's secret names.

import AWSCore

/// A secret, or a part of one.
struct SecretReference: Sendable, Hashable {
  /// The secret's ARN (with or without the six random characters).
  var secret: String
  /// A key of the secret's JSON.
  var jsonKey: String?
  var stage: String?
  var version: String?

  /// Reads `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key:version-stage:version-id]`.
  /// - Throws: `Problem` for what is not such an ARN.
  init(_ text: String) throws(Problem) {
    guard let arn = ARN(text) else {
      // A bare name is a parameter of the Parameter Store in the same region.
      throw .parameterStore(text)
    }
    if arn.service == "ssm" { throw .parameterStore(text) }
    guard arn.service == "secretsmanager", arn.resource.hasPrefix("secret:") else { throw .unknown(text) }
    let parts = arn.resource.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 || parts.count == 5 else { throw .unknown(text) }
    secret = "arn:\(arn.partition):secretsmanager:\(arn.region):\(arn.account):secret:\(parts[1])"
    if parts.count == 5 {
      jsonKey = parts[2].isEmpty ? nil : parts[2]
      stage = parts[3].isEmpty ? nil : parts[3]
      version = parts[4].isEmpty ? nil : parts[4]
    }
  }

  enum Problem: Error, Hashable, CustomStringConvertible {
    case parameterStore(String)
    case unknown(String)
    var description: String {
      switch self {
      case .parameterStore(let name): "Castle does not implement SSM parameters yet: \(name)"
      case .unknown(let text): "invalid secret reference: \(text)"
      }
    }
  }
}
