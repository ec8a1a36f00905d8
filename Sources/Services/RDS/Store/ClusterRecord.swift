// What a cluster shall be.

import AWSCore
import RDSModel
import Store

/// A DB cluster.
struct ClusterRecord: Record, Hashable {
  static let collection = "rds.cluster"
  var recordID: String { id }
  var recordIndex: [String: String] {
    ["resource": resourceID, "subnet-group": subnetGroup, "parameter-group": parameterGroup]
  }

  enum Wanted: String, Codable, Sendable { case running, stopped, deleted }

  /// A failover that was asked for and not done yet.
  struct Failover: Codable, Hashable, Sendable {
    var request: String
    var target: String?
  }

  /// The secret in Secrets Manager that holds the master password.
  struct MasterSecret: Codable, Hashable, Sendable {
    var arn: String
    var kmsKey: String?
  }

  /// The identifier, in lower case.
  var id: String
  var arn: String
  /// `cluster-…`; also the name of its folder, since identifiers come again.
  var resourceID: String
  var created: Timestamp
  var wanted = Wanted.running
  /// Asked to start and not seen to have started yet.
  var isStarting = false
  var engineVersion: String
  var databaseName: String?
  var masterUsername: String
  var password: SealedBytes
  /// Rises with each new password.
  var passwordVersion = 1
  var secret: MasterSecret?
  var port: Int
  var writerAddress: String
  var readerAddress: String
  var subnetGroup: String
  var vpc: String?
  var parameterGroup: String
  var securityGroups: [String]
  var zones: [String]
  var storageEncrypted: Bool
  var kmsKey: String?
  var settings: ClusterSettings
  var tags: [String: String]
  /// The name of the snapshot that is to be made before the cluster goes.
  var finalSnapshot: String?
  var failover: Failover?

  /// What seals the password.
  var passwordContext: String { "rds.cluster/\(resourceID)" }
}

/// What is recorded and given back, and has no effect on a machine of one's own.
struct ClusterSettings: Codable, Hashable, Sendable {
  var backupRetention = 1
  var backupWindow = "03:22-03:52"
  var maintenanceWindow = "sun:05:30-sun:06:00"
  var copyTagsToSnapshot = false
  var deletionProtection = false
  var logExports: [String] = []
  var engineLifecycleSupport = "open-source-rds-extended-support"
  var storageType: String?
  var networkType = "IPV4"
  var minCapacity: Double?
  var maxCapacity: Double?
  var secondsUntilAutoPause: Int?
  var monitoringInterval: Int?
  var monitoringRole: String?
  var performanceInsights: Bool?
  var performanceInsightsKey: String?
  var performanceInsightsRetention: Int?
  var databaseInsights: String?
  var autoMinorVersionUpgrade = true
  var caCertificate: String?
}
