// The control plane as a process in the background: started under a shim, found again by what it wrote of itself.

import AWSCore
import CastleServer
import Foundation
import Supervisor

struct Daemon {
  let stateDirectory: String
  private static let id = "castle"

  private var processes: String { "\(stateDirectory)/daemon" }
  var logFile: String { "\(stateDirectory)/castle.log" }

  /// The client of the castle that runs over the state; nil when none does.
  func running() throws -> CastleClient? {
    guard let running = try RunningFile.read(stateDirectory: stateDirectory),
      let owner = try OwnerFile.read(stateDirectory: stateDirectory)
    else { return nil }
    return CastleClient(endpoint: running.endpoint, owner: owner)
  }

  /// Starts a control plane and returns when it takes requests.
  /// - Parameter arguments: those of `castle serve` besides the state.
  /// - Throws: a `Complaint` with the end of its log when it does not come up.
  func start(_ arguments: [String]) async throws -> CastleClient {
    try PrivateFiles.makeDirectory(stateDirectory, mode: 0o711)
    let supervisor = try Supervisor(stateDirectory: processes)
    // A control plane that was killed leaves its record; the one before us may also still be on its way down.
    if let old = await supervisor.adopt(Self.id) { _ = try await old.exit }
    supervisor.forget(Self.id)
    var environment = ProcessInfo.processInfo.environment
    environment["CASTLE_STATE"] = stateDirectory
    var specification = ProcessSpecification(
      id: Self.id, executable: EngineProbe.besideExecutable("castle"),
      arguments: ["serve", "--state", stateDirectory] + arguments, environment: environment,
      workingDirectory: FileManager.default.currentDirectoryPath, logFile: logFile, stopGrace: 30,
      fileModeMask: 0o022)
    specification.leavesDescendants = true
    let process = try await supervisor.start(specification)
    while process.isRunning {
      if let client = try running() { return client }
      // The castle says that it is ready by renaming a file into place; there is no handle of it to wait on yet.
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Complaint(
      "The castle did not come up (\(try await process.exit)). The end of \(logFile):\n"
        + PrivateFiles.tail(logFile, bytes: 2000))
  }

  /// Returns when the control plane's process is gone.
  func waitForEnd() async throws {
    let supervisor = try Supervisor(stateDirectory: processes)
    if let process = await supervisor.adopt(Self.id) { _ = try await process.exit }
    supervisor.forget(Self.id)
  }
}
