// One task of the process runtime: its containers' states, events, the end of all when an essential one ends.

import AWSCore
import Glibc
import Logging
import Supervisor
import Synchronization

final class ProcessTask: RunningTask {
  let id: String
  let address: String
  let labels: [String: String]
  private let supervisor: Supervisor
  private let logger: Logger

  private struct Container {
    var state: ContainerState
    var process: ManagedProcess?
    var settings: ProcessTaskRuntime.Settings
    /// Why it is about to be ended, when we do that.
    var cause: ContainerExit.Reason?
  }
  private struct State {
    var containers: [Container] = []
    var history: [TaskEvent] = []
    var subscribers: [Int: AsyncStream<TaskEvent>.Continuation] = [:]
    var nextSubscriber = 0
    var areAllStarted = false
    var isEnding = false
    var isStopped = false
    var memoryWatch: Task<Void, Never>?
  }
  private let state = Mutex(State())

  /// How often memory is looked at, in seconds.
  static let memoryInterval = 1.0

  init(id: String, address: String, labels: [String: String], supervisor: Supervisor, logger: Logger) {
    self.id = id
    self.address = address
    self.labels = labels
    self.supervisor = supervisor
    self.logger = logger
  }

  // MARK: Set-up, by the runtime

  func add(_ name: String, _ process: ManagedProcess, _ settings: ProcessTaskRuntime.Settings) {
    state.withLock { s in
      let container = ContainerState(
        name: name, isEssential: settings.isEssential, pid: process.pid, startedAt: process.startedAt, exit: nil)
      s.containers.append(Container(state: container, process: process, settings: settings))
      Self.emit(.started(container: name, pid: process.pid), &s)
    }
    process.onExit { exit in self.ended(name, exit) }
  }

  func addEnded(_ name: String, _ record: ProcessRecord, _ settings: ProcessTaskRuntime.Settings) {
    state.withLock { s in
      let container = ContainerState(
        name: name, isEssential: settings.isEssential, pid: record.child, startedAt: record.startedAt, exit: nil)
      s.containers.append(Container(state: container, process: nil, settings: settings))
      Self.emit(.started(container: name, pid: record.child), &s)
    }
    ended(name, record.exit ?? ProcessExit(.unknown))
  }

  func allStarted() {
    let needsWatch = state.withLock { s -> Bool in
      s.areAllStarted = true
      Self.finishIfOver(&s)
      return !s.isStopped && s.containers.contains { $0.settings.memoryBytes != nil }
    }
    if needsWatch {
      let watch = Task { [weak self] in
        while !Task.isCancelled, let self, !self.isStopped {
          await self.checkMemory()
          do { try await Task.sleep(for: .seconds(Self.memoryInterval)) } catch { return }
        }
      }
      state.withLock { $0.memoryWatch = watch }
    }
    // An essential container may have ended while the others were being started.
    endOthersIfNeeded()
  }

  // MARK: Ends

  private func ended(_ name: String, _ exit: ProcessExit) {
    state.withLock { s in
      guard let index = s.containers.firstIndex(where: { $0.state.name == name && $0.state.exit == nil }) else {
        return
      }
      let end = Self.containerExit(exit, cause: s.containers[index].cause)
      s.containers[index].state.exit = end
      Self.emit(.exited(container: name, end), &s)
      if s.areAllStarted { Self.finishIfOver(&s) }
    }
    endOthersIfNeeded()
  }

  private static func containerExit(_ exit: ProcessExit, cause: ContainerExit.Reason?) -> ContainerExit {
    switch exit.reason {
    case .code(let code):
      ContainerExit(code: code, signal: nil, reason: cause ?? .exited, endedAt: exit.endedAt)
    case .signal(let number, _):
      ContainerExit(code: nil, signal: number, reason: cause ?? .exited, endedAt: exit.endedAt)
    case .unknown: ContainerExit(code: nil, signal: nil, reason: cause ?? .unknown, endedAt: exit.endedAt)
    }
  }

  private static func finishIfOver(_ s: inout State) {
    guard !s.isStopped, s.containers.allSatisfy({ $0.state.exit != nil }) else { return }
    s.isStopped = true
    emit(.stopped, &s)
    for subscriber in s.subscribers.values { subscriber.finish() }
    s.subscribers = [:]
    s.memoryWatch?.cancel()
  }

