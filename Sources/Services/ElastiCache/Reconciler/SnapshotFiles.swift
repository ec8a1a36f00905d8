// The files of snapshots: copies of the nodes' append-only files, made while the servers are stopped.

import CLinux
import Glibc
import Supervisor

enum SnapshotFiles {
  static func folder(root: String, account: String, region: String, id: String) -> String {
    "\(root)/snapshots/\(account)-\(region)-\(id)"
  }

  /// Copies a data directory: whole, or not at all. Blocks are shared with the original where the file system can.
  /// - Throws: `SupervisorError`.
  static func copy(_ source: String?, to folder: String, id: String, supervisor: Supervisor, root: String) async throws
  {
    guard let source else { return }
    try await BlockingQueue.once("elasticache-snapshot") {
      try PrivateFiles.makeDirectory(root + "/snapshots", mode: 0o700)
      try PrivateFiles.remove(folder + ".new")
      try PrivateFiles.makeDirectory(folder + ".new", mode: 0o700)
    }
    try await supervisor.run(
      ProcessSpecification(
        id: "elasticache-snapshot/\(folder.suffix(140))", executable: "/bin/cp",
        arguments: ["-a", "--reflink=auto", source, folder + ".new/data"], logFile: folder + ".log"),
      timeout: 600)
    try await BlockingQueue.once("elasticache-snapshot") {
      // The node's configuration holds tokens, and another node gets one of its own.
      try PrivateFiles.remove(folder + ".new/data/redis.conf")
      try PrivateFiles.remove(folder)
      let code = castle_sync_filesystem(folder + ".new")
      if code != 0 { throw SupervisorError.file(path: folder, errno: -code) }
      if rename(folder + ".new", folder) != 0 { throw SupervisorError.file(path: folder, errno: errno) }
      try PrivateFiles.remove(folder + ".log")
    }
  }
}
