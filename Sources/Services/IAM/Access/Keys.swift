// From the id of a key to whom it belongs.

import AWSCore
import ServiceKit
import Store

extension IAMService {
  /// The owner's key, a user's key, or temporary credentials.
  public func accessKey(_ id: String) async throws -> AccessKey? {
    if id == owner.id { return owner }
    if id.hasPrefix("ASIA") { return try await session(id) }
    guard let record = try await store.get(AccessKeyRecord.self, credentialScope, id) else { return nil }
    let secret = try record.secret.open(store.sealer, context: AccessKeyRecord.context(id))
    guard let principal = try await principal(account: record.account, user: record.user) else { return nil }
    return AccessKey(
      id: id, secret: String(decoding: secret, as: UTF8.self), principal: principal, isActive: record.isActive)
  }

  /// The user, or the root where none is named; nil when there is no such user.
  private func principal(account: String, user: String?) async throws -> Principal? {
    guard let user else { return .root(account: account) }
    let scope = Scope(account: account, region: "global")
    guard let record = try await store.get(UserRecord.self, scope, UserRecord.recordID(for: user)) else { return nil }
    var principal = Principal(kind: .user, account: account, arn: record.arn(scope), userID: record.id)
    principal.tags = record.tags
    return principal
  }

  private func session(_ id: String) async throws -> AccessKey? {
    guard let record = try await store.get(SessionRecord.self, credentialScope, id) else { return nil }
    let secrets = try record.secrets.open(store.sealer, context: SessionRecord.context(id))
    let halves = secrets.split(separator: 10, maxSplits: 1)
    guard halves.count == 2, var principal = try await principal(of: record) else { return nil }
    principal.issued = record.issued
    principal.sourceIdentity = record.sourceIdentity
    principal.sessionPolicies = record.policies
    principal.sessionPolicyARNs = record.policyARNs
    return AccessKey(
      id: id, secret: String(decoding: halves[0], as: UTF8.self),
      sessionToken: String(decoding: halves[1], as: UTF8.self),
      principal: principal, expires: record.expires)
  }

  private func principal(of record: SessionRecord) async throws -> Principal? {
    let account = record.account
    switch record.kind {
    case .session: return try await principal(account: account, user: record.user)
    case .federated:
      guard let issuer = try await principal(account: account, user: record.user) else { return nil }
      var principal = Principal(
        kind: .federatedUser, account: account, arn: "arn:aws:sts::\(account):federated-user/\(record.name)",
        userID: "\(account):\(record.name)")
      principal.tags = record.tags
      principal.issuerARN = issuer.arn
      return principal
    case .role:
      let scope = Scope(account: account, region: "global")
      let name = record.role ?? ""
      let role = try await store.get(RoleRecord.self, scope, RoleRecord.recordID(for: name))
      var principal = Principal(
        kind: .assumedRole, account: account, arn: "arn:aws:sts::\(account):assumed-role/\(name)/\(record.name)",
        userID: "\(record.roleID ?? ""):\(record.name)", roleARN: role?.arn(scope))
      principal.tags = (role?.tags ?? [:]).merging(record.tags) { _, session in session }
      principal.transitiveTags = record.tags.filter { record.transitiveKeys.contains($0.key) }
      return principal
    }
  }

  /// Removes temporary credentials that have run out, until the task is cancelled.
  func removeExpiredSessions() async throws {
    while !Task.isCancelled {
      let now = environment.clock.now
      try await store.write { tx in
        for session in try tx.list(SessionRecord.self, credentialScope) where session.expires < now {
          try tx.delete(SessionRecord.self, credentialScope, session.id)
        }
      }
      // No session lives shorter than this, so none outlives its end by more.
      try await environment.clock.sleep(until: now.adding(seconds: Limits.sessionSweepSeconds))
    }
  }
}
