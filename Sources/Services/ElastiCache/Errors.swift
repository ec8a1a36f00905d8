// ElastiCache's errors, in its own words.

import AWSCore

enum CacheError {
  static func groupNotFound(_ id: String) -> AWSError {
    AWSError("ReplicationGroupNotFoundFault", "ReplicationGroup \(id) not found.", status: 404)
  }
  static func groupExists(_ id: String) -> AWSError {
    AWSError("ReplicationGroupAlreadyExists", "Replication group \(id) already exists")
  }
  static func groupState(_ message: String) -> AWSError { AWSError("InvalidReplicationGroupState", message) }
  static func clusterNotFound(_ id: String) -> AWSError {
    AWSError("CacheClusterNotFound", "CacheCluster not found: \(id)", status: 404)
  }
  static func subnetGroupNotFound(_ name: String) -> AWSError {
    AWSError("CacheSubnetGroupNotFoundFault", "Cache Subnet Group \(name) does not exist.")
  }
  static func subnetGroupExists(_ name: String) -> AWSError {
    AWSError("CacheSubnetGroupAlreadyExists", "Cache subnet group \(name) already exists.")
  }
  static func parameterGroupNotFound(_ name: String) -> AWSError {
    AWSError("CacheParameterGroupNotFound", "CacheParameterGroup \(name) not found.", status: 404)
  }
  /// What a stack is told of a resource that will not become available.
  static func notStabilized(_ what: String, _ status: String, _ why: String?) -> AWSError {
    AWSError("NotStabilized", "\(what) is in state: \(status)." + (why.map { " \($0)" } ?? ""))
  }
  static func invalid(_ message: String) -> AWSError { AWSError("InvalidParameterValue", message) }
  static func combination(_ message: String) -> AWSError { AWSError("InvalidParameterCombination", message) }
}
