// A key as KMS keeps it.

import AWSCore
import Store

/// One generation of a key's material.
struct KeyMaterial: Codable, Sendable, Hashable {
  enum Rotation: String, Codable, Sendable {
    case automatic = "AUTOMATIC"
    case onDemand = "ON_DEMAND"
  }
  /// 64 hexadecimal digits.
  var id: String
  /// The bytes, in the form that ``Material`` reads.
  var sealed: SealedBytes
  var created: Timestamp
  /// Nil for the first generation.
  var rotation: Rotation?
}

/// A tag, in the order in which tags came.
struct KeyTag: Codable, Sendable, Hashable {
  var key: String
  var value: String
}

/// A KMS key.
struct KeyRecord: Record, Hashable {
  enum State: String, Codable, Sendable {
    case enabled = "Enabled"
    case disabled = "Disabled"
    case pendingDeletion = "PendingDeletion"
  }
  enum Manager: String, Codable, Sendable {
    case customer = "CUSTOMER"
    case aws = "AWS"
  }

  static let collection = "kms.key"
  var recordID: String { id }

  /// A UUID, or `mrk-` and 32 hexadecimal digits.
  var id: String
  var arn: String
  var account: String
  var region: String
  var description: String
  var spec: KeySpec
  var usage: KeyUsage
  var manager: Manager
  var state: State
  var created: Timestamp
  var policy: String
  var tags: [KeyTag]
  var multiRegion: Bool
  /// Oldest first; the last one encrypts.
  var materials: [KeyMaterial]
  var deletionDate: Timestamp?
  var rotationEnabled: Bool
  var rotationPeriodInDays: Int?
  var nextRotation: Timestamp?

  /// The generation that encrypts.
  var current: KeyMaterial? { materials.last }

  /// How the store's sealer knows a generation.
  func sealContext(_ materialID: String) -> String { "kms.key/\(id)/\(materialID)" }

  /// - Throws: `DisabledException` or `KMSInvalidStateException` unless the key can be used.
  func requireUsable() throws {
    switch state {
    case .enabled: return
    case .disabled: throw KMSError.disabled(arn)
    case .pendingDeletion: throw KMSError.pendingDeletion(arn)
    }
  }

  /// - Throws: `KMSInvalidStateException` when the key waits for its deletion.
  func requireNotPendingDeletion() throws {
    if state == .pendingDeletion { throw KMSError.pendingDeletion(arn) }
  }

  /// - Throws: `InvalidKeyUsageException` unless the key is for that.
  func requireUsage(_ wanted: KeyUsage, for operation: String) throws {
    guard usage == wanted else {
      throw KMSError.invalidKeyUsage("\(arn) key usage is \(usage.rawValue) which is not valid for \(operation).")
    }
  }
}
