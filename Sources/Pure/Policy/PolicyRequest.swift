// Who wants to do what to what: the question that policies answer.

import AWSCore

/// Whoever makes a request.
public struct PolicyPrincipal: Sendable, Hashable {
  /// What somebody is.
  public enum Kind: Sendable, Hashable {
    /// The account's owner, whom no identity policy limits.
    case root
    case user
    /// A session of a role.
    case assumedRole
    /// A session of `GetFederationToken`.
    case federatedUser
    /// An AWS service acting for itself, such as `ecs-tasks.amazonaws.com`.
    case service
    /// Somebody known to an identity provider only (`AssumeRoleWithWebIdentity`).
    case webIdentity
    case anonymous
  }

  public var kind: Kind
  /// The ARN as error messages show it; a session's is `arn:aws:sts::…:assumed-role/ROLE/SESSION`.
  public var arn: String
  /// Twelve digits; empty for services and the anonymous.
  public var account: String
  /// The user's name, the service's principal name, or the identity provider.
  public var name: String
  /// `aws:userid`: a user's `AIDA…`, a session's `AROA…:SESSION`, the root's account id.
  public var uniqueID: String
  /// For sessions: the role's own ARN, with its path.
  public var roleARN: String?
  /// S3's 64-digit id of the account, when a policy may name it.
  public var canonicalID: String
  /// The tags of the principal and its session.
  public var tags: [String: String]

  public init(
    kind: Kind, arn: String, account: String, name: String = "", uniqueID: String = "", roleARN: String? = nil,
    canonicalID: String = "", tags: [String: String] = [:]
  ) {
    self.kind = kind
    self.arn = arn
    self.account = account
    self.name = name
    self.uniqueID = uniqueID
    self.roleARN = roleARN
    self.canonicalID = canonicalID
    self.tags = tags
  }

  /// The owner of an account.
  public static func root(account: String) -> PolicyPrincipal {
    PolicyPrincipal(kind: .root, arn: "arn:aws:iam::\(account):root", account: account, uniqueID: account)
  }

  /// An IAM user.
  public static func user(arn: ARN, uniqueID: String, tags: [String: String] = [:]) -> PolicyPrincipal {
    PolicyPrincipal(
      kind: .user, arn: arn.description, account: arn.account,
      name: arn.resource.split(separator: "/").last.map(String.init) ?? "", uniqueID: uniqueID, tags: tags)
  }

  /// A session of a role.
  /// - Parameters:
  ///   - role: the role's ARN with its path.
  ///   - roleID: the role's unique id, `AROA…`.
  public static func assumedRole(
    role: ARN, roleID: String, session: String, tags: [String: String] = [:]
  ) -> PolicyPrincipal {
    let name = role.resource.split(separator: "/").last.map(String.init) ?? ""
    return PolicyPrincipal(
      kind: .assumedRole,
      arn: "arn:\(role.partition):sts::\(role.account):assumed-role/\(name)/\(session)", account: role.account,
      uniqueID: "\(roleID):\(session)", roleARN: role.description, tags: tags)
  }

  /// An AWS service by its principal name.
  public static func service(_ name: String) -> PolicyPrincipal {
    PolicyPrincipal(kind: .service, arn: name, account: "", name: name)
  }

  /// Somebody an identity provider vouches for.
  /// - Parameter provider: as trust policies name it under `Federated`.
  public static func webIdentity(provider: String) -> PolicyPrincipal {
    PolicyPrincipal(kind: .webIdentity, arn: provider, account: "", name: provider)
  }

  /// Nobody in particular.
  public static let anonymous = PolicyPrincipal(kind: .anonymous, arn: "anonymous", account: "")
}

/// One request, as policies see it.
public struct PolicyRequest: Sendable {
  public let principal: PolicyPrincipal
  /// `service:Operation`, such as `kms:Decrypt`.
  public let action: String
  /// The ARN of what is acted upon, or `*` for operations that have no resource.
  public let resource: String
  /// The account that owns the resource.
  public let resourceAccount: String
  /// The time, for `aws:CurrentTime` and `aws:EpochTime`.
  public let time: Timestamp?

  let actionBytes: [UInt8]
  let resourceParts: [[UInt8]]
  private let context: [String: [String]]

  /// - Parameters:
  ///   - resourceAccount: nil takes the account in the resource's ARN, or else the principal's own.
  ///   - context: further condition keys (`aws:SourceIp`, `kms:ViaService`, `aws:ResourceTag/x`…), names in any case.
  ///     `aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:PrincipalTag/…`, `aws:userid`,
  ///     `aws:username`, `aws:PrincipalIsAWSService`, `aws:PrincipalServiceName`, `aws:ResourceAccount`,
  ///     `aws:CurrentTime` and `aws:EpochTime` come by themselves and cannot be set.
  public init(
    principal: PolicyPrincipal, action: String, resource: String, resourceAccount: String? = nil,
    time: Timestamp? = nil, context: [String: [String]] = [:]
  ) {
    self.principal = principal
    self.action = action
    self.resource = resource
    self.time = time
    self.context =
      context.isEmpty
      ? [:] : Dictionary(context.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $0 + $1 })
    actionBytes = Array(action.lowercased().utf8)
    resourceParts = ARNPattern.split(resource)
    if let resourceAccount {
      self.resourceAccount = resourceAccount
    } else if resourceParts.count == 6, !resourceParts[4].isEmpty {
      self.resourceAccount = String(decoding: resourceParts[4], as: UTF8.self)
    } else {
      self.resourceAccount = principal.account
    }
  }

  /// The values of a condition key (in lower case); nil when the request does not have it.
  func values(_ key: String) -> [String]? {
    if key.hasPrefix("aws:principaltag/") {
      let wanted = key.dropFirst("aws:principaltag/".count)
      return principal.tags.first { $0.key.lowercased() == wanted }.map { [$0.value] }
    }
    switch key {
    case "aws:principalarn": return account([principal.roleARN ?? principal.arn])
    case "aws:principalaccount": return account([principal.account])
    case "aws:principaltype": return principalType.map { [$0] }
    case "aws:userid": return principal.uniqueID.isEmpty ? nil : [principal.uniqueID]
    case "aws:username": return principal.kind == .user ? [principal.name] : nil
    case "aws:principalisawsservice": return [principal.kind == .service ? "true" : "false"]
    case "aws:principalservicename": return principal.kind == .service ? [principal.name] : nil
    case "aws:resourceaccount": return resourceAccount.isEmpty ? nil : [resourceAccount]
    case "aws:currenttime": return time.map { [$0.iso8601] }
    case "aws:epochtime": return time.map { [String($0.milliseconds / 1000)] }
    default: return context[key]
    }
  }

  /// What a policy variable stands for: a key with one value.
  func variable(_ name: String) -> String? {
    guard let values = values(name), values.count == 1 else { return nil }
    return values[0]
  }

  private func account(_ values: [String]) -> [String]? { principal.account.isEmpty ? nil : values }

  private var principalType: String? {
    switch principal.kind {
    case .root: "Account"
    case .user: "User"
    case .assumedRole: "AssumedRole"
    case .federatedUser: "FederatedUser"
    case .anonymous: "Anonymous"
    case .service, .webIdentity: nil
    }
  }
}
