// What IAM is told about a call: the key, its policy, who holds a grant for just this, and KMS's condition keys.

import AWSCore
import KMSModel
import ServiceKit
import Store

extension KMSService {
  /// A call that touches one key.
  /// - Parameters:
  ///   - grantOperation: the operation as grants name it; nil for operations that no grant can give.
  ///   - extra: further condition keys.
  func access(
    _ keyID: String, _ call: CallContext, action: String? = nil, grantOperation: String? = nil,
    context: [String: String]? = nil, extra: [String: [String]] = [:]
  ) async throws -> [ResourceAccess] {
    [
      try await access(
        to: key(keyID, call), named: keyID, call, action: action, grantOperation: grantOperation, context: context,
        extra: extra)
    ]
  }

  /// A cryptographic operation with an encryption context.
  func cryptoAccess(
    _ keyID: String, _ call: CallContext, _ operation: String, _ context: [String: String]?, _ algorithm: String? = nil
  ) async throws -> [ResourceAccess] {
    try await access(
      keyID, call, grantOperation: operation, context: context,
      extra: ["kms:EncryptionAlgorithm": [algorithm ?? "SYMMETRIC_DEFAULT"]])
  }

  func access(
    to key: KeyRecord, named name: String?, _ call: CallContext, action: String? = nil, grantOperation: String? = nil,
    context: [String: String]? = nil, extra: [String: [String]] = [:]
  ) async throws -> ResourceAccess {
    var conditions = extra
    conditions["kms:CallerAccount"] = [call.principal.account]
    conditions["kms:KeySpec"] = [key.spec.rawValue]
    conditions["kms:KeyUsage"] = [key.usage.rawValue]
    conditions["kms:KeyOrigin"] = ["AWS_KMS"]
    conditions["kms:MultiRegion"] = [key.multiRegion ? "true" : "false"]
    if let name, let alias = Self.alias(name) { conditions["kms:RequestAlias"] = [alias] }
    if let via = call.calledVia.last { conditions["kms:ViaService"] = [Self.viaService(via, call.region)] }
    if let context, !context.isEmpty {
      conditions["kms:EncryptionContextKeys"] = context.keys.sorted()
      for (key, value) in context { conditions["kms:EncryptionContext:\(key)"] = [value] }
    }
    for tag in key.tags { conditions["aws:ResourceTag/\(tag.key)"] = [tag.value] }
    var access = ResourceAccess(key.arn, action: action, policy: key.policy, kind: .kmsKey, context: conditions)
    if let operation = grantOperation {
      let scope = Scope(account: key.account, region: key.region)
      let grants = try await store.get(KeyGrantsRecord.self, scope, key.id)?.grants ?? []
      access.grants =
        grants.filter { GrantRules.covers($0, operation: operation, context: context) }.map(\.grantee)
    }
    return access
  }

  /// The alias in an alias name or alias ARN; nil for another name of a key.
  private static func alias(_ name: String) -> String? {
    if name.hasPrefix("alias/") { return name }
    guard let resource = ARN(name)?.resource, resource.hasPrefix("alias/") else { return nil }
    return resource
  }

  /// `secretsmanager.us-east-1.amazonaws.com` for `secretsmanager.amazonaws.com`.
  private static func viaService(_ service: String, _ region: String) -> String {
    "\(service.split(separator: ".").first.map(String.init) ?? service).\(region).amazonaws.com"
  }

  /// A call that touches an alias and the keys that it names or will name.
  func aliasAccess(_ alias: String, to keys: [String], _ call: CallContext) async throws -> [ResourceAccess] {
    var all = [ResourceAccess(aliasARN(call.scope, alias))]
    for key in keys { all += try await access(key, call) }
    return all
  }

  // MARK: - Operations that find their key by themselves

  func decryptAccess(_ input: KMS.DecryptRequest, _ call: CallContext) async throws -> [ResourceAccess] {
    let key = try await decryptionKey(input.keyId, input.ciphertextBlob?.bytes ?? [], call)
    return [
      try await access(
        to: key, named: input.keyId, call, grantOperation: "Decrypt", context: input.encryptionContext,
        extra: ["kms:EncryptionAlgorithm": [input.encryptionAlgorithm ?? "SYMMETRIC_DEFAULT"]])
    ]
  }

  func reEncryptAccess(_ input: KMS.ReEncryptRequest, _ call: CallContext) async throws -> [ResourceAccess] {
    let source = try await decryptionKey(input.sourceKeyId, input.ciphertextBlob?.bytes ?? [], call)
    let destination = try await key(input.destinationKeyId, call)
    let same: [String: [String]] = ["kms:ReEncryptOnSameKey": [source.id == destination.id ? "true" : "false"]]
    return [
      try await access(
        to: source, named: input.sourceKeyId, call, action: "kms:ReEncryptFrom", grantOperation: "ReEncryptFrom",
        context: input.sourceEncryptionContext, extra: same),
      try await access(
        to: destination, named: input.destinationKeyId, call, action: "kms:ReEncryptTo", grantOperation: "ReEncryptTo",
        context: input.destinationEncryptionContext, extra: same),
    ]
  }

  func createGrantAccess(_ input: KMS.CreateGrantRequest, _ call: CallContext) async throws -> [ResourceAccess] {
    var extra: [String: [String]] = [
      "kms:GranteePrincipal": [input.granteePrincipal], "kms:GrantOperations": input.operations,
      "kms:GrantIsForAWSResource": [call.calledVia.isEmpty ? "false" : "true"],
    ]
    if let retiring = input.retiringPrincipal { extra["kms:RetiringPrincipal"] = [retiring] }
    return try await access(input.keyId, call, grantOperation: "CreateGrant", extra: extra)
  }

  /// Who is to retire a grant, or may by the grant itself, needs no policy.
  func retireGrantAccess(_ input: KMS.RetireGrantRequest, _ call: CallContext) async throws -> [ResourceAccess] {
    let (key, grant) = try await retirable(input, call)
    var access = try await access(to: key, named: nil, call)
    access.grants = [grant.retiring, grant.operations.contains("RetireGrant") ? grant.grantee : nil].compactMap { $0 }
    return [access]
  }
}
