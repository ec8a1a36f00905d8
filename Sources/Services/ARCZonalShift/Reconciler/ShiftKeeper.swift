// Keeps the Gate at the shifts that are active, and ends those whose time is over or whose load balancer can be
// shifted no more.

import AWSCore
import GateProtocol
import ServiceKit
import Store

/// One per service. Rounds are serialised: a caller of `apply` gets the outcome of a round that began after its call.
actor ShiftKeeper {
  /// The name of this service's part at the controller.
  static let partName = "arc-zonal-shift"
  /// ELBv2's records of load balancers: one may go, or be shifted no more.
  private static let loadBalancers = "elbv2.load-balancer"

  private let environment: ServiceEnvironment
  private let gate: GateController?
  private var requested = 0
  private var running: (upTo: Int, task: Task<Void, Never>)?
  private var isRunning = false
  /// Sleeps until the next shift expires.
  private var timer: Task<Void, Never>?

  init(_ environment: ServiceEnvironment, gate: GateController?) {
    self.environment = environment
    self.gate = gate
  }

  /// Applies at the start, whenever the store has news and whenever a shift expires, until the task is cancelled.
  func run() async {
    isRunning = true
    defer {
      isRunning = false
      timer?.cancel()
    }
    let changes = environment.store.changes(in: [ShiftRecord.collection, Self.loadBalancers])
    await apply()
    for await _ in changes { await apply() }
  }

  /// Brings the Gate to the store's state; a Gate that is away is told when it comes back.
  func apply() async {
    requested += 1
    let mine = requested
    while let running {
      await running.task.value
      if running.upTo >= mine { return }
    }
    let task = Task {
      // Cleared before anybody who waits for this task goes on.
      defer { self.running = nil }
      await self.round()
    }
    running = (requested, task)
    await task.value
  }

  private func round() async {
    do {
      let now = environment.clock.now
      let active = try await environment.store.read { snapshot in
        try snapshot.list(ShiftRecord.self).filter { $0.1.isActive(at: now) }
      }
      var part = GateController.Part()
      var gone: Set<String> = []
      for (scope, shift) in active {
        if await isManaged(shift, scope) {
          part.shiftedZones[shift.resource, default: []].insert(shift.zone)
        } else {
          gone.insert(shift.id)
        }
      }
      if !gone.isEmpty { try await cancel(gone, now) }
      wake(at: active.map(\.1).filter { !gone.contains($0.id) }.map(\.expires).min())
      _ = try await gate?.set(part, for: Self.partName)
    } catch GateError.disconnected {
      environment.logger.debug("the gate is away; zonal shifts are applied when it comes back")
    } catch {
      environment.logger.error("zonal shifts could not be applied", metadata: ["error": "\(error)"])
    }
  }

  /// A shift of which that cannot be found out goes on: the Gate waits for this service's part.
  private func isManaged(_ shift: ShiftRecord, _ scope: Scope) async -> Bool {
    let call = environment.call(
      as: ARCZonalShiftService.servicePrincipal, account: scope.account, region: scope.region)
    do {
      return try await ManagedResources(call).isManaged(shift.resource)
    } catch {
      environment.logger.error(
        "nothing is known of a load balancer that is shifted",
        metadata: ["loadBalancer": "\(shift.resource)", "error": "\(error)"])
      return true
    }
  }

  private func cancel(_ gone: Set<String>, _ now: Timestamp) async throws {
    try await environment.store.write { tx in
      for (scope, var shift) in try tx.list(ShiftRecord.self) where gone.contains(shift.id) && shift.cancelled == nil {
        shift.cancelled = now
        try tx.put(shift, scope)
      }
    }
  }

  private func wake(at next: Timestamp?) {
    timer?.cancel()
    timer = nil
    guard isRunning, let next else { return }
    let clock = environment.clock
    timer = Task {
      // Cancelled when another shift expires first, or when the service ends.
      do { try await clock.sleep(until: next) } catch { return }
      await self.apply()
    }
  }
}
