// May this caller do this? All policies that have a say, gathered and weighed.

import AWSCore
import Policy
import ServiceKit
import Store

extension IAMService {
  /// Decides one access. Services of Castle pass, and so does the root of the account that owns the resource, unless the
  /// resource's own policy denies it.
  /// - Throws: the service's own access-denied error, with AWS's reason.
  public func authorize(_ call: CallContext, action: String, access: ResourceAccess) async throws {
    let principal = call.principal
    guard principal.kind != .service else { return }
    let owner = access.account ?? Self.account(in: access.arn) ?? principal.account
    let isOwnRoot = principal.kind == .root && owner == principal.account
    if isOwnRoot, !mayBeDenied(action, access) { return }
    let request = policyRequest(
      principal, action: action, arn: access.arn, owner: owner, context: Self.context(of: call, access), now: call.now)
    var set = try await policySet(of: principal)
    set.resourceRule = access.kind == .ordinary ? .additional : .required
    if let text = access.policy { set.resource = .init(try resourcePolicy(text, access.kind)) }
    let decision = set.decide(request)
    if decision.isAllowed || (isOwnRoot && !decision.isExplicitDeny) { return }
    if !decision.isExplicitDeny, !access.grants.isEmpty,
      Self.names(of: principal).contains(where: access.grants.contains)
    {
      return
    }
    throw AccessDenied.error(decision, request)
  }

