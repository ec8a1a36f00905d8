// Keys as the store keeps them. They live outside the accounts' scopes, because a request names nothing but the key.

import AWSCore
import Store

/// Where keys of all accounts lie.
let credentialScope = Scope(account: "", region: "global")

/// A user's access key, or one of the account's root.
struct AccessKeyRecord: Record {
  static let collection = "iam.access-key"
  var recordID: String { id }
  /// `AKIA…`.
  var id: String
  var account: String
  /// Nil for a key of the root.
  var user: String?
  var secret: SealedBytes
  var isActive: Bool
  var created: Timestamp
  var recordIndex: [String: String] { ["owner": Self.owner(account, user)] }

  static func owner(_ account: String, _ user: String?) -> String { "\(account)/\(user?.lowercased() ?? "")" }
  static func context(_ id: String) -> String { "iam.access-key/\(id)" }
}

/// Temporary credentials that STS issued.
struct SessionRecord: Record {
  static let collection = "sts.session"
  var recordID: String { id }
  /// `ASIA…`.
  var id: String
  var account: String
  /// The secret key, a newline, the session token.
  var secrets: SealedBytes
  var issued: Timestamp
  var expires: Timestamp
  var kind: Kind
  /// The name of the session: a role's, or a federated user's.
  var name: String
  /// For roles: the name of the role and its unique id at that time.
  var role: String?
  var roleID: String?
  /// For sessions of a user: its name; nil for the root.
  var user: String?
  var tags: [String: String] = [:]
  var transitiveKeys: [String] = []
  var sourceIdentity: String?
  var policies: [String] = []
  var policyARNs: [String] = []

  enum Kind: String, Codable, Sendable {
    case role
    /// `GetSessionToken` of a user or of the root.
    case session
    case federated
  }

  static func context(_ id: String) -> String { "sts.session/\(id)" }
}