  private func endOthersIfNeeded() {
    let isNeeded = state.withLock { s -> Bool in
      guard s.areAllStarted, !s.isStopped, !s.isEnding,
        s.containers.contains(where: { $0.settings.isEssential && $0.state.exit != nil })
      else { return false }
      s.isEnding = true
      return true
    }
    if isNeeded { Task { await self.end(.essentialExited, grace: nil) } }
  }

  private func end(_ cause: ContainerExit.Reason, grace: Double?) async {
    let running = state.withLock { s -> [(String, ManagedProcess, ProcessTaskRuntime.Settings)] in
      s.isEnding = true
      var running: [(String, ManagedProcess, ProcessTaskRuntime.Settings)] = []
      for index in s.containers.indices where s.containers[index].state.exit == nil {
        s.containers[index].cause = s.containers[index].cause ?? cause
        if let process = s.containers[index].process {
          running.append((s.containers[index].state.name, process, s.containers[index].settings))
        }
      }
      return running
    }
    await withTaskGroup(of: Void.self) { group in
      for (name, process, settings) in running {
        group.addTask {
          let exit = await process.stop(signal: settings.stopSignal, grace: grace ?? settings.stopGrace)
          // The event may still be on its way; who waits for `stop` wants to see the end.
          self.ended(name, exit)
        }
      }
    }
  }

  // MARK: Memory

  private func checkMemory() async {
    let limited = state.withLock { s in
      s.containers.compactMap { container -> (String, ManagedProcess, UInt64)? in
        guard container.state.exit == nil, let process = container.process, let most = container.settings.memoryBytes
        else { return nil }
        return (container.state.name, process, most)
      }
    }
    for (name, process, most) in limited {
      let use = await BlockingQueue("task-memory").run { process.resourceUse() }
      guard let used = use?.residentBytes, used > most else { continue }
      logger.warning(
        "out of memory", metadata: ["task": "\(id)", "container": "\(name)", "used": "\(used)", "most": "\(most)"])
      state.withLock { s in
        if let index = s.containers.firstIndex(where: { $0.state.name == name }) {
          s.containers[index].cause = s.containers[index].cause ?? .outOfMemory
        }
      }
      process.kill()
    }
  }

  // MARK: RunningTask

  var containers: [ContainerState] { state.withLock { $0.containers.map(\.state) } }
  var isStopped: Bool { state.withLock { $0.isStopped } }

  private static func emit(_ event: TaskEvent, _ s: inout State) {
    s.history.append(event)
    for subscriber in s.subscribers.values { subscriber.yield(event) }
  }

  func events() -> AsyncStream<TaskEvent> {
    // Bounded by what can happen: two events for each container, and one.
    let (stream, continuation) = AsyncStream<TaskEvent>.makeStream()
    state.withLock { s in
      for event in s.history { continuation.yield(event) }
      if s.isStopped { return continuation.finish() }
      s.nextSubscriber += 1
      let key = s.nextSubscriber
      s.subscribers[key] = continuation
      continuation.onTermination = { [weak self] _ in
        // Not at once: finishing happens under the lock.
        Task { self?.unsubscribe(key) }
      }
    }
    return stream
  }

  private func unsubscribe(_ key: Int) { state.withLock { $0.subscribers[key] = nil } }

  func stop(grace: Double?) async {
    await end(.stopped, grace: grace)
    // A task whose start failed half-way is over as well.
    state.withLock { s in
      s.areAllStarted = true
      Self.finishIfOver(&s)
    }
  }

  func resourceUse() async -> [String: ResourceUse] {
    let running = state.withLock { s in
      s.containers.compactMap { c in c.state.exit == nil ? c.process.map { (c.state.name, $0) } : nil }
    }
    return await BlockingQueue("task-use").run {
      var uses: [String: ResourceUse] = [:]
      for (name, process) in running { uses[name] = process.resourceUse() }
      return uses
    }
  }

  func forget() async {
    guard isStopped else { return }
    let names = containers.map(\.name)
    let (supervisor, id) = (supervisor, id)
    await BlockingQueue("task-forget").run {
      for name in names { supervisor.forget(ProcessTaskRuntime.processID(id, name)) }
    }
  }
}
