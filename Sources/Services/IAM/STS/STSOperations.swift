// STS: who am I, and temporary credentials.

import AWSCore
import STSModel
import ServiceKit
import Store

extension IAMService {
  func addSTSOperations(_ table: inout HandlerTable) {
    // No policy can take this away (STS API Reference, GetCallerIdentity).
    table.on(STS.getCallerIdentity, access: Self.everyone) { _, call in
      .make { ($0.account, $0.arn, $0.userId) = (call.principal.account, call.principal.arn, call.principal.userID) }
    }
    table.on(STS.getAccessKeyInfo) { input, _ in
      guard let key = try await accessKey(input.accessKeyId) else {
        throw AWSError.validationError("Nobody has the access key \(input.accessKeyId).")
      }
      return .make { $0.account = key.principal.account }
    }
    // The role's trust policy and the caller's policies are weighed by the operation itself, services included.
    table.on(STS.assumeRole, access: Self.everyone, assumeRole)
    table.on(STS.getSessionToken, access: Self.everyone, getSessionToken)
    table.on(
      STS.getFederationToken,
      access: { input, call in
        var context: [String: [String]] = [:]
        for tag in input.tags ?? [] { context["aws:RequestTag/\(tag.key)"] = [tag.value] }
        let arn = "arn:aws:sts::\(call.account):federated-user/\(input.name)"
        return [ResourceAccess(arn, context: context)]
      }, getFederationToken)
  }

  /// Whoever has signed may call.
  private static func everyone<I>(_ input: I, _ call: CallContext) async throws -> [ResourceAccess] { [] }

  /// What is new about a session; the rest is made here.
  struct NewSession: Sendable {
    var kind: SessionRecord.Kind
    var account: String
    var name: String
    var seconds: Int
    var role: RoleRecord?
    var user: String?
    var tags: [String: String] = [:]
    var transitiveKeys: [String] = []
    var sourceIdentity: String?
    var policies: [String] = []
    var policyARNs: [String] = []
  }

  /// Makes temporary credentials, durable when this returns.
  func issue(_ new: NewSession, _ call: CallContext) async throws -> STS.Credentials {
    let id = "ASIA" + call.ids.upperAlphanumeric(16)
    let secret = call.ids.alphanumeric(40)
    // Tokens of AWS's begin so, and are opaque.
    let token = "IQoJb3JpZ2luX2VjE" + call.ids.alphanumeric(183)
    let expires = call.now.adding(seconds: Double(new.seconds))
    let sealed = try SealedBytes(
      Array("\(secret)\n\(token)".utf8), sealer: store.sealer, context: SessionRecord.context(id))
    let record = SessionRecord(
      id: id, account: new.account, secrets: sealed, issued: call.now, expires: expires, kind: new.kind, name: new.name,
      role: new.role?.name, roleID: new.role?.id, user: new.user, tags: new.tags, transitiveKeys: new.transitiveKeys,
      sourceIdentity: new.sourceIdentity, policies: new.policies, policyARNs: new.policyARNs)
    let scope = Scope(account: new.account, region: "global")
    try await store.write { tx in
      try tx.put(record, credentialScope)
      if let role = new.role { try Self.noteUse(of: role.id, call, tx, scope) }
    }
    return .make {
      $0.accessKeyId = id
      $0.secretAccessKey = secret
      $0.sessionToken = token
      $0.expiration = expires
    }
  }

  private static func noteUse(of roleID: String, _ call: CallContext, _ tx: Transaction, _ scope: Scope) throws {
    let last = try tx.get(RoleUseRecord.self, scope, roleID)
    if let last, call.now < last.date.adding(seconds: Limits.lastUsedSeconds) { return }
    try tx.put(RoleUseRecord(roleID: roleID, date: call.now, region: call.region), scope)
  }

  // MARK: - Sessions of users

