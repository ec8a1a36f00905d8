// The grants of a key: one document, so that a call's check reads one cached record.

import AWSCore
import Store

/// A grant.
struct Grant: Codable, Sendable, Hashable {
  var id: String
  var token: String
  var name: String?
  var grantee: String
  var retiring: String?
  var operations: [String]
  var contextEquals: [String: String]?
  var contextSubset: [String: String]?
  var issuingAccount: String
  var created: Timestamp
}

/// All grants of one key.
struct KeyGrantsRecord: Record, Hashable {
  static let collection = "kms.key-grants"
  var recordID: String { keyID }
  var keyID: String
  /// Oldest first.
  var grants: [Grant]
}
