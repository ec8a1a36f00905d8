// CreateKey, DescribeKey, ListKeys, UpdateKeyDescription.

import AWSCore
import AWSWire
import KMSModel
import Policy
import ServiceKit
import Store

extension KMSService {
  func createKey(_ input: KMS.CreateKeyRequest, _ call: CallContext) async throws -> KMS.CreateKeyResponse {
    let (spec, usage) = try Self.specAndUsage(input)
    if let origin = input.origin, origin != "AWS_KMS" {
      throw AWSError.notImplemented("kms: keys of origin \(origin)")
    }
    guard input.customKeyStoreId == nil, input.xksKeyId == nil else {
      throw AWSError.notImplemented("kms: custom key stores")
    }
    let tags = try Self.merged([], (input.tags ?? []).map { KeyTag(key: $0.tagKey, value: $0.tagValue) }, call)
    if let policy = input.policy {
      try KeyPolicy.check(
        policy, caller: PolicyPrincipal(call.principal), key: keyARN(call.scope, "new"),
        bypassLockoutCheck: input.bypassPolicyLockoutSafetyCheck ?? false)
    }
    let description = input.description ?? ""
    guard description.count <= KMSLimits.descriptionMax else {
      throw KMSError.validation("Description can be at most \(KMSLimits.descriptionMax) characters.")
    }
    var new = try await newKey(spec: spec, usage: usage, multiRegion: input.multiRegion ?? false, call.scope, call)
    new.description = description
    new.tags = tags
    if let policy = input.policy { new.policy = policy }
    let key = new
    try await store.write { try $0.put(key, call.scope) }
    return .make { $0.keyMetadata = key.metadata }
  }

  func describeKey(_ input: KMS.DescribeKeyRequest, _ call: CallContext) async throws -> KMS.DescribeKeyResponse {
    let key = try await key(input.keyId, call)
    return .make { $0.keyMetadata = key.metadata }
  }

  func listKeys(_ input: KMS.ListKeysRequest, _ call: CallContext) async throws -> KMS.ListKeysResponse {
    let keys = try await store.read { try $0.list(KeyRecord.self, call.scope) }
    let page = try Page(keys, limit: input.limit ?? KMSLimits.pageDefault, marker: input.marker, id: \.id)
    return .make {
      $0.keys = page.items.map { key in
        .make {
          $0.keyArn = key.arn
          $0.keyId = key.id
        }
      }
      $0.truncated = page.next != nil
      $0.nextMarker = page.next
    }
  }

  func updateKeyDescription(_ input: KMS.UpdateKeyDescriptionRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.keyId, call) { key, _ in
      try key.requireNotPendingDeletion()
      try key.requireCustomerManaged("UpdateKeyDescription")
      key.description = input.description
    }
    return Empty()
  }

  // MARK: -

  private static func specAndUsage(_ input: KMS.CreateKeyRequest) throws -> (KeySpec, KeyUsage) {
    if let new = input.keySpec, let old = input.customerMasterKeySpec, new != old {
      throw KMSError.validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request.")
    }
    let name = input.keySpec ?? input.customerMasterKeySpec ?? KeySpec.symmetric.rawValue
    guard let spec = KeySpec(rawValue: name) else { throw AWSError.notImplemented("kms: the key spec \(name)") }
    guard let usageName = input.keyUsage else {
      guard spec == .symmetric else {
        throw KMSError.validation(
          "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
      }
      return (spec, .encryptDecrypt)
    }
    guard let usage = KeyUsage(rawValue: usageName) else {
      throw AWSError.notImplemented("kms: the key usage \(usageName)")
    }
    guard spec.usages.contains(usage) else {
      throw KMSError.validation("KeyUsage \(usageName) is not compatible with KeySpec \(name)")
    }
    return (spec, usage)
  }
}

extension KeyRecord {
  /// - Throws: `UnsupportedOperationException` for an AWS managed key, which nobody but its service may change.
  func requireCustomerManaged(_ operation: String) throws {
    guard manager == .customer else {
      throw KMSError.unsupported("\(operation) is not supported for AWS managed keys.")
    }
  }

  /// What DescribeKey tells.
  var metadata: KMS.KeyMetadata {
    .make {
      $0.awsAccountId = account
      $0.keyId = id
      $0.arn = arn
      $0.creationDate = created
      $0.enabled = state == .enabled
      $0.description = description
      $0.keyUsage = usage.rawValue
      $0.keyState = state.rawValue
      $0.deletionDate = deletionDate
      $0.origin = "AWS_KMS"
      $0.keyManager = manager.rawValue
      $0.keySpec = spec.rawValue
      $0.customerMasterKeySpec = spec.rawValue
      $0.encryptionAlgorithms = spec.encryptionAlgorithms(usage)
      $0.signingAlgorithms = spec.signingAlgorithms(usage)
      $0.macAlgorithms = spec.macAlgorithms
      $0.multiRegion = multiRegion
      if spec == .symmetric { $0.currentKeyMaterialId = current?.id }
      if multiRegion {
        $0.multiRegionConfiguration = .make {
          $0.multiRegionKeyType = "PRIMARY"
          $0.primaryKey = .make {
            $0.arn = arn
            $0.region = region
          }
          $0.replicaKeys = []
        }
      }
    }
  }
}
