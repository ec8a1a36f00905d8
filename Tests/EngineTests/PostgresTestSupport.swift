// What the tests with real engines share: a turn to wait for, a folder, addresses.

import Glibc
import Logging
import Supervisor
import Synchronization
import Testing

@testable import PostgresEngine

/// Lets two tests with real engines run at a time: more of them on two cores only make each other late.
actor EngineGate {
  static let shared = EngineGate()
  private var free = 2
  private var waiting: [CheckedContinuation<Void, Never>] = []

  private func enter() async {
    if free > 0 { free -= 1 } else { await withCheckedContinuation { waiting.append($0) } }
  }

  private func leave() { if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() } }

  nonisolated func turn<T>(_ body: () async throws -> T) async rethrows -> T {
    await enter()
    do {
      let result = try await body()
      await leave()
      return result
    } catch {
      await leave()
      throw error
    }
  }
}

/// A folder of a test's own that the engines' users can reach, and a supervisor; everything ends with the body.
struct EngineFixture: Sendable {
  let directory: String
  let supervisor: Supervisor
  /// 127.x.y.0/24 of this fixture.
  let network: String

  static func with(_ body: @Sendable (EngineFixture) async throws -> Void) async throws {
    try await EngineGate.shared.turn {
      var template = Array("/tmp/castle-engine-XXXXXX".utf8CString)
      guard let made = mkdtemp(&template) else { throw SupervisorError.file(path: "/tmp", errno: errno) }
      let directory = String(cString: made)
      chmod(directory, 0o711)
      let fixture = EngineFixture(
        directory: directory, supervisor: try Supervisor(stateDirectory: directory + "/state"),
        network: "127.\(Int.random(in: 20...250)).\(Int.random(in: 0...250))")
      do { try await body(fixture) } catch {
        await fixture.clean(isFailed: true)
        throw error
      }
      await fixture.clean(isFailed: false)
    }
  }

  func clean(isFailed: Bool) async {
    if isFailed { printLogs(directory) }
    for process in await supervisor.adopt() { await process.stop(signal: SIGKILL, grace: 0) }
    try? PrivateFiles.remove(directory)
  }

  private func printLogs(_ path: String) {
    for cluster in (try? PrivateFiles.list(path + "/data")) ?? [] {
      let logs = "\(path)/data/\(cluster)/logs"
      for name in (try? PrivateFiles.list(logs)) ?? [] {
        print("--- \(cluster)/\(name)\n\(PrivateFiles.tail(logs + "/" + name, bytes: 3000))")
      }
    }
  }

  var data: String { directory + "/data" }

  func postgres(_ id: String, instances count: Int) throws -> PostgresCluster.Specification {
    PostgresCluster.Specification(
      id: id, dataRoot: data,
      instances: try (1...count).map { number in
        let address = "\(network).\(number)"
        return .init(name: "\(id)-\(number)", address: address, port: try FreePort.on(address), promotionTier: number)
      }, masterUsername: "owner", masterPassword: "first password", databaseName: "shop")
  }

  /// A client as an application would be.
  func client(
    _ spec: PostgresCluster.Specification, _ name: String, password: String = "first password",
    database: String = "shop"
  ) throws -> PostgresClient {
    let instance = try #require(spec.instances.first { $0.name == name })
    return PostgresClient(
      .init(
        address: instance.address, port: instance.port, user: spec.masterUsername, password: password,
        database: database))
  }
}

/// Milliseconds, for what tests print.
func milliseconds(_ duration: Duration) -> Int {
  Int(duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000)
}
