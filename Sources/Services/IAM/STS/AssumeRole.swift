// AssumeRole: who may become what, and for how long.

import AWSCore
import Policy
import STSModel
import ServiceKit
import Store

extension IAMService {
  func assumeRole(_ input: STS.AssumeRoleRequest, _ call: CallContext) async throws -> STS.AssumeRoleResponse {
    guard input.serialNumber == nil, input.tokenCode == nil else {
      throw AWSError.notImplemented("multi-factor authentication")
    }
    guard input.providedContexts?.isEmpty ?? true else { throw AWSError.notImplemented("provided contexts of a role") }
    guard (2...64).contains(input.roleSessionName.utf8.count), input.roleSessionName.utf8.allSatisfy(Names.isAllowed)
    else {
      throw AWSError.validationError(
        "1 validation error detected: Value '\(input.roleSessionName)' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
      )
    }
    guard let arn = ARN(input.roleArn), arn.service == "iam", arn.resource.hasPrefix("role/") else {
      throw AWSError.validationError("\(input.roleArn) is invalid")
    }
    let scope = Scope(account: arn.account, region: "global")
    let name = arn.resource.split(separator: "/").last.map(String.init) ?? ""
    guard let role = try await store.get(RoleRecord.self, scope, RoleRecord.recordID(for: name)),
      role.arn(scope) == input.roleArn
    else {
      // Whether the role exists is nobody's business.
      throw AWSError(
        "AccessDenied",
        "User: \(call.principal.arn) is not authorized to perform: sts:AssumeRole on resource: \(input.roleArn)",
        status: 403)
    }
    let session = try Self.session(input, call.principal)
    try await authorizeAssumption(of: role, input.roleArn, input, session, call)
    let seconds = try Self.seconds(input.durationSeconds, role, call.principal)
    let (policies, arns, packed) = try await sessionPolicies(input.policy, input.policyArns, account: arn.account)
    let credentials = try await issue(
      NewSession(
        kind: .role, account: arn.account, name: input.roleSessionName, seconds: seconds, role: role,
        tags: session.tags, transitiveKeys: session.transitiveKeys, sourceIdentity: session.sourceIdentity,
        policies: policies, policyARNs: arns), call)
    return .make {
      $0.credentials = credentials
      $0.assumedRoleUser = .make {
        $0.arn = "arn:aws:sts::\(arn.account):assumed-role/\(role.name)/\(input.roleSessionName)"
        $0.assumedRoleId = "\(role.id):\(input.roleSessionName)"
      }
      $0.packedPolicySize = packed
      $0.sourceIdentity = session.sourceIdentity
    }
  }

  private struct SessionTags: Sendable {
    var tags: [String: String]
    var transitiveKeys: [String]
    var sourceIdentity: String?
  }

  /// The session's tags, with those that the caller's own session hands on.
  private static func session(_ input: STS.AssumeRoleRequest, _ caller: Principal) throws -> SessionTags {
    var tags: [String: String] = [:]
    for tag in input.tags ?? [] {
      guard !tags.keys.contains(where: { $0.lowercased() == tag.key.lowercased() }) else {
        throw AWSError(
          "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
      }
      guard !caller.transitiveTags.keys.contains(where: { $0.lowercased() == tag.key.lowercased() }) else {
        throw AWSError(
          "InvalidParameterValue",
          "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."
        )
      }
      tags[tag.key] = tag.value
    }
    let transitive = input.transitiveTagKeys ?? []
    guard transitive.allSatisfy({ tags[$0] != nil }) else {
      throw AWSError(
        "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
    }
    if let set = caller.sourceIdentity, let wanted = input.sourceIdentity, set != wanted {
      throw AWSError("AccessDenied", "The source identity of a session cannot be changed.", status: 403)
    }
    return SessionTags(
      tags: tags.merging(caller.transitiveTags) { own, _ in own },
      transitiveKeys: Array(Set(transitive).union(caller.transitiveTags.keys)).sorted(),
      sourceIdentity: input.sourceIdentity ?? caller.sourceIdentity)
  }

  private static func seconds(_ wanted: Int?, _ role: RoleRecord, _ caller: Principal) throws -> Int {
    let seconds = try check(duration: wanted, 900...43_200, default: 3600)
    guard seconds <= role.maxSessionDuration else {
      throw AWSError.validationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    }
    guard caller.kind != .assumedRole || seconds <= 3600 else {
      throw AWSError.validationError(
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
    }
    return seconds
  }

  /// The trust policy must let the caller in, and where it only names the caller's account, the caller's own policies
  /// must let it go. Services have no policies of their own.
  private func authorizeAssumption(
    of role: RoleRecord, _ arn: String, _ input: STS.AssumeRoleRequest, _ session: SessionTags, _ call: CallContext
  ) async throws {
    var set = try await policySet(of: call.principal)
    set.resourceRule = .required
    do { set.resource = .init(try policies.document(role.trust, .trust)) } catch { throw error.awsError(.iam) }
    var own: [String: [String]] = ["sts:RoleSessionName": [input.roleSessionName]]
    if let id = input.externalId { own["sts:ExternalId"] = [id] }
    if let identity = input.sourceIdentity { own["sts:SourceIdentity"] = [identity] }
    for (key, value) in session.tags { own["aws:RequestTag/\(key)"] = [value] }
    if !session.tags.isEmpty { own["aws:TagKeys"] = session.tags.keys.sorted() }
    if let keys = input.transitiveTagKeys, !keys.isEmpty { own["sts:TransitiveTagKeys"] = keys }
    for (key, value) in role.tags {
      own["aws:ResourceTag/\(key)"] = [value]
      own["iam:ResourceTag/\(key)"] = [value]
    }
    if call.principal.kind == .service {
      // A service says for whom it acts, so that a trust policy can shut out other accounts' resources.
      let service = call.principal.arn.split(separator: ".").first.map(String.init) ?? ""
      let name = service.hasSuffix("-tasks") ? String(service.dropLast("-tasks".count)) : service
      own["aws:SourceAccount"] = [call.principal.account]
      own["aws:SourceArn"] = ["arn:aws:\(name):\(call.region):\(call.principal.account):*"]
    }
    let context = Self.context(of: call, ResourceAccess(arn, context: own))
    var actions = ["sts:AssumeRole"]
    if !(input.tags ?? []).isEmpty { actions.append("sts:TagSession") }
    if input.sourceIdentity != nil { actions.append("sts:SetSourceIdentity") }
    for action in actions {
      let request = policyRequest(
        call.principal, action: action, arn: arn, owner: nil, context: context, now: call.now)
      let decision = set.decide(request)
      guard decision.isAllowed else { throw AccessDenied.error(decision, request) }
    }
  }
}
