// RDS's errors, in its own words.

import AWSCore
import PostgresEngine

enum RDSError {
  static func clusterNotFound(_ id: String) -> AWSError {
    AWSError("DBClusterNotFoundFault", "DBCluster \(id) not found.", status: 404)
  }
  static let clusterExists = AWSError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
  static func clusterState(_ message: String) -> AWSError { AWSError("InvalidDBClusterStateFault", message) }
  static func notAvailable(_ id: String, _ status: String) -> AWSError {
    clusterState("DbCluster \(id) is in \(status) state, but it must be available to do this.")
  }
  static func instanceNotFound(_ id: String) -> AWSError {
    AWSError("DBInstanceNotFound", "DBInstance \(id) not found.", status: 404)
  }
  static let instanceExists = AWSError("DBInstanceAlreadyExists", "DB instance already exists")
  static func instanceState(_ message: String) -> AWSError { AWSError("InvalidDBInstanceState", message) }
  static func subnetGroupNotFound(_ name: String) -> AWSError {
    AWSError("DBSubnetGroupNotFoundFault", "DB subnet group '\(name)' does not exist.", status: 404)
  }
  static func subnetGroupExists(_ name: String) -> AWSError {
    AWSError("DBSubnetGroupAlreadyExists", "The DB subnet group '\(name)' already exists.")
  }
  static func parameterGroupNotFound(_ name: String) -> AWSError {
    AWSError("DBParameterGroupNotFound", "DBClusterParameterGroup not found: \(name)", status: 404)
  }
  static func clusterParameterGroupNotFound(_ name: String) -> AWSError {
    AWSError("DBClusterParameterGroupNotFound", "DBClusterParameterGroup not found: \(name)", status: 404)
  }
  static func snapshotNotFound(_ id: String) -> AWSError {
    AWSError("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot \(id) not found.", status: 404)
  }
  static func snapshotExists(_ id: String) -> AWSError {
    AWSError(
      "DBClusterSnapshotAlreadyExistsFault",
      "Cannot create the cluster snapshot because one with the identifier \(id) already exists.")
  }
  static func keyNotAccessible(_ key: String, _ why: String) -> AWSError {
    AWSError(
      "KMSKeyNotAccessibleFault",
      "The specified KMS key [\(key)] does not exist, is not enabled or you do not have permissions "
        + "to access it: \(why)"
    )
  }
  static func quota(_ code: String, _ message: String, status: Int = 400) -> AWSError {
    AWSError(code, message, status: status)
  }
  static func invalid(_ message: String) -> AWSError { AWSError("InvalidParameterValue", message) }
  static func combination(_ message: String) -> AWSError { AWSError("InvalidParameterCombination", message) }
  /// What a stack is told of a resource that will not become available.
  static func notStabilized(_ what: String, _ status: String, _ why: String?) -> AWSError {
    AWSError("NotStabilized", "\(what) is in state: \(status)." + (why.map { " \($0)" } ?? ""))
  }
  static let notInstalled = AWSError(
    "InsufficientDBInstanceCapacity", PostgresError.notInstalled.description, status: 400)
}
