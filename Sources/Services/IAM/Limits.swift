// IAM's quotas (IAM User Guide, "IAM and AWS STS quotas"): the defaults of an account.

/// How much of what an account may have.
enum Limits {
  static let users = 5000
  static let groups = 300
  static let roles = 1000
  static let instanceProfiles = 1000
  static let policies = 1500
  static let serverCertificates = 20
  static let oidcProviders = 100
  static let groupsPerUser = 10
  static let accessKeysPerUser = 2
  static let attachedPolicies = 10
  static let policyVersions = 5
  static let tags = 50
  /// Characters of a managed policy, white space not counted.
  static let policySize = 6144
  /// Characters of a trust policy, white space not counted.
  static let trustPolicySize = 2048
  /// Characters of all inline policies of an identity together, white space not counted.
  static let userPolicySize = 2048
  static let groupPolicySize = 5120
  static let rolePolicySize = 10240
  /// Characters of session policies together.
  static let sessionPolicySize = 2048
  static let sessionPolicyARNs = 10
  /// Parsed policies that are kept in memory.
  static let cachedPolicies = 4096
  /// Seconds between two looks for expired sessions: the shortest life of a session.
  static let sessionSweepSeconds = 900.0
  /// Seconds between two notes of a role's last use.
  static let lastUsedSeconds = 60.0
}
