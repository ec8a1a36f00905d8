// Keeps castle-gate running. It hangs on a shim, so it outlives this process; a restarted control plane adopts it.

import AWSCore
import Logging
import ServiceKit
import Supervisor

/// The Gate's process.
struct GateProcess: Sendable {
  static let id = "gate"
  /// Seconds that what is in flight has to end when the castle goes down.
  private static let drainTime = 5.0
  let supervisor: Supervisor
  let program: String
  let directory: String
  /// Whether it writes its table of nftables.
  let filtersPackets: Bool
  let logger: Logger

  var socketPath: String { "\(directory)/gate.sock" }

  /// Adopts the running Gate or starts one, and starts it again whenever it ends, until the task is cancelled.
  func run() async throws {
    var process = supervisor.process(Self.id)
    if process?.isRunning != true { process = try await start() }
    while let running = process {
      let exit = try await running.exit
      logger.warning("the gate ended and is started again", metadata: ["exit": "\(exit)"])
      process = try await start()
    }
  }

  func start() async throws -> ManagedProcess {
    try await supervisor.start(
      ProcessSpecification(
        id: Self.id, executable: program,
        arguments: [
          "--socket", socketPath, "--state", "\(directory)/gate.state", "--drain", "\(Self.drainTime)",
          "--nftables", filtersPackets ? "on" : "off",
        ],
        // The master kills a worker that is not done two seconds after its time.
        logFile: "\(directory)/gate.log", stopGrace: Self.drainTime + 4))
  }

  func stop() async {
    if let process = supervisor.process(Self.id) { _ = await process.stop() }
  }
}
