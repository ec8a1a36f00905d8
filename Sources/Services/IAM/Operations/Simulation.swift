// SimulatePrincipalPolicy: the same evaluation that decides real calls, asked about imagined ones.

import AWSCore
import AWSWire
import IAMModel
import Policy
import ServiceKit
import Store

extension IAMService {
  func addSimulationOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.simulatePrincipalPolicy, access: { input, _ in [ResourceAccess(input.policySourceArn)] },
      simulatePrincipalPolicy)
  }

  /// Whose policies are simulated.
  private struct Source: Sendable {
    var principal: PolicyPrincipal
    var policies: PolicySet
    /// `user`, `group` or `role`.
    var kind: String
  }

  private func source(_ arn: String, _ call: CallContext) async throws -> Source {
    let scope = call.globalScope
    guard let parsed = ARN(arn), parsed.service == "iam", parsed.account == scope.account,
      let name = parsed.resource.split(separator: "/").last.map(String.init)
    else { throw AWSError.iamInvalidInput("Invalid Entity Arn: \(arn) does not clearly define entity type and name.") }
    var set = PolicySet()
    switch parsed.resource.split(separator: "/").first {
    case "user":
      let user = try await store.read { try $0.require(UserRecord.self, scope, name) }
      try await addUser(named: name, scope, to: &set)
      return Source(
        principal: .user(arn: parsed, uniqueID: user.id, tags: user.tags), policies: set, kind: "user")
    case "group":
      let group = try await store.read { try $0.require(GroupRecord.self, scope, name) }
      try await add(group.policies, scope, to: &set)
      return Source(
        principal: PolicyPrincipal(kind: .user, arn: arn, account: scope.account, name: name), policies: set,
        kind: "group")
    case "role":
      let role = try await store.read { try $0.require(RoleRecord.self, scope, name) }
      try await add(role.policies, scope, to: &set)
      let principal = PolicyPrincipal(
        kind: .assumedRole, arn: arn, account: scope.account, name: name, uniqueID: role.id, roleARN: arn,
        tags: role.tags)
      return Source(principal: principal, policies: set, kind: "role")
    default:
      throw AWSError.iamInvalidInput("Invalid Entity Arn: \(arn) does not clearly define entity type and name.")
    }
  }

  private func simulatePrincipalPolicy(
    _ input: IAM.SimulatePrincipalPolicyRequest, _ call: CallContext
  ) async throws -> IAM.SimulatePolicyResponse {
    var source = try await source(input.policySourceArn, call)
    for (index, text) in (input.policyInputList ?? []).enumerated() {
      try PolicyText.checkIdentity(text)
      source.policies.identity.append(.init(try document(text), name: "PolicyInputList.\(index + 1)"))
    }
    if let texts = input.permissionsBoundaryPolicyInputList, let text = texts.first {
      try PolicyText.checkIdentity(text)
      source.policies.boundary = .init(try document(text), name: "PermissionsBoundaryPolicyInputList.1")
    }
    if let caller = input.callerArn {
      let other = try await self.source(caller, call)
      source.principal = other.principal
    }
    if let text = input.resourcePolicy {
      do { source.policies.resource = .init(try policies.document(text, .resource), name: "ResourcePolicy") } catch {
        throw error.awsError(.iam)
      }
    }
    var context: [String: [String]] = [:]
    for entry in input.contextEntries ?? [] {
      if let name = entry.contextKeyName { context[name] = entry.contextKeyValues ?? [] }
    }
    var results: [IAM.EvaluationResult] = []
    for action in input.actionNames {
      for resource in input.resourceArns ?? ["*"] {
        results.append(
          Self.evaluate(source, action, resource, owner: input.resourceOwner.flatMap(Self.account), context, call.now))
      }
    }
    let numbered = results.enumerated().map { (index: $0.offset, result: $0.element) }
    let page = try Page(numbered, marker: input.marker, maxItems: input.maxItems) { String(1_000_000 + $0.index) }
    return .make {
      $0.evaluationResults = page.items.map(\.result)
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }

  private static func evaluate(
    _ source: Source, _ action: String, _ resource: String, owner: String?, _ context: [String: [String]],
    _ now: Timestamp
  ) -> IAM.EvaluationResult {
    let request = PolicyRequest(
      principal: source.principal, action: action, resource: resource, resourceAccount: owner, time: now,
      context: context)
    let decision = source.policies.decide(request)
    var statements: [IAM.Statement] = []
    let word: String
    switch decision.outcome {
    case .allowed(let deciding):
      word = "allowed"
      if let deciding { statements = [statement(deciding, source)] }
    case .explicitDeny(let deciding):
      word = "explicitDeny"
      statements = [statement(deciding, source)]
    case .implicitDeny: word = "implicitDeny"
    }
    return .make {
      $0.evalActionName = action
      $0.evalResourceName = resource
      $0.evalDecision = word
      $0.matchedStatements = statements
      $0.missingContextValues = []
      if let boundary = source.policies.boundary {
        let alone = PolicySet(identity: [boundary]).decide(request)
        $0.permissionsBoundaryDecisionDetail = .make { $0.allowedByPermissionsBoundary = alone.isAllowed }
      }
    }
  }

  private static func statement(_ deciding: PolicyDecision.Deciding, _ source: Source) -> IAM.Statement {
    .make {
      $0.sourcePolicyId = deciding.policy.flatMap { $0.split(separator: "/").last.map(String.init) }
      $0.sourcePolicyType =
        switch deciding.source {
        case .resource: "resource"
        case .identity, .boundary, .session:
          switch deciding.policy {
          case .some(let name) where name.hasPrefix("arn:aws:iam::aws:"): "aws-managed"
          case .some(let name) where name.hasPrefix("arn:"): "user-managed"
          case .some(let name) where name.contains("PolicyInputList"): "none"
          default: source.kind
          }
        }
    }
  }
}
