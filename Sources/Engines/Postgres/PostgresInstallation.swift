// The PostgreSQL programs of the machine, and the template from which every new cluster is copied.

import AWSCore
import CLinux
import Glibc
import Supervisor
import Synchronization

/// A version of PostgreSQL that is installed.
public struct PostgresInstallation: Sendable, Hashable {
  /// Holds postgres, initdb, pg_basebackup, pg_rewind.
  public var binDirectory: String
  /// `15.18`.
  public var version: String

  public init(binDirectory: String, version: String) {
    self.binDirectory = binDirectory
    self.version = version
  }

  /// The newest one of the machine.
  /// - Throws: `PostgresError.notInstalled`.
  public static func find() async throws -> PostgresInstallation {
    for program in await EngineProbe.postgres() {
      if let version = program.version {
        return PostgresInstallation(binDirectory: program.directory, version: version)
      }
    }
    throw PostgresError.notInstalled
  }

  var major: String { String(version.prefix { $0 != "." }) }
  func program(_ name: String) -> String { binDirectory + "/" + name }
}

/// Makes the template of a data root once, whoever asks first. initdb takes 1.5 s and more, a copy 0.1 s.
actor PostgresTemplates {
  static let shared = PostgresTemplates()
  private var making: [String: Task<String, any Error>] = [:]

  /// The data directory of a cluster that was made and never started: its role `castle_admin` has no password yet.
  func data(
    _ installation: PostgresInstallation, root: String, user: SystemUser?, supervisor: Supervisor
  ) async throws -> String {
    let directory = "\(root)/.template-\(installation.major)"
    if let task = making[directory] {
      let data = try await task.value
      // Somebody may have emptied the data root since.
      if await BlockingQueue("template").run({ PrivateFiles.exists(data) }) { return data }
      if making[directory] == task { making[directory] = nil }
      return try await self.data(installation, root: root, user: user, supervisor: supervisor)
    }
    let task = Task { try await Self.make(installation, directory: directory, user: user, supervisor: supervisor) }
    making[directory] = task
    do { return try await task.value } catch {
      making[directory] = nil
      throw error
    }
  }

  private static func make(
    _ installation: PostgresInstallation, directory: String, user: SystemUser?, supervisor: Supervisor
  ) async throws -> String {
    let isThere = try await BlockingQueue.once("template") { () throws -> Bool in
      if PrivateFiles.exists(directory + "/data") { return true }
      try PrivateFiles.remove(directory + "/new")
      try PrivateFiles.makeDirectory(directory, mode: 0o700, owner: user)
      return false
    }
    if isThere { return directory + "/data" }
    try await supervisor.run(
      ProcessSpecification(
        id: "postgres-template\(directory.suffix(120))", executable: installation.program("initdb"),
        arguments: [
          "--pgdata=\(directory)/new", "--username=\(PostgresConfiguration.administrator)", "--encoding=UTF8",
          "--locale=C.UTF-8", "--auth-local=reject", "--auth-host=scram-sha-256", "--pwfile=/dev/stdin",
          "--data-checksums", "--no-sync", "--no-instructions",
        ], workingDirectory: directory, user: user, logFile: directory + ".log"),
      // Replaced by a password of its own in each cluster before that one listens.
      input: Array((SystemIdentifiers().alphanumeric(40) + "\n").utf8), timeout: 120)
    try await BlockingQueue.once("template") {
      let code = castle_sync_filesystem(directory)
      if code != 0 { throw SupervisorError.file(path: directory, errno: -code) }
      if rename(directory + "/new", directory + "/data") != 0 {
        throw SupervisorError.file(path: directory + "/data", errno: errno)
      }
    }
    return directory + "/data"
  }
}
