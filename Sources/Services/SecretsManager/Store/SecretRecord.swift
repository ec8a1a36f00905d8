// A secret as Secrets Manager keeps it, without its values.

import AWSCore
import SecretsManagerModel
import Store

/// A version's description; its value is a ``SecretValueRecord``.
struct SecretVersion: Codable, Sendable, Hashable {
  var id: String
  /// The staging labels, such as `AWSCURRENT`. A version without labels is deprecated.
  var stages: [String]
  var created: Timestamp
  /// The day of the last read.
  var lastAccessed: Timestamp?
  /// The KMS key as it was given; nil for `alias/aws/secretsmanager`.
  var kmsKeyID: String?
}

/// A tag, in the order in which tags came.
struct SecretTag: Codable, Sendable, Hashable {
  var key: String
  var value: String
}

/// A secret.
struct SecretRecord: Record, Hashable {
  static let collection = "secretsmanager.secret"
  /// A name belongs to one secret at a time, also while that waits for its deletion.
  var recordID: String { name }

  var name: String
  var arn: String
  var account: String
  var region: String
  var description: String?
  var kmsKeyID: String?
  var type: String?
  var tags: [SecretTag]
  var policy: String?
  var created: Timestamp
  var lastChanged: Timestamp
  var lastAccessed: Timestamp?
  /// When somebody asked for the deletion.
  var deleted: Timestamp?
  /// When the secret will be gone.
  var deletionDate: Timestamp?
  /// `rds` for a secret that RDS made.
  var owningService: String?
  /// Oldest first.
  var versions: [SecretVersion]

  /// - Throws: `InvalidRequestException` when the secret waits for its deletion.
  func requireNotDeleted() throws { if deleted != nil { throw SecretsError.markedForDeletion } }

  /// The staging labels by version, deprecated versions left out; nil when there are none.
  var stagesByVersion: [String: [String]]? {
    let staged = versions.filter { !$0.stages.isEmpty }
    return staged.isEmpty ? nil : Dictionary(staged.map { ($0.id, $0.stages) }, uniquingKeysWith: { first, _ in first })
  }

  var wireTags: [SecretsManager.Tag]? {
    tags.isEmpty
      ? nil
      : tags.map { tag in
        .make {
          $0.key = tag.key
          $0.value = tag.value
        }
      }
  }
}
