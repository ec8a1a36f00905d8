// Where a cluster's files are, and the record it keeps of itself.

import FoundationEssentials
import Glibc
import Supervisor

/// The paths of a cluster:
/// `dataRoot/.template-15/data` the beginning of every cluster of that version,
/// `dataRoot/ID/cluster.json` the record (0600), `dataRoot/ID/pgpass` for replication (0600, the servers' user),
/// `dataRoot/ID/NAME/data` the data, `dataRoot/ID/logs/NAME.log` and `NAME-tool.log`.
struct PostgresFiles: Sendable {
  let root: String
  let directory: String
  let user: SystemUser?

  init(_ spec: PostgresCluster.Specification, user: SystemUser?) {
    root = spec.dataRoot
    directory = spec.directory
    self.user = user
  }

  var record: String { directory + "/cluster.json" }
  var passwordFile: String { directory + "/pgpass" }
  func instance(_ name: String) -> String { "\(directory)/\(name)" }
  func data(_ name: String) -> String { "\(directory)/\(name)/data" }
  func log(_ name: String) -> String { "\(directory)/logs/\(name).log" }
  func toolLog(_ name: String) -> String { "\(directory)/logs/\(name)-tool.log" }

  /// Makes the directory of an instance; the servers' user owns it, so that helper programs can make `data` in it.
  func makeInstance(_ name: String) throws {
    try PrivateFiles.makeDirectory(directory, mode: 0o711)
    // Ours, not the servers' user's: the shim opens the logs as who we are.
    try PrivateFiles.makeDirectory(directory + "/logs", mode: 0o700)
    try PrivateFiles.makeDirectory(instance(name), mode: 0o700, owner: user)
  }

  /// Writes the configuration of a server whose data is there.
  func configure(_ name: String, server: String, isReplica: Bool) throws {
    let data = data(name)
    try PrivateFiles.write(server.utf8, to: data + "/postgresql.conf", owner: user)
    try PrivateFiles.write(PostgresConfiguration.access.utf8, to: data + "/pg_hba.conf", owner: user)
    if isReplica {
      try PrivateFiles.write([], to: data + "/standby.signal", owner: user)
    } else {
      try PrivateFiles.remove(data + "/standby.signal")
    }
  }

  /// - Throws: `PostgresError.invalid` naming the directory that the servers' user cannot pass.
  func checkReachable() throws {
    guard let user, user.uid != 0 else { return }
    var path = ""
    for part in directory.split(separator: "/") {
      path += "/" + part
      var info = stat()
      guard stat(path, &info) == 0 else { return }  // What is missing will be made with the right mode.
      let bit: mode_t = info.st_uid == user.uid ? 0o100 : user.groups.contains(info.st_gid) ? 0o010 : 0o001
      if info.st_mode & bit == 0 {
        throw PostgresError.invalid(
          "the user \(user.name), as whom PostgreSQL runs, cannot pass \(path): chmod o+x it, or choose another data root"
        )
      }
    }
  }
}

/// What a cluster must know of itself across restarts of the control plane.
struct ClusterRecord: Codable, Sendable, Hashable {
  struct Instance: Codable, Sendable, Hashable {
    var hasData = false
    var needsRewind = false
    var follows: String?
    var parameters: [String: String] = [:]
  }
  var version = 1
  var administratorPassword: String
  var writer: String?
  var synchronous: Set<String> = []
  /// Roles and databases were made once.
  var isPrepared = false
  var instances: [String: Instance] = [:]

  static func read(_ path: String) throws -> ClusterRecord? {
    guard let bytes = try PrivateFiles.read(path) else { return nil }
    do { return try JSONDecoder().decode(ClusterRecord.self, from: Data(bytes)) } catch {
      throw PostgresError.record("\(path): \(error)")
    }
  }

  func write(_ path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try PrivateFiles.write(encoder.encode(self), to: path)
  }
}
