// Managed policies, instance profiles, identity providers, server certificates and deletion tasks as the store keeps them.

import AWSCore
import Store

/// A customer managed policy.
struct PolicyRecord: Named, Tagged {
  static let collection = "iam.policy"
  static let arnType = "policy"
  var name: String
  var path: String
  var id: String
  var created: Timestamp
  var updated: Timestamp
  var description: String?
  var versions: [Version]
  var defaultVersion: String
  /// The number that the next version gets; numbers are not used twice.
  var nextVersion: Int
  var tags: [String: String] = [:]

  struct Version: Codable, Sendable, Hashable {
    var id: String
    var document: String
    var created: Timestamp
  }

  var defaultDocument: String { versions.first { $0.id == defaultVersion }?.document ?? "" }

  /// By ARN, or by name where a new one is made.
  static func recordID(for reference: String) -> String {
    (reference.split(separator: "/").last.map(String.init) ?? reference).lowercased()
  }
  func isMeant(by reference: String, _ scope: Scope) -> Bool { reference == arn(scope) }
  static func missing(_ reference: String) -> AWSError { .policyNotFound(reference) }
  static func arn(for reference: String, path: String, _ scope: Scope) -> String {
    reference.hasPrefix("arn:") ? reference : "arn:aws:iam::\(scope.account):policy\(path)\(reference)"
  }
}

/// An instance profile.
struct InstanceProfileRecord: Named, Tagged {
  static let collection = "iam.instance-profile"
  static let arnType = "instance-profile"
  var name: String
  var path: String
  var id: String
  var created: Timestamp
  /// The name of its role.
  var role: String?
  var tags: [String: String] = [:]
  var recordIndex: [String: String] { role.map { ["role": $0.lowercased()] } ?? [:] }
  static func missing(_ reference: String) -> AWSError {
    .noSuchEntity("Instance Profile \(reference) cannot be found.")
  }
}

/// An OpenID Connect identity provider.
struct OIDCProviderRecord: Tagged {
  static let collection = "iam.oidc-provider"
  var recordID: String { url }
  /// Without `https://`.
  var url: String
  var clientIDs: [String]
  var thumbprints: [String]
  var created: Timestamp
  var tags: [String: String] = [:]

  static func recordID(for reference: String) -> String {
    reference.firstRange(of: ":oidc-provider/").map { String(reference[$0.upperBound...]) } ?? reference
  }
  func isMeant(by reference: String, _ scope: Scope) -> Bool { reference == arn(scope) }
  func arn(_ scope: Scope) -> String { Self.arn(for: url, path: "/", scope) }
  static func arn(for reference: String, path: String, _ scope: Scope) -> String {
    reference.hasPrefix("arn:") ? reference : "arn:aws:iam::\(scope.account):oidc-provider/\(reference)"
  }
  static func missing(_ reference: String) -> AWSError {
    .noSuchEntity("OpenIDConnect Provider not found for arn \(reference)")
  }
}

/// A server certificate.
struct ServerCertificateRecord: Named, Tagged {
  static let collection = "iam.server-certificate"
  static let arnType = "server-certificate"
  var name: String
  var path: String
  var id: String
  var created: Timestamp
  var expires: Timestamp
  /// PEM.
  var body: String
  var chain: String?
  var privateKey: SealedBytes
  var tags: [String: String] = [:]

  static func keyContext(_ id: String) -> String { "iam.server-certificate/\(id)" }
  static func missing(_ reference: String) -> AWSError {
    .noSuchEntity("The Server Certificate with name \(reference) cannot be found.")
  }
}

/// The deletion of a service-linked role, which is over at once here.
struct DeletionTaskRecord: Record {
  static let collection = "iam.deletion-task"
  var recordID: String { id }
  var id: String
}
