// What Shield keeps: the subscription and the protections of an account.

import AWSCore
import Store

struct SubscriptionRecord: Record {
  static let collection = "shield.subscription"
  var recordID: String { "subscription" }
  var started: Timestamp
}

struct ProtectionRecord: Record {
  static let collection = "shield.protection"
  var recordID: String { id }
  var recordIndex: [String: String] { ["resource": resource] }

  var id: String
  var name: String
  var resource: String
  var created: Timestamp
  var tags: [String: String] = [:]
}
