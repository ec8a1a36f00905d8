// AWS managed keys: one for each service, made when it is first asked for.

import AWSCore
import ServiceKit
import Store

/// The aliases that AWS reserves.
enum ManagedKeys {
  static let prefix = "alias/aws/"
  /// Services whose `alias/aws/NAME` comes into being by itself.
  static let services: Set<String> = [
    "acm", "backup", "dynamodb", "ebs", "ecr", "elasticache", "elasticfilesystem", "kinesis", "lambda", "rds", "s3",
    "secretsmanager", "sns", "sqs", "ssm",
  ]

  /// `s3` for `alias/aws/s3`; nil when no managed key has that alias.
  static func service(alias: String) -> String? {
    guard alias.hasPrefix(prefix) else { return nil }
    let name = String(alias.dropFirst(prefix.count))
    return services.contains(name) ? name : nil
  }

  static func description(_ service: String) -> String {
    service == "acm"
      ? "Default key that protects my ACM private keys when no other key is defined"
      : "Default key that protects my \(service) data when no other key is defined"
  }
}

extension KMSService {
  /// The AWS managed key of a service; made when there is none.
  func managedKey(_ service: String, _ scope: Scope, _ call: CallContext) async throws -> KeyRecord {
    let alias = ManagedKeys.prefix + service
    let fresh = try await newKey(spec: .symmetric, usage: .encryptDecrypt, multiRegion: false, scope, call)
    return try await store.write { tx in
      if let known = try tx.get(AliasRecord.self, scope, alias),
        let key = try tx.get(KeyRecord.self, scope, known.keyID)
      {
        return key
      }
      var key = fresh
      key.manager = .aws
      key.description = ManagedKeys.description(service)
      key.policy = KeyPolicy.managed(service: service, account: scope.account, region: scope.region)
      key.rotationEnabled = true
      key.rotationPeriodInDays = KMSLimits.rotationPeriodDaysDefault
      key.nextRotation = call.now.adding(days: KMSLimits.rotationPeriodDaysDefault)
      try tx.put(key, scope)
      try tx.put(AliasRecord(name: alias, keyID: key.id, created: call.now, updated: call.now), scope)
      return key
    }
  }

  /// A key record with new material, not stored yet.
  func newKey(
    spec: KeySpec, usage: KeyUsage, multiRegion: Bool, _ scope: Scope, _ call: CallContext
  ) async throws -> KeyRecord {
    let id = multiRegion ? "mrk-\(call.ids.hex(32))" : call.ids.uuid()
    var key = KeyRecord(
      id: id, arn: keyARN(scope, id), account: scope.account, region: scope.region, description: "", spec: spec,
      usage: usage, manager: .customer, state: .enabled, created: call.now,
      policy: KeyPolicy.default(account: scope.account), tags: [], multiRegion: multiRegion, materials: [],
      rotationEnabled: false)
    let bytes = try await Material.generate(spec, call.ids)
    key.materials = [try seal(bytes, into: key, rotation: nil, now: call.now)]
    return key
  }

  /// A generation of a key's material.
  func seal(
    _ bytes: [UInt8], into key: KeyRecord, rotation: KeyMaterial.Rotation?, now: Timestamp
  ) throws -> KeyMaterial {
    let id = environment.ids.hex(64)
    let sealed = try SealedBytes(bytes, sealer: store.sealer, context: key.sealContext(id))
    return KeyMaterial(id: id, sealed: sealed, created: now, rotation: rotation)
  }
}
