// One running (or ended) child: its end as an event, signals without pid races, the stop ladder.

import AWSCore
import CLinux
import Glibc
import Synchronization

/// A process that a `Supervisor` started or adopted.
public final class ManagedProcess: Sendable {
  public let id: String
  public let pid: Int32
  /// Clock ticks since boot.
  public let startTime: UInt64
  public let startedAt: Timestamp
  public let logFile: String
  public let labels: [String: String]
  /// Whether it was found running, not started, by this control plane.
  public let isAdopted: Bool

  private struct State {
    var childFD: Int32 = -1
    var shimFD: Int32 = -1
    /// Ends still to be seen: the child's and its shim's.
    var open = 0
    var exit: ProcessExit?
    var nextWaiter = 0
    var waiters: [Int: Waiter] = [:]
  }
  private struct Waiter {
    var ended: @Sendable (ProcessExit) -> Void
    var cancelled: (@Sendable () -> Void)?
  }
  private let state = Mutex(State())
  private let statusFile: String
  private let shim: (pid: Int32, startTime: UInt64)

  init(record: ProcessRecord, statusFile: String, isAdopted: Bool) {
    id = record.id
    pid = record.child
    startTime = record.childStart
    startedAt = record.startedAt
    logFile = record.logFile
    labels = record.labels
    self.isAdopted = isAdopted
    self.statusFile = statusFile
    shim = (record.shim, record.shimStart)
    watch(record)
  }

  deinit {
    let fds = state.withLock { [$0.childFD, $0.shimFD] }
    for fd in fds where fd >= 0 { close(fd) }
  }

  /// The shim writes the status file, ends what its child left behind, and ends; so both ends together mean that the
  /// status can be read and that nothing of the process is left. A shim that was killed leaves an unknown end.
  private func watch(_ record: ProcessRecord) {
    let child = Self.open(record.child, record.childStart)
    let shim = Self.open(record.shim, record.shimStart)
    state.withLock { s in
      s.childFD = child
      s.shimFD = shim
      s.open = (child >= 0 ? 1 : 0) + (shim >= 0 ? 1 : 0)
    }
    if child < 0 && shim < 0 { return finish() }
    // The watcher holds this object until the process has ended.
    for fd in [child, shim] where fd >= 0 { ExitWatcher.shared.watch(fd) { self.sawEnd() } }
  }

  /// A pidfd of exactly this process, or -1 when it has ended.
  private static func open(_ pid: Int32, _ startTime: UInt64) -> Int32 {
    let fd = castle_pidfd_open(pid)
    guard fd >= 0 else { return -1 }
    // Only after the descriptor is held does the number surely belong to what it names.
    if ProcFS.stat(pid)?.startTime == startTime { return fd }
    close(fd)
    return -1
  }

  private func sawEnd() {
    let isLast = state.withLock { s in
      s.open -= 1
      return s.open == 0
    }
    if isLast { finish() }
  }

  private func finish() {
    var exit = ProcessExit(.unknown)
    // Of the same shim: the child may be another one by now, started again.
    if let record = ProcessRecord.read(statusFile), record.shim == shim.pid, record.shimStart == shim.startTime,
      let recorded = record.exit
    {
      exit = recorded
    }
    let waiters = state.withLock { s -> [Waiter] in
      s.exit = exit
      defer { s.waiters = [:] }
      for fd in [s.childFD, s.shimFD] where fd >= 0 { close(fd) }
      s.childFD = -1
      s.shimFD = -1
      return Array(s.waiters.values)
    }
    for waiter in waiters { waiter.ended(exit) }
  }

  // MARK: The end

  /// How it ended; `nil` while it runs.
  public var exitNow: ProcessExit? { state.withLock { $0.exit } }

  public var isRunning: Bool { exitNow == nil }

  /// Calls back when it has ended, at once if it has. The body runs on the watcher's thread: it must be short.
  public func onExit(_ body: @escaping @Sendable (ProcessExit) -> Void) { _ = register(body) }

  /// Returns how it ended, when it has.
  /// - Throws: `CancellationError` when the waiting task is cancelled.
  public var exit: ProcessExit {
    get async throws {
      let slot = Mutex<Int?>(nil)
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<ProcessExit, any Error>) in
          let once = Once(continuation)
          let token = register {
            once.resume(.success($0))
          } cancelled: {
            once.resume(.failure(CancellationError()))
          }
          slot.withLock { $0 = token }
          if Task.isCancelled { cancel(token) }
        }
      } onCancel: {
        if let token = slot.withLock({ $0 }) { cancel(token) }
      }
    }
  }

  /// Returns how it ended, or `nil` when it has not within so many seconds.
  public func exit(within seconds: Double) async throws -> ProcessExit? {
    if let exit = exitNow { return exit }
    return try await withThrowingTaskGroup(of: ProcessExit?.self) { group in
      group.addTask { try await self.exit }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        return nil
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
  }

  private func register(
    _ ended: @escaping @Sendable (ProcessExit) -> Void, cancelled: (@Sendable () -> Void)? = nil
  ) -> Int {
    let (token, exit) = state.withLock { s -> (Int, ProcessExit?) in
      s.nextWaiter += 1
      if s.exit == nil { s.waiters[s.nextWaiter] = Waiter(ended: ended, cancelled: cancelled) }
      return (s.nextWaiter, s.exit)
    }
    if let exit { ended(exit) }
    return token
  }

  private func cancel(_ token: Int) {
    state.withLock { $0.waiters.removeValue(forKey: token) }?.cancelled?()
  }

  // MARK: Signals

  /// Sends a signal to the process itself (never to another one that got its number). Ended processes are let be.
  public func signal(_ number: Int32) {
    state.withLock { s in
      if s.exit == nil && s.childFD >= 0 { _ = castle_pidfd_signal(s.childFD, number) }
    }
  }

  /// SIGKILL; what the process started goes with it.
  public func kill() { signal(SIGKILL) }

  /// Asks it to end, and kills it when it has not within the grace. Returns when it is gone, whatever becomes of the
  /// calling task.
  /// - Parameter interval: asks again after so many seconds, for programs that may refuse at first; `nil` asks once.
  @discardableResult
  public func stop(
    signal number: Int32 = SIGTERM, grace seconds: Double = 10, repeatEvery interval: Double? = nil
  ) async -> ProcessExit {
    signal(number)
    // A task of its own: a cancelled caller must not cut the grace short.
    return await Task {
      let end = ContinuousClock.now + .seconds(seconds)
      while ContinuousClock.now < end {
        let left = (end - ContinuousClock.now) / .seconds(1)
        if let exit = try? await self.exit(within: min(left, interval ?? left)) { return exit }
        if interval != nil { self.signal(number) }
      }
      self.kill()
      return (try? await self.exit) ?? ProcessExit(.unknown)
    }.value
  }

  /// CPU time and memory of the process and all below it; `nil` when it has ended. Reads a few small files of /proc.
  public func resourceUse() -> ResourceUse? { isRunning ? ProcFS.use(of: pid) : nil }
}

/// A continuation that two may want to resume: the first one does.
final class Once<T: Sendable>: Sendable {
  private let continuation: Mutex<CheckedContinuation<T, any Error>?>
  init(_ continuation: CheckedContinuation<T, any Error>) { self.continuation = Mutex(continuation) }
  func resume(_ result: Result<T, any Error>) {
    let taken = continuation.withLock { c -> CheckedContinuation<T, any Error>? in
      defer { c = nil }
      return c
    }
    taken?.resume(with: result)
  }
}
