// What an instance of a cluster shall be.

import AWSCore
import Store

/// A DB instance, always a member of a cluster.
struct InstanceRecord: Record, Hashable {
  static let collection = "rds.instance"
  var recordID: String { id }
  var recordIndex: [String: String] { ["cluster": cluster, "resource": resourceID] }

  /// The identifier, in lower case.
  var id: String
  var arn: String
  /// `db-…`.
  var resourceID: String
  /// The identifier of its cluster.
  var cluster: String
  var created: Timestamp
  /// The order of creation: the first instance of a cluster becomes its writer.
  var number: Int
  var instanceClass: String
  var promotionTier: Int
  var zone: String
  var address: String
  /// The cluster's port, or another one where that is taken on this machine.
  var port: Int
  var isDeleting = false
  /// A reboot that was asked for and not done yet.
  var reboot: String?
  var publiclyAccessible = false
  var autoMinorVersionUpgrade = true
  var copyTagsToSnapshot = false
  var parameterGroup: String
  var maintenanceWindow: String
  var monitoringInterval = 0
  var monitoringRole: String?
  var performanceInsights = false
  var performanceInsightsKey: String?
  var performanceInsightsRetention: Int?
  var databaseInsights: String?
  var caCertificate = "rds-ca-rsa2048-g1"
  var tags: [String: String]
}
