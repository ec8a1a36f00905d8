// Trust stores: bundles of authorities' certificates out of S3, and what they revoked.

import AWSCore
import AWSWire
import ELBv2Model
import S3Model
import ServiceKit
import Store

extension ELBv2Service {
  func createTrustStore(
    _ input: ELBv2.CreateTrustStoreInput, _ call: CallContext
  ) async throws -> ELBv2.CreateTrustStoreOutput {
    try Names.check(input.name, "Trust store")
    let tags = try Tags.read(input.tags, call)
    let (bundle, uploaded, count) = try await bundle(
      input.caCertificatesBundleS3Bucket, input.caCertificatesBundleS3Key, input.caCertificatesBundleS3ObjectVersion,
      call)
    let record = TrustStoreRecord(
      arn: call.arn("elasticloadbalancing", "truststore/\(input.name)/\(call.ids.hex(16))"), name: input.name,
      bundle: bundle, uploaded: uploaded, certificateCount: count, tags: tags)
    try await store.write { tx in
      guard try tx.find(TrustStoreRecord.self, call.scope, index: "name", record.name).isEmpty else {
        throw AWSError("DuplicateTrustStoreName", "A trust store with the specified name already exists")
      }
      guard try tx.count(TrustStoreRecord.self, call.scope) < ELBv2Limits.trustStoresMax else {
        throw AWSError("TooManyTrustStores", "The maximum number of trust stores has been reached on this account")
      }
      try tx.put(record, call.scope)
    }
    return .make { $0.trustStores = [Self.answer(record)] }
  }

  func modifyTrustStore(
    _ input: ELBv2.ModifyTrustStoreInput, _ call: CallContext
  ) async throws -> ELBv2.ModifyTrustStoreOutput {
    _ = try await store.read { try $0.trustStore(input.trustStoreArn, call.scope) }
    let (bundle, uploaded, count) = try await bundle(
      input.caCertificatesBundleS3Bucket, input.caCertificatesBundleS3Key, input.caCertificatesBundleS3ObjectVersion,
      call)
    let record = try await store.write { tx in
      var record = try tx.trustStore(input.trustStoreArn, call.scope)
      record.bundle = bundle
      record.uploaded = uploaded
      record.certificateCount = count
      try tx.put(record, call.scope)
      return record
    }
    await reconciler.applyIfThere()
    return .make { $0.trustStores = [Self.answer(record)] }
  }

  func deleteTrustStore(
    _ input: ELBv2.DeleteTrustStoreInput, _ call: CallContext
  ) async throws -> ELBv2.DeleteTrustStoreOutput {
    try await store.write { tx in
      let record = try tx.trustStore(input.trustStoreArn, call.scope)
      guard try Self.users(of: record, tx, call.scope).isEmpty else {
        throw AWSError("TrustStoreInUse", "Trust store '\(record.arn)' is currently in use by a listener")
      }
      try tx.delete(TrustStoreRecord.self, call.scope, record.arn)
    }
    return .init()
  }

  private static func users(of record: TrustStoreRecord, _ snapshot: Snapshot, _ scope: Scope) throws
    -> [ListenerRecord]
  {
    try snapshot.list(ListenerRecord.self, scope).filter { $0.mutual?.trustStore == record.arn }
  }

