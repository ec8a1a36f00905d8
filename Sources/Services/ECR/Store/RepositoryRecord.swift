// A repository, as it is kept.

import AWSCore
import Store

struct RepositoryRecord: Record {
  static let collection = "ecr.repository"
  var recordID: String { name }

  struct Exclusion: Codable, Sendable, Hashable {
    var filter: String
    var type: String
  }

  var name: String
  var arn: String
  var uri: String
  var registry: String
  var createdAt: Timestamp
  var mutability: String
  var exclusions: [Exclusion]?
  var scanOnPush: Bool
  var encryption: String
  var kmsKey: String?
  var policy: String?
  var lifecycle: String?
  var lifecycleEvaluatedAt: Timestamp?
  var tags: [String: String]
}
