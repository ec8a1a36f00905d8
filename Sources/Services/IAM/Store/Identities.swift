// Users, groups and roles as the store keeps them.

import AWSCore
import Store

/// A user.
struct UserRecord: PolicyHolder, Tagged {
  static let collection = "iam.user"
  static let arnType = "user"
  static let inlinePolicySize = Limits.userPolicySize
  var name: String
  var path: String
  var id: String
  var created: Timestamp
  var policies = HeldPolicies()
  var tags: [String: String] = [:]
  /// The names of its groups, small letters.
  var groups: [String] = []
  var login: LoginProfile?

  /// A password for the console, which Castle keeps sealed and nobody asks for.
  struct LoginProfile: Codable, Sendable, Hashable {
    var created: Timestamp
    var resetRequired: Bool
    var password: SealedBytes?
  }

  var recordIndex: [String: String] {
    var index = policies.index
    for group in groups { index[Self.groupIndex(group)] = "1" }
    return index
  }
  static func groupIndex(_ group: String) -> String { "group:\(group.lowercased())" }
  static func missing(_ reference: String) -> AWSError {
    .noSuchEntity("The user with name \(reference) cannot be found.")
  }
}

/// A group of users.
struct GroupRecord: PolicyHolder {
  static let collection = "iam.group"
  static let arnType = "group"
  static let inlinePolicySize = Limits.groupPolicySize
  var name: String
  var path: String
  var id: String
  var created: Timestamp
  var policies = HeldPolicies()
  var tags: [String: String] { [:] }
  var recordIndex: [String: String] { policies.index }
  static func missing(_ reference: String) -> AWSError {
    .noSuchEntity("The group with name \(reference) cannot be found.")
  }
}

/// A role.
struct RoleRecord: PolicyHolder, Tagged {
  static let collection = "iam.role"
  static let arnType = "role"
  static let inlinePolicySize = Limits.rolePolicySize
  var name: String
  var path: String
  var id: String
  var created: Timestamp
  /// The trust policy as it was sent.
  var trust: String
  var description: String?
  /// Seconds.
  var maxSessionDuration: Int
  var policies = HeldPolicies()
  var tags: [String: String] = [:]
  /// The service a service-linked role belongs to.
  var linkedService: String?
  var isProtected: Bool { linkedService != nil }
  var recordIndex: [String: String] { policies.index }
  static func missing(_ reference: String) -> AWSError {
    .noSuchEntity("The role with name \(reference) cannot be found.")
  }
}

/// When a role was last assumed: apart from the role, so that each session does not touch the role itself.
struct RoleUseRecord: Record {
  static let collection = "iam.role-use"
  var recordID: String { roleID }
  var roleID: String
  var date: Timestamp
  var region: String
}

/// The account itself.
struct AccountRecord: Record {
  static let collection = "iam.account"
  static let id = "account"
  var recordID: String { Self.id }
  var created: Timestamp
  var alias: String?
}
