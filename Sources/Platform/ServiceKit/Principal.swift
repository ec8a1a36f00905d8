// Who calls.

import AWSCore

/// The identity behind a call.
public struct Principal: Sendable, Hashable, CustomStringConvertible {
  public enum Kind: String, Sendable {
    /// The account's root, which on this machine is the owner.
    case root
    case user
    /// A role's session: an assumed role, a task.
    case assumedRole
    /// A session of `GetFederationToken`.
    case federatedUser
    /// A part of Castle that acts for a service, such as ECS registering targets.
    case service
  }
  public var kind: Kind
  public var account: String
  /// `arn:aws:iam::123456789012:root`, `…:user/ci`, `arn:aws:sts::…:assumed-role/name/session`; a service's host name for services.
  public var arn: String
  /// The unique id, such as `AIDA…` or `AROA…:session`.
  public var userID: String
  /// The role's own ARN when the principal is a session of a role.
  public var roleARN: String?
  public var tags: [String: String] = [:]
  /// Policies that narrow the session, as JSON.
  public var sessionPolicies: [String] = []
  /// Policy documents (ARNs) passed with AssumeRole's PolicyArns.
  public var sessionPolicyARNs: [String] = []
  /// Tags of the session that a role it assumes takes over (`TransitiveTagKeys`).
  public var transitiveTags: [String: String] = [:]
  /// `SourceIdentity` as it was set when the first role of a chain was assumed.
  public var sourceIdentity: String?
  /// When the session's credentials were issued, for `aws:TokenIssueTime`; nil for keys that do not run out.
  public var issued: Timestamp?
  /// For federated users: the ARN of the user (or root) that asked for the token, whose policies hold.
  public var issuerARN: String?

  public init(kind: Kind, account: String, arn: String, userID: String, roleARN: String? = nil) {
    self.kind = kind
    self.account = account
    self.arn = arn
    self.userID = userID
    self.roleARN = roleARN
  }

  /// The owner of an account.
  public static func root(account: String) -> Principal {
    Principal(kind: .root, account: account, arn: "arn:aws:iam::\(account):root", userID: account)
  }

  /// A service of Castle acting in an account, such as `ecs.amazonaws.com`.
  public static func service(_ name: String, account: String) -> Principal {
    Principal(kind: .service, account: account, arn: name, userID: name)
  }

  public var description: String { arn }
}
