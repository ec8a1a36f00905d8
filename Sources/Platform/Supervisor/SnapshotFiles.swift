// The files of snapshots: copies of an engine's data, made while its servers are stopped.

import CLinux
import Glibc

/// The snapshots of one service.
public struct SnapshotFiles: Sendable {
  /// Names the processes that copy.
  private let label: String
  private let directory: String
  private let leftOut: [String]

  /// - Parameters:
  ///   - service: as in `rds`.
  ///   - root: the directory of all the service's data; the snapshots get a directory in it.
  ///   - leftOut: paths in the data directory that do not belong into a snapshot.
  public init(_ service: String, root: String, leavingOut leftOut: [String] = []) {
    label = "\(service)-snapshot"
    directory = "\(root)/snapshots"
    self.leftOut = leftOut
  }

  /// Where a snapshot's copy goes.
  public func folder(account: String, region: String, id: String) -> String {
    "\(directory)/\(account)-\(region)-\(id)"
  }

  /// Copies a data directory: whole, or not at all. Blocks are shared with the original where the file system can.
  /// - Parameter folder: of ``folder(account:region:id:)``; the copy is `data` in it.
  /// - Throws: `SupervisorError`.
  public func copy(_ source: String, to folder: String, supervisor: Supervisor) async throws {
    let (directory, leftOut) = (directory, leftOut)
    try await BlockingQueue.once(label) {
      try PrivateFiles.makeDirectory(directory, mode: 0o700)
      try PrivateFiles.remove(folder + ".new")
      try PrivateFiles.makeDirectory(folder + ".new", mode: 0o700)
    }
    try await supervisor.run(
      ProcessSpecification(
        id: "\(label)/\(folder.suffix(140))", executable: "/bin/cp",
        arguments: ["-a", "--reflink=auto", source, folder + ".new/data"], logFile: folder + ".log"),
      timeout: 600)
    try await BlockingQueue.once(label) {
      for path in leftOut { try PrivateFiles.remove("\(folder).new/data/\(path)") }
      try PrivateFiles.remove(folder)
      let code = castle_sync_filesystem(folder + ".new")
      if code != 0 { throw SupervisorError.file(path: folder, errno: -code) }
      if rename(folder + ".new", folder) != 0 { throw SupervisorError.file(path: folder, errno: errno) }
      try PrivateFiles.remove(folder + ".log")
    }
  }

  /// Removes a snapshot's copy.
  public func remove(_ folder: String) async throws {
    try await BlockingQueue.once(label) { try PrivateFiles.remove(folder) }
  }
}
