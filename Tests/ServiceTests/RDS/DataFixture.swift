// RDS and ElastiCache with what they call, over a store in a folder of their own; with real servers and a real
// castle-gate where a test asks for them.

import AWSCore
import AWSWire
import CastleTesting
import EC2Model
import EC2Service
import Foundation
import GateProtocol
import KMSService
import SecretsManagerService
import ServiceKit
import Supervisor

@testable import ElastiCacheService
@testable import RDSService

/// The services. One control plane's worth; `again` is the next one over the same store and servers.
struct DataFixture: Sendable {
  let harness: ServiceHarness
  let supervisor: Supervisor
  let gate: GateController
  let rds: RDSService
  let elasticache: ElastiCacheService
  let dispatcher: Dispatcher

  private struct Made {
    var supervisor: Supervisor
    var gate: GateController
    var rds: RDSService
    var elasticache: ElastiCacheService
    var all: [any AWSService]

    init(_ environment: ServiceEnvironment) throws {
      supervisor = try Supervisor(stateDirectory: environment.directory + "/processes")
      gate = GateController(socketPath: environment.directory + "/gate.sock", awaiting: ["rds", "elasticache"])
      rds = RDSService(environment, supervisor: supervisor, gate: gate)
      elasticache = ElastiCacheService(environment, supervisor: supervisor, gate: gate)
      all = [
        EC2Service(environment), KMSService(environment), SecretsManagerService(environment), rds, elasticache,
      ]
    }
  }

  private init(_ harness: ServiceHarness, _ made: Made) {
    self.harness = harness
    supervisor = made.supervisor
    gate = made.gate
    rds = made.rds
    elasticache = made.elasticache
    dispatcher = Dispatcher(services: made.all, authority: OpenAuthority())
    harness.environment.connect(invoker: dispatcher)
  }

  /// Services whose loops do not run: operations and records only.
  static func quiet(_ body: (DataFixture) async throws -> Void) async throws {
    var made: Made?
    let harness = try ServiceHarness(
      clock: SystemClock(),
      collections: EC2Service.collections + KMSService.collections + SecretsManagerService.collections
        + RDSService.collections + ElastiCacheService.collections
    ) { environment in
      let new = try Made(environment)
      made = new
      return new.all
    }
    defer { harness.remove() }
    guard let made else { return }
    let fixture = DataFixture(harness, made)
    try await EC2Service(harness.environment).prepareAccount("000000000000", region: "us-east-1")
    try await body(fixture)
  }

  /// With castle-gate and running loops. All processes end with the body.
  static func running(_ body: (DataFixture) async throws -> Void) async throws {
    try await withGate { f in try await f.whileRunning { try await body(f) } }
  }

  /// With castle-gate; the loops run when the body says so. All processes end with the body.
  static func withGate(_ body: (DataFixture) async throws -> Void) async throws {
    try await quiet { fixture in
      let directory = fixture.harness.directory
      chmod(directory, 0o711)
      _ = try await fixture.supervisor.start(
        ProcessSpecification(
          id: "gate", executable: EngineProbe.besideExecutable("castle-gate"),
          arguments: ["--socket", directory + "/gate.sock", "--drain", "1"], logFile: directory + "/gate.log"))
      do {
        try await body(fixture)
      } catch {
        await fixture.printLogs()
        await fixture.endProcesses()
        throw error
      }
      await fixture.endProcesses()
    }
  }

  /// Runs the loops until the body returns.
  func whileRunning(_ body: () async throws -> Void) async throws {
    let loops = [
      Task { await self.gate.run() }, Task { await self.loop(self.rds) }, Task { await self.loop(self.elasticache) },
    ]
    func end() async {
      for loop in loops { loop.cancel() }
      for loop in loops { await loop.value }
    }
    do { try await body() } catch {
      await end()
      throw error
    }
    await end()
  }

  private func loop(_ service: some AWSService) async {
    do { try await service.run() } catch { print("the loop of \(type(of: service)) ended: \(error)") }
  }

  /// The next control plane.
  func again() throws -> DataFixture { DataFixture(harness, try Made(harness.environment)) }

  private func endProcesses() async {
    for process in await supervisor.adopt() { await process.stop(signal: SIGKILL, grace: 0) }
  }

  private func printLogs() async {
    for root in ["rds", "elasticache"] {
      for cluster in (try? PrivateFiles.list("\(harness.directory)/\(root)")) ?? [] {
        let logs = "\(harness.directory)/\(root)/\(cluster)/logs"
        for name in (try? PrivateFiles.list(logs)) ?? [] {
          print("--- \(cluster)/\(name)\n\(PrivateFiles.tail(logs + "/" + name, bytes: 2000))")
        }
      }
    }
    print("--- gate\n\(PrivateFiles.tail(harness.directory + "/gate.log"))")
  }

  // MARK: Calls

  @discardableResult
  func run<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }) async throws -> O {
    var input = I()
    configure(&input)
    return try await dispatcher.invoke(operation, input, harness.call())
  }

  /// The error that an operation answers; nil when there is none.
  func refusal<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void) async throws -> AWSError? {
    do {
      try await run(operation, configure)
      return nil
    } catch let error as AWSError { return error }
  }

  func context(_ logicalID: String) -> ResourceContext {
    ResourceContext(
      stackName: "shop", stackID: "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/1", logicalID: logicalID,
      tags: ["aws:cloudformation:stack-name": "shop"], call: harness.call())
  }

  /// The running servers of a kind (`postgres`, `redis`), by process id.
  func servers(_ kind: String) async -> [Int32] {
    await supervisor.adopt().filter { $0.id.hasPrefix(kind + "/") }.map(\.pid).sorted()
  }

  func subnets() async throws -> [String] {
    try await run(EC2.describeSubnets).subnets?.compactMap(\.subnetId) ?? []
  }

  /// Runs a program to its end and gives its output.
  func tool(_ name: String, _ arguments: [String], environment: [String: String] = [:]) async throws -> String {
    var variables = ProcessSpecification.minimalEnvironment
    variables.merge(environment) { _, new in new }
    let id = "tool-\(SystemIdentifiers().hex(8))"
    let output = try await supervisor.run(
      ProcessSpecification(
        id: id, executable: name, arguments: arguments, environment: variables,
        logFile: "\(harness.directory)/\(id).log"), timeout: 60)
    return output.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

/// Milliseconds since an instant, for what tests print.
func millisecondsSince(_ start: ContinuousClock.Instant) -> Int {
  let passed = ContinuousClock.now - start
  return Int(passed.components.seconds * 1000 + passed.components.attoseconds / 1_000_000_000_000_000)
}