  /// - Throws: ValidationError.
  static func check(duration: Int?, _ range: ClosedRange<Int>, default standard: Int) throws -> Int {
    let seconds = duration ?? standard
    guard range.contains(seconds) else {
      throw AWSError.validationError(
        "1 validation error detected: Value '\(seconds)' at 'durationSeconds' failed to satisfy constraint: Member must have value between \(range.lowerBound) and \(range.upperBound)"
      )
    }
    return seconds
  }

  private func getSessionToken(
    _ input: STS.GetSessionTokenRequest, _ call: CallContext
  ) async throws -> STS.GetSessionTokenResponse {
    guard input.serialNumber == nil, input.tokenCode == nil else {
      throw AWSError.notImplemented("multi-factor authentication")
    }
    guard call.principal.kind == .user || call.principal.kind == .root, call.principal.issued == nil else {
      throw AWSError("AccessDenied", "Cannot call GetSessionToken with session credentials", status: 403)
    }
    let isRoot = call.principal.kind == .root
    let seconds = try Self.check(duration: input.durationSeconds, 900...129_600, default: isRoot ? 3600 : 43_200)
    let credentials = try await issue(
      NewSession(
        kind: .session, account: call.principal.account, name: "session",
        // The root's sessions end after an hour, whatever was asked for.
        seconds: isRoot ? min(seconds, 3600) : seconds, user: Self.callerName(call)), call)
    return .make { $0.credentials = credentials }
  }

  private func getFederationToken(
    _ input: STS.GetFederationTokenRequest, _ call: CallContext
  ) async throws -> STS.GetFederationTokenResponse {
    guard call.principal.kind == .user || call.principal.kind == .root, call.principal.issued == nil else {
      throw AWSError("AccessDenied", "Cannot call GetFederationToken with session credentials", status: 403)
    }
    let isRoot = call.principal.kind == .root
    let seconds = try Self.check(duration: input.durationSeconds, 900...129_600, default: isRoot ? 3600 : 43_200)
    let (policies, arns, packed) = try await sessionPolicies(
      input.policy, input.policyArns, account: call.principal.account)
    let account = call.principal.account
    let tags = Dictionary((input.tags ?? []).map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last })
    let credentials = try await issue(
      NewSession(
        kind: .federated, account: account, name: input.name, seconds: isRoot ? min(seconds, 3600) : seconds,
        user: Self.callerName(call), tags: tags, policies: policies, policyARNs: arns), call)
    return .make {
      $0.credentials = credentials
      $0.federatedUser = .make {
        $0.arn = "arn:aws:sts::\(account):federated-user/\(input.name)"
        $0.federatedUserId = "\(account):\(input.name)"
      }
      $0.packedPolicySize = packed
    }
  }

  /// Checks what narrows a session.
  /// - Returns: the inline policies, the ARNs of managed ones, and how much of the allowed size they take, in percent.
  /// - Throws: MalformedPolicyDocument, PackedPolicyTooLarge, ValidationError.
  func sessionPolicies(
    _ inline: String?, _ managed: [STS.PolicyDescriptorType]?, account: String
  ) async throws -> (policies: [String], arns: [String], packed: Int?) {
    if let inline { try PolicyText.checkIdentity(inline) }
    let arns = (managed ?? []).compactMap(\.arn)
    guard arns.count <= Limits.sessionPolicyARNs else {
      throw AWSError.validationError("A session takes at most \(Limits.sessionPolicyARNs) managed policies.")
    }
    let scope = Scope(account: account, region: "global")
    for arn in arns {
      guard try await managedPolicy(arn, scope) != nil else {
        throw AWSError.validationError("The managed policy \(arn) does not exist.")
      }
    }
    let size = (inline.map { $0.utf8.count } ?? 0) + arns.reduce(0) { $0 + $1.utf8.count }
    guard size <= Limits.sessionPolicySize else {
      throw AWSError(
        "PackedPolicyTooLarge",
        "Packed policy consumes \(size * 100 / Limits.sessionPolicySize)% of allotted space, please use smaller policy."
      )
    }
    return (inline.map { [$0] } ?? [], arns, size == 0 ? nil : size * 100 / Limits.sessionPolicySize)
  }
}
