// The control plane as a process in the background: started under a shim that holds its socket and starts it again when
// it is killed, and found again by what it wrote of itself.

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
  /// - Parameters:
  ///   - host: the IPv4 or IPv6 address to listen on.
  ///   - port: the port; 0 lets the system pick.
  ///   - arguments: those of `castle serve` besides the state and where it listens.
  /// - Throws: a `Complaint` with the end of its log when it does not come up.
  func start(host: String = "127.0.0.1", port: UInt16, _ arguments: [String] = []) async throws -> CastleClient {
    try PrivateFiles.makeDirectory(stateDirectory, mode: 0o711)
    let supervisor = try Supervisor(stateDirectory: processes)
    // The one before us may still be on its way down, or somebody else has just started one.
    if let old = await supervisor.adopt(Self.id), let client = try await ready(old) { return client }
    supervisor.forget(Self.id)
    var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("LISTEN_") }
    environment["CASTLE_STATE"] = stateDirectory
    var specification = ProcessSpecification(
      id: Self.id, executable: EngineProbe.besideExecutable("castle"),
      arguments: ["serve", "--state", stateDirectory] + arguments, environment: environment,
      workingDirectory: FileManager.default.currentDirectoryPath, logFile: logFile, stopGrace: 30,
      fileModeMask: 0o022)
    specification.leavesDescendants = true
    specification.respawns = true
    specification.listener = .init(host: host == "localhost" ? "127.0.0.1" : host, port: port)
    let process: ManagedProcess
    switch await Self.outcome({ try await supervisor.start(specification) }) {
    case .success(let started): process = started
    case .failure(SupervisorError.startFailed(_, stage: "listen", errno: let code)):
      throw Complaint(
        "The castle cannot listen on \(host):\(port): \(String(cString: strerror(code))).\n"
          + (code == EADDRINUSE ? "Something else has that port; choose another one with --port." : ""))
    case .failure(let error): throw error
    }
    if let client = try await ready(process) { return client }
    throw Complaint(
      "The castle did not come up (\(try await process.exit)). The end of \(logFile):\n"
        + PrivateFiles.tail(logFile, bytes: 2000))
  }

  private static func outcome<T>(_ body: () async throws -> T) async -> Result<T, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }

  /// Returns when the control plane takes requests; nil when it has ended.
  private func ready(_ process: ManagedProcess) async throws -> CastleClient? {
    while process.isRunning {
      if let client = try running() { return client }
      // The castle says that it is ready by renaming a file into place; there is no handle of it to wait on yet.
      try await Task.sleep(for: .milliseconds(20))
    }
    return nil
  }

  /// Returns when the control plane's process is gone.
  func waitForEnd() async throws {
    let supervisor = try Supervisor(stateDirectory: processes)
    if let process = await supervisor.adopt(Self.id) { _ = try await process.exit }
    supervisor.forget(Self.id)
  }
}
