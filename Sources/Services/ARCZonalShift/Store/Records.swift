// What zonal shift keeps: the shifts, also those that ended.

import AWSCore
import Store

struct ShiftRecord: Record {
  static let collection = "arc-zonal-shift.shift"
  var recordID: String { id }
  var recordIndex: [String: String] { ["resource": resource] }

  var id: String
  /// The load balancer's ARN.
  var resource: String
  /// `use1-az1`, and the account's name of it, `us-east-1a`.
  var zoneID: String
  var zone: String
  var started: Timestamp
  var expires: Timestamp
  var comment: String
  /// When it was cancelled; nil when it was not.
  var cancelled: Timestamp?

  func isActive(at now: Timestamp) -> Bool { cancelled == nil && now < expires }

  func status(at now: Timestamp) -> String {
    if cancelled != nil { return "CANCELED" }
    return now < expires ? "ACTIVE" : "EXPIRED"
  }
}