  func describeTrustStores(
    _ input: ELBv2.DescribeTrustStoresInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeTrustStoresOutput {
    let arns = input.trustStoreArns ?? []
    let names = input.names ?? []
    guard arns.isEmpty || names.isEmpty else {
      throw ELBv2Error.validation("Trust store names and trust store ARNs cannot be specified at the same time")
    }
    let kept = try await store.read { snapshot in
      if !arns.isEmpty { return try arns.map { try snapshot.trustStore($0, call.scope) } }
      let all = try snapshot.list(TrustStoreRecord.self, call.scope)
      for name in names where !all.contains(where: { $0.name == name }) { throw ELBv2Error.trustStoreNotFound(name) }
      return all.filter { names.isEmpty || names.contains($0.name) }
    }
    let page = try Page(kept, size: input.pageSize, marker: input.marker, id: \.arn)
    return .make {
      $0.trustStores = page.items.map(Self.answer)
      $0.nextMarker = page.next
    }
  }

  func describeTrustStoreAssociations(
    _ input: ELBv2.DescribeTrustStoreAssociationsInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeTrustStoreAssociationsOutput {
    let listeners = try await store.read { snapshot in
      try Self.users(of: snapshot.trustStore(input.trustStoreArn, call.scope), snapshot, call.scope)
    }
    let page = try Page(listeners, size: input.pageSize, marker: input.marker, id: \.arn)
    return .make {
      $0.trustStoreAssociations = page.items.map { listener in .make { $0.resourceArn = listener.arn } }
      $0.nextMarker = page.next
    }
  }

  private static func answer(_ record: TrustStoreRecord) -> ELBv2.TrustStore {
    .make {
      $0.trustStoreArn = record.arn
      $0.name = record.name
      $0.status = "ACTIVE"
      $0.numberOfCaCertificates = record.certificateCount
      $0.totalRevokedEntries = record.revocations.reduce(0) { $0 + $1.entries }
    }
  }

  // MARK: - Revocations

  func addTrustStoreRevocations(
    _ input: ELBv2.AddTrustStoreRevocationsInput, _ call: CallContext
  ) async throws -> ELBv2.AddTrustStoreRevocationsOutput {
    _ = try await store.read { try $0.trustStore(input.trustStoreArn, call.scope) }
    var new: [TrustStoreRecord.Revocation] = []
    for content in input.revocationContents ?? [] {
      guard content.revocationType ?? "CRL" == "CRL" else {
        throw ELBv2Error.validation("Revocation type '\(content.revocationType ?? "")' must be 'CRL'")
      }
      let bytes = try await object(
        content.s3Bucket ?? "", content.s3Key ?? "", content.s3ObjectVersion, call,
        missing: AWSError("RevocationContentNotFound", "The specified revocation file does not exist"))
      let (pem, entries) = try Bundles.revocations(bytes)
      new.append(
        .init(
          id: 0, type: "CRL", content: pem, entries: entries,
          uploaded: TrustStoreRecord.uploaded(bytes, asText: pem)))
    }
    guard !new.isEmpty else { throw ELBv2Error.validation("At least one revocation file must be specified") }
    let contents = new
    let added = try await store.write { tx in
      var record = try tx.trustStore(input.trustStoreArn, call.scope)
      var added: [TrustStoreRecord.Revocation] = []
      for var revocation in contents {
        record.lastRevocation += 1
        revocation.id = record.lastRevocation
        added.append(revocation)
      }
      record.revocations += added
      guard record.revocations.reduce(0, { $0 + $1.entries }) <= ELBv2Limits.revocationEntriesMax else {
        throw AWSError(
          "TooManyTrustStoreRevocationEntries",
          "The specified trust store has too many revocation entries: at most '\(ELBv2Limits.revocationEntriesMax)'")
      }
      try tx.put(record, call.scope)
      return added
    }
    await reconciler.applyIfThere()
    return .make {
      $0.trustStoreRevocations = added.map { revocation in
        .make {
          $0.trustStoreArn = input.trustStoreArn
          $0.revocationId = revocation.id
          $0.revocationType = revocation.type
          $0.numberOfRevokedEntries = revocation.entries
        }
      }
    }
  }

  func removeTrustStoreRevocations(
    _ input: ELBv2.RemoveTrustStoreRevocationsInput, _ call: CallContext
  ) async throws -> ELBv2.RemoveTrustStoreRevocationsOutput {
    try await store.write { tx in
      var record = try tx.trustStore(input.trustStoreArn, call.scope)
      for id in input.revocationIds where !record.revocations.contains(where: { $0.id == id }) {
        throw Self.revocationNotFound(id)
      }
      record.revocations.removeAll { input.revocationIds.contains($0.id) }
      try tx.put(record, call.scope)
    }
    await reconciler.applyIfThere()
    return .init()
  }

  func describeTrustStoreRevocations(
    _ input: ELBv2.DescribeTrustStoreRevocationsInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeTrustStoreRevocationsOutput {
    let record = try await store.read { try $0.trustStore(input.trustStoreArn, call.scope) }
    let ids = input.revocationIds ?? []
    for id in ids where !record.revocations.contains(where: { $0.id == id }) { throw Self.revocationNotFound(id) }
    let kept = record.revocations.filter { ids.isEmpty || ids.contains($0.id) }
    let page = try Page(kept, size: input.pageSize, marker: input.marker) { "\($0.id)" }
    return .make {
      $0.trustStoreRevocations = page.items.map { revocation in
        .make {
          $0.trustStoreArn = record.arn
          $0.revocationId = revocation.id
          $0.revocationType = revocation.type
          $0.numberOfRevokedEntries = revocation.entries
        }
      }
      $0.nextMarker = page.next
    }
  }

  static func revocationNotFound(_ id: Int) -> AWSError {
    AWSError("RevocationIdNotFound", "Revocation ID '\(id)' not found")
  }

  // MARK: - Sharing: between accounts, of which there is one

  func getResourcePolicy(
    _ input: ELBv2.GetResourcePolicyInput, _ call: CallContext
  ) async throws -> ELBv2.GetResourcePolicyOutput {
    _ = try await store.read { try $0.trustStore(input.resourceArn, call.scope) }
    throw AWSError("ResourceNotFound", "The specified resource '\(input.resourceArn)' has no resource policy")
  }

  func deleteSharedTrustStoreAssociation(
    _ input: ELBv2.DeleteSharedTrustStoreAssociationInput, _ call: CallContext
  ) async throws -> ELBv2.DeleteSharedTrustStoreAssociationOutput {
    let isUsed = try await store.read { snapshot in
      try Self.users(of: snapshot.trustStore(input.trustStoreArn, call.scope), snapshot, call.scope)
        .contains { $0.arn == input.resourceArn }
    }
    guard isUsed else {
      throw AWSError("AssociationNotFound", "The specified association '\(input.resourceArn)' does not exist")
    }
    throw AWSError(
      "DeleteAssociationSameAccount", "The specified association can't be deleted in the account that owns it")
  }

  // MARK: - S3, with the caller's permissions

  private func bundle(
    _ bucket: String, _ key: String, _ version: String?, _ call: CallContext
  ) async throws -> (text: String, uploaded: String?, certificates: Int) {
    let bytes = try await object(
      bucket, key, version, call,
      missing: AWSError("CaCertificatesBundleNotFound", "The specified ca certificate bundle does not exist"))
    let text = String(decoding: bytes, as: UTF8.self)
    return (text, TrustStoreRecord.uploaded(bytes, asText: text), try Bundles.certificates(text))
  }

  private func object(
    _ bucket: String, _ key: String, _ version: String?, _ call: CallContext, missing: AWSError
  ) async throws -> [UInt8] {
    do {
      let (_, body) = try await call.invokeStreaming(
        S3.getObject,
        .make {
          $0.bucket = bucket
          $0.key = key
          $0.versionId = version
        })
      return try await body?.collect(limit: 50 << 20) ?? []
    } catch let error as AWSError where ["NoSuchBucket", "NoSuchKey", "NoSuchVersion"].contains(error.code) {
      throw missing
    }
  }
}
