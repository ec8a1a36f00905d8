// The composition root: opens the state, connects the services, and runs everything until it is told to stop.

import AWSCore
import Certificates
import Dashboard
import Edge
import Foundation
import GateProtocol
import Logging
import ServiceKit
import Store
import Supervisor
import Synchronization

/// A castle over a state directory.
public final class Castle: Sendable {
  public let configuration: CastleConfiguration
  public let environment: ServiceEnvironment
  public let owner: OwnerFile
  public let dispatcher: Dispatcher
  public let gate: GateController
  let services: Services
  let gateProcess: GateProcess
  let supervisor: Supervisor
  /// Signs the endpoint's certificate and those that ACM issues.
  let certificates: CertificateAuthority
  private let logger: Logger
  private let stopping = AsyncStream<StopMode>.makeStream()
  private let isReady = Mutex(false)
  /// Opens when the endpoint is bound: tasks are told where it is, so nothing is started before.
  private let bound = Latch()

  /// What becomes of the engines when the castle stops.
  public enum StopMode: String, Sendable, Codable {
    /// They go on, and are adopted by the next control plane: a restart of the control plane alone.
    case leave
    /// They are ended, their data is kept: `castle down`.
    case down
    /// Everything that the castle made is removed: `castle destroy`.
    case destroy
  }

  /// Opens the state (one process at a time) and connects the services. Nothing runs yet.
  /// - Throws: `StoreError`, `SupervisorError`, with what to do about it.
  public init(_ configuration: CastleConfiguration, logger: Logger) throws {
    self.configuration = configuration
    self.logger = logger
    let directory = configuration.stateDirectory
    try PrivateFiles.makeDirectory(directory, mode: 0o711)
    let ids = SystemIdentifiers()
    owner = try OwnerFile.open(stateDirectory: directory, ids: ids)
    let store = try Store(directory: "\(directory)/store", collections: Services.collections)
    environment = ServiceEnvironment(
      store: store, clock: configuration.clock, ids: ids, logger: logger, directory: directory,
      account: configuration.account, region: configuration.region)
    let helpers = configuration.helperDirectory
    supervisor = try Supervisor(
      stateDirectory: "\(directory)/processes", shim: helpers.map { "\($0)/castle-shim" }, logger: logger)
    gateProcess = GateProcess(
      supervisor: supervisor,
      program: helpers.map { "\($0)/castle-gate" } ?? EngineProbe.besideExecutable("castle-gate"),
      directory: "\(directory)/gate", filtersPackets: configuration.filtersPackets, logger: logger)
    try PrivateFiles.makeDirectory("\(directory)/gate", mode: 0o700)
    gate = GateController(
      socketPath: gateProcess.socketPath, awaiting: ["elbv2", "rds", "elasticache", "wafv2", "arc-zonal-shift"])
    let key = AccessKey(
      id: owner.accessKeyID, secret: owner.secretAccessKey, principal: .root(account: configuration.account))
    certificates = CertificateAuthority(directory: "\(directory)/tls")
    services = try Services(
      environment, owner: key, gate: gate, supervisor: supervisor, certificates: certificates)
    dispatcher = Dispatcher(services: services.all, authority: services.authority)
    environment.connect(invoker: dispatcher)
  }

  /// Runs until `stop` is called or the task is cancelled; engines are then treated as the mode says
  /// (`.leave` on cancellation).
  /// - Parameter onReady: told the endpoint, once requests are taken.
  public func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
    let tls = try certificates.endpointContext(now: environment.clock.now)
    let chain = RequestChain(
      environment: environment, dispatcher: dispatcher,
      admission: Admission(
        isPermissive: configuration.admission == .permissive, ownerAccount: configuration.account,
        authority: services.authority),
      routes: controlRoutes(), token: owner.token)
    let edge = EdgeServer(
      configuration: .init(listener: configuration.listener, tls: tls), chain: chain)
    _ = await supervisor.adopt()
    let mode = try await withThrowingTaskGroup(of: StopMode?.self) { group in
      group.addTask {
        try await edge.run { endpoint in
          self.environment.setEndpoint(endpoint)
          self.bound.open()
          await self.started(endpoint, onReady)
        }
        return nil
      }
      group.addTask {
        try await self.gateProcess.run()
        return nil
      }
      group.addTask {
        await self.gate.run()
        return nil
      }
      group.addTask {
        for await mode in self.stopping.stream { return mode }
        return StopMode.leave
      }
      for service in services.all {
        group.addTask {
          try await self.bound.wait()
          try await service.run()
          return nil
        }
      }
      defer { group.cancelAll() }
      // A service whose loop returns has nothing to do; one that throws ends the castle, since it would lie from then on.
      while let ended = try await group.next() { if let ended { return ended } }
      return .leave
    }
    try await finish(mode)
  }

  /// Ends `run`. From here on the castle says of itself that it does not run, so that who wants one waits for this one's
  /// end and starts another.
  public func stop(_ mode: StopMode) {
    unlink(RunningFile.path(configuration.stateDirectory))
    stopping.continuation.yield(mode)
    stopping.continuation.finish()
  }

  private func started(_ endpoint: String, _ onReady: @Sendable (String) async -> Void) async {
    do {
      try await prepareAccounts()
      try RunningFile(endpoint: endpoint, isKept: configuration.isKept)
        .write(stateDirectory: configuration.stateDirectory)
      isReady.withLock { $0 = true }
      await onReady(endpoint)
    } catch {
      logger.error("the castle could not be prepared", metadata: ["error": "\(error)"])
      stop(.leave)
    }
  }

  /// True once the fresh account is there and requests are answered.
  public var ready: Bool { isReady.withLock { $0 } }

  private func prepareAccounts() async throws {
    for service in services.all {
      try await service.prepareAccount(configuration.account, region: configuration.region)
    }
  }

  private func finish(_ mode: StopMode) async throws {
    if mode != .leave {
      await withTaskGroup(of: Void.self) { group in
        for service in services.all {
          group.addTask {
            do {
              try await mode == .destroy ? service.removeEverything() : service.stopEngines()
            } catch {
              self.logger.error("an engine could not be stopped", metadata: ["error": "\(error)"])
            }
          }
        }
      }
      await gateProcess.stop()
    }
    try await environment.store.close()
  }

  /// Empties the cloud: as after the first start.
  public func reset() async throws {
    for service in services.all { try await service.removeEverything() }
    try await environment.store.removeEverything()
    try await prepareAccounts()
  }

  /// The owner's own call.
  public func ownerCall(region: String? = nil) -> CallContext {
    CallContext(
      principal: .root(account: configuration.account), account: configuration.account,
      region: region ?? configuration.region, requestID: environment.ids.uuid(), environment: environment)
  }
}
