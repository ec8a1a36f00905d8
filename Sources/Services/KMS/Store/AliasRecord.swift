// An alias: a name for a key.

import AWSCore
import Store

/// An alias of an account and region.
struct AliasRecord: Record, Hashable {
  static let collection = "kms.alias"
  var recordID: String { name }
  var recordIndex: [String: String] { ["key": keyID] }

  /// With its prefix: `alias/…`.
  var name: String
  var keyID: String
  var created: Timestamp
  var updated: Timestamp
}
