// CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit
import Store

extension KMSService {
  func createGrant(_ input: KMS.CreateGrantRequest, _ call: CallContext) async throws -> KMS.CreateGrantResponse {
    let key = try await key(input.keyId, call)
    try key.requireUsable()
    try Self.check(input, key)
    if input.dryRun == true { throw KMSError.dryRun }
    let id = call.ids.hex(64)
    let new = Grant(
      id: id, token: "\(key.id).\(id).\(call.ids.alphanumeric(40))", name: input.name, grantee: input.granteePrincipal,
      retiring: input.retiringPrincipal, operations: input.operations,
      contextEquals: input.constraints?.encryptionContextEquals,
      contextSubset: input.constraints?.encryptionContextSubset, issuingAccount: call.principal.account,
      created: call.now)
    let grant = try await changeGrants(of: key) { grants in
      // With a name, the same request again is the same grant.
      if new.name != nil, let same = grants.first(where: { $0.isSameRequest(as: new) }) { return same }
      guard grants.count < KMSLimits.grantsPerKeyMax else {
        throw KMSError.limitExceeded("The key \(key.arn) has too many grants.")
      }
      grants.append(new)
      return new
    }
    return .make {
      $0.grantId = grant.id
      $0.grantToken = grant.token
    }
  }

  func listGrants(_ input: KMS.ListGrantsRequest, _ call: CallContext) async throws -> KMS.ListGrantsResponse {
    let key = try await key(input.keyId, call)
    let scope = Scope(account: key.account, region: key.region)
    let grants = try await store.get(KeyGrantsRecord.self, scope, key.id)?.grants ?? []
    let shown = grants.filter {
      (input.grantId == nil || $0.id == input.grantId)
        && (input.granteePrincipal == nil || $0.grantee == input.granteePrincipal)
    }
    return try Self.answer(shown.map { (key.arn, $0) }, input.limit, input.marker)
  }

  func listRetirableGrants(
    _ input: KMS.ListRetirableGrantsRequest, _ call: CallContext
  ) async throws -> KMS.ListGrantsResponse {
    let records = try await store.read { try $0.list(KeyGrantsRecord.self, call.scope) }
    let shown = records.flatMap { record in
      record.grants.filter { $0.retiring == input.retiringPrincipal }.map { (keyARN(call.scope, record.keyID), $0) }
    }
    return try Self.answer(shown, input.limit, input.marker)
  }

  func retireGrant(_ input: KMS.RetireGrantRequest, _ call: CallContext) async throws -> Empty {
    let (key, grant) = try await retirable(input, call)
    try key.requireNotPendingDeletion()
    if input.dryRun == true { throw KMSError.dryRun }
    try await changeGrants(of: key) { grants in grants.removeAll { $0.id == grant.id } }
    return Empty()
  }

  func revokeGrant(_ input: KMS.RevokeGrantRequest, _ call: CallContext) async throws -> Empty {
    let key = try await key(input.keyId, call)
    try key.requireNotPendingDeletion()
    try await changeGrants(of: key) { grants in
      guard let at = grants.firstIndex(where: { $0.id == input.grantId }) else {
        throw KMSError.notFound("Grant ID \(input.grantId) not found")
      }
      if input.dryRun == true { throw KMSError.dryRun }
      grants.remove(at: at)
    }
    return Empty()
  }

  /// The grant that a caller wants to retire: by its token, or by key and id.
  func retirable(_ input: KMS.RetireGrantRequest, _ call: CallContext) async throws -> (KeyRecord, Grant) {
    let keyID: String
    if let token = input.grantToken {
      guard let id = token.split(separator: ".").first else {
        throw AWSError("InvalidGrantTokenException", "Invalid grant token")
      }
      keyID = String(id)
    } else if let id = input.keyId, input.grantId != nil {
      keyID = id
    } else {
      throw KMSError.validation("Either a grant token, or a key ID and a grant ID must be given.")
    }
    let key = try await key(keyID, call)
    let scope = Scope(account: key.account, region: key.region)
    let grants = try await store.get(KeyGrantsRecord.self, scope, key.id)?.grants ?? []
    let wanted = grants.first { input.grantToken == nil ? $0.id == input.grantId : $0.token == input.grantToken }
    guard let grant = wanted else {
      throw input.grantToken == nil
        ? KMSError.notFound("Grant ID \(input.grantId ?? "") not found")
        : AWSError("InvalidGrantTokenException", "Invalid grant token")
    }
    return (key, grant)
  }

  // MARK: -

  @discardableResult
  private func changeGrants<T: Sendable>(
    of key: KeyRecord, _ body: @escaping @Sendable (inout [Grant]) throws -> T
  ) async throws -> T {
    try await store.write { tx in
      let scope = Scope(account: key.account, region: key.region)
      guard try tx.get(KeyRecord.self, scope, key.id) != nil else { throw KMSError.keyNotFound(key.arn) }
      var record = try tx.get(KeyGrantsRecord.self, scope, key.id) ?? KeyGrantsRecord(keyID: key.id, grants: [])
      let result = try body(&record.grants)
      try tx.put(record, scope)
      return result
    }
  }

  private static func check(_ input: KMS.CreateGrantRequest, _ key: KeyRecord) throws {
    guard !input.operations.isEmpty, input.operations.allSatisfy(GrantRules.operations.contains) else {
      throw KMSError.validation("A grant must have at least one operation that grants can give.")
    }
    guard input.constraints == nil || input.operations.contains(where: GrantRules.contextOperations.contains) else {
      throw KMSError.validation("Grant constraints need an operation with an encryption context.")
    }
    for principal in [input.granteePrincipal, input.retiringPrincipal].compactMap({ $0 }) {
      let isService = principal.hasSuffix(".amazonaws.com")
      guard isService || ARN(principal).map({ ["iam", "sts"].contains($0.service) }) == true else {
        throw AWSError("InvalidArnException", "Invalid arn \(principal)")
      }
    }
    guard key.spec != .symmetric || !input.operations.contains(where: { ["Sign", "Verify"].contains($0) }) else {
      throw KMSError.validation("Grant operations Sign and Verify are not valid for symmetric keys.")
    }
  }

  private static func answer(
    _ grants: [(String, Grant)], _ limit: Int?, _ marker: String?
  ) throws -> KMS.ListGrantsResponse {
    let sorted = grants.sorted { $0.1.id < $1.1.id }
    let page = try Page(sorted, limit: limit ?? KMSLimits.grantsPageDefault, marker: marker, id: \.1.id)
    return .make {
      $0.grants = page.items.map { arn, grant in grant.entry(keyARN: arn) }
      $0.truncated = page.next != nil
      $0.nextMarker = page.next
    }
  }
}

extension Grant {
  func isSameRequest(as other: Grant) -> Bool {
    name == other.name && grantee == other.grantee && retiring == other.retiring && operations == other.operations
      && contextEquals == other.contextEquals && contextSubset == other.contextSubset
  }

  /// What ListGrants tells.
  func entry(keyARN: String) -> KMS.GrantListEntry {
    .make {
      $0.keyId = keyARN
      $0.grantId = id
      // AWS answers an empty name where none was given.
      $0.name = name ?? ""
      $0.creationDate = created
      $0.granteePrincipal = grantee
      $0.retiringPrincipal = retiring
      $0.issuingAccount = "arn:aws:iam::\(issuingAccount):root"
      $0.operations = operations
      if contextEquals != nil || contextSubset != nil {
        $0.constraints = .make {
          $0.encryptionContextEquals = contextEquals
          $0.encryptionContextSubset = contextSubset
        }
      }
    }
  }
}