  /// What the root user can always do, lest a bucket be locked for good (S3 User Guide, "Bucket policies").
  private static let rootKeeps: Set<String> = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]

  /// Whether a resource's policy has anything to say against its owner.
  private func mayBeDenied(_ action: String, _ access: ResourceAccess) -> Bool {
    guard let text = access.policy, !Self.rootKeeps.contains(action),
      let document = try? resourcePolicy(text, access.kind)
    else { return false }
    return document.statements.contains { $0.effect == .deny }
  }

  /// The account in an ARN; nil where it says none (S3) or there is no ARN.
  static func account(in arn: String) -> String? {
    let parts = arn.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, !parts[4].isEmpty else { return nil }
    let account = String(Substring(parts[4]))
    return account == "aws" ? nil : account
  }

  /// What a grant may call the principal.
  private static func names(of principal: Principal) -> [String] {
    var names = [principal.arn, "arn:aws:iam::\(principal.account):root"]
    if let role = principal.roleARN { names.append(role) }
    return names
  }

  private func resourcePolicy(_ text: String, _ kind: ResourceAccess.Kind) throws -> PolicyDocument {
    do {
      if kind == .trustPolicy { return try policies.document(text, .trust) }
      do { return try policies.document(text, .resource) } catch {
        return try policies.document(text, .resourceImplied)
      }
    } catch {
      // A policy that cannot be read might deny: nobody passes.
      throw error.awsError(.iam)
    }
  }

  func policyRequest(
    _ principal: Principal, action: String, arn: String, owner: String?, context: [String: [String]], now: Timestamp
  ) -> PolicyRequest {
    PolicyRequest(
      principal: Self.policyPrincipal(principal), action: action, resource: arn, resourceAccount: owner, time: now,
      context: context)
  }

  /// The principal, as policies see it.
  static func policyPrincipal(_ principal: Principal) -> PolicyPrincipal {
    // The wire's name for a request without a signature.
    if principal.arn == "anonymous" { return .anonymous }
    let kind: PolicyPrincipal.Kind =
      switch principal.kind {
      case .root: .root
      case .user: .user
      case .assumedRole: .assumedRole
      case .federatedUser: .federatedUser
      case .service: .service
      }
    let name =
      kind == .service ? principal.arn : principal.arn.split(separator: "/").last.map(String.init) ?? principal.arn
    return PolicyPrincipal(
      kind: kind, arn: principal.arn, account: kind == .service ? "" : principal.account, name: name,
      uniqueID: principal.userID, roleARN: principal.roleARN, tags: principal.tags)
  }

  /// Condition keys that every request has (IAM User Guide, "AWS global condition context keys"); the principal's and
  /// the time's come from the policy module.
  static func context(of call: CallContext, _ access: ResourceAccess) -> [String: [String]] {
    var context: [String: [String]] = [
      "aws:SourceIp": [call.sourceAddress],
      "aws:SecureTransport": [call.isSecure ? "true" : "false"],
      "aws:RequestedRegion": [call.region],
      "aws:UserAgent": [call.userAgent],
      "aws:ViaAWSService": [call.calledVia.isEmpty ? "false" : "true"],
    ]
    if let first = call.calledVia.first, let last = call.calledVia.last {
      context["aws:CalledVia"] = call.calledVia
      context["aws:CalledViaFirst"] = [first]
      context["aws:CalledViaLast"] = [last]
    }
    if let issued = call.principal.issued {
      context["aws:TokenIssueTime"] = [issued.iso8601]
      context["aws:MultiFactorAuthPresent"] = ["false"]
    }
    if let identity = call.principal.sourceIdentity { context["aws:SourceIdentity"] = [identity] }
    return context.merging(access.context) { _, own in own }
  }

  // MARK: - The caller's own policies

  /// The policies of the principal itself, without any resource's.
  func policySet(of principal: Principal) async throws -> PolicySet {
    let scope = Scope(account: principal.account, region: "global")
    var set = PolicySet()
    switch principal.kind {
    case .service, .root: break
    case .user:
      if principal.arn != "anonymous" { try await addUser(named: Self.lastName(principal.arn), scope, to: &set) }
    case .federatedUser:
      // Without session policies a federated user has only what resources give it.
      guard !principal.sessionPolicies.isEmpty || !principal.sessionPolicyARNs.isEmpty else { break }
      if let issuer = principal.issuerARN, !issuer.hasSuffix(":root") {
        try await addUser(named: Self.lastName(issuer), scope, to: &set)
      } else {
        set.identity = [.init(try document(AWSManagedPolicies.everything), name: "root")]
      }
    case .assumedRole:
      if let arn = principal.roleARN,
        let role = try await store.get(RoleRecord.self, scope, RoleRecord.recordID(for: Self.lastName(arn))),
        principal.userID.hasPrefix("\(role.id):")
      {
        try await add(role.policies, scope, to: &set)
      }
    }
    try await addSessionPolicies(of: principal, scope, to: &set)
    return set
  }

  private func addSessionPolicies(of principal: Principal, _ scope: Scope, to set: inout PolicySet) async throws {
    var texts = principal.sessionPolicies
    for arn in principal.sessionPolicyARNs { if let text = try await managedPolicy(arn, scope) { texts.append(text) } }
    if texts.count == 1 {
      set.session = [.init(try document(texts[0]))]
    } else if texts.count > 1 {
      set.session = [.init(try document(try PolicyText.merged(texts)))]
    } else if !principal.sessionPolicyARNs.isEmpty {
      // The policies that narrowed the session are gone: nothing is left of it.
      set.session = [.init(try document(AWSManagedPolicies.nothing))]
    }
  }

  private static func lastName(_ arn: String) -> String { arn.split(separator: "/").last.map(String.init) ?? arn }

  func addUser(named name: String, _ scope: Scope, to set: inout PolicySet) async throws {
    guard let user = try await store.get(UserRecord.self, scope, UserRecord.recordID(for: name)) else { return }
    try await add(user.policies, scope, to: &set)
    for group in user.groups {
      if let record = try await store.get(GroupRecord.self, scope, group) {
        try await add(record.policies, scope, to: &set)
      }
    }
  }

  /// Adds what an identity holds; its boundary too.
  func add(_ held: HeldPolicies, _ scope: Scope, to set: inout PolicySet) async throws {
    for (name, text) in held.inline.sorted(by: { $0.key < $1.key }) {
      set.identity.append(.init(try document(text), name: name))
    }
    for arn in held.attached {
      if let text = try await managedPolicy(arn, scope) { set.identity.append(.init(try document(text), name: arn)) }
    }
    if let boundary = held.boundary {
      // A boundary that is gone lets nothing through.
      let text = try await managedPolicy(boundary, scope) ?? AWSManagedPolicies.nothing
      set.boundary = .init(try document(text), name: boundary)
    }
  }

  func document(_ text: String) throws -> PolicyDocument {
    do { return try policies.document(text, .identity) } catch { throw error.awsError(.iam) }
  }

  /// The text of a managed policy's default version; nil when there is none with that ARN.
  func managedPolicy(_ arn: String, _ scope: Scope) async throws -> String? {
    if let known = AWSManagedPolicies.all[arn] { return known.document }
    guard let record = try await store.get(PolicyRecord.self, scope, PolicyRecord.recordID(for: arn)),
      record.isMeant(by: arn, scope)
    else { return nil }
    return record.defaultDocument
  }
}
