// A Gate inside the test process, with a client connected to it.
import GateProtocol
import Glibc
import Synchronization

@testable import GateCore

/// A running worker and the control connection to it.
struct GateFixture: Sendable {
  let client: GateClient
  let socketPath: String
  let folder: String

  /// Runs the body with a fresh Gate and ends it afterwards.
  static func with(
    loops: Int = 2, handshakeTime: Double = 10, sharesDescriptors: Bool = false,
    _ body: (GateFixture) async throws -> Void
  ) async throws {
    let folder = try temporaryFolder()
    let path = folder + "/gate.sock"
    let state = folder + "/state"
    let box = EndBox()
    let stopper = try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<GateStopper, any Error>) in
      startThread {
        do {
          var configuration = GateWorkerConfiguration(
            socketPath: path, stateFile: state, loops: loops, drainTime: 1, handshakeTime: handshakeTime)
          configuration.sharesDescriptors = sharesDescriptors
          let worker = try GateWorker(configuration)
          continuation.resume(returning: worker.stopper)
          worker.run()
        } catch {
          continuation.resume(throwing: error)
        }
        box.end()
      }
    }
    let fixture = GateFixture(client: try GateClient.connect(toSocketAt: path), socketPath: path, folder: folder)
    do {
      try await body(fixture)
    } catch {
      stopper.stop()
      await box.wait()
      removeFolder(folder, files: ["gate.sock", "state", "state.new"])
      throw error
    }
    fixture.client.close()
    stopper.stop()
    await box.wait()
    removeFolder(folder, files: ["gate.sock", "state", "state.new"])
  }

  /// Applies one load balancer with one listener; returns its port.
  @discardableResult
  func serve(
    _ version: UInt64 = 1, targets: [GateSnapshot.Target], rules: [GateSnapshot.Rule] = [],
    defaultAction: GateSnapshot.Action = .forward(to: "tg"),
    attributes: GateSnapshot.Attributes = .init(), group: GateSnapshot.TargetGroup? = nil
  ) async throws -> UInt16 {
    var targetGroup = group ?? GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
    targetGroup.targets = targets
    let listener = GateSnapshot.Listener(id: "listener", port: 0, rules: rules, defaultAction: defaultAction)
    let balancer = GateSnapshot.LoadBalancer(
      id: "lb", address: "127.0.0.1", listeners: [listener], attributes: attributes)
    let status = try await client.apply(
      GateSnapshot(version: version, loadBalancers: [balancer], targetGroups: [targetGroup]))
    guard let port = status.listener("listener")?.port else { throw TestFailure("not bound: \(status)") }
    return port
  }
}

/// Something that happens once, for which a task or a thread can wait.
final class EndBox: Sendable {
  private let semaphore = Semaphore()
  private let state = Mutex<(isEnded: Bool, waiter: CheckedContinuation<Void, Never>?)>((false, nil))

  func end() {
    let waiter = state.withLock { state in
      state.isEnded = true
      return state.waiter
    }
    waiter?.resume()
    semaphore.signal()
  }

  /// For plain threads.
  func waitBlocking() { semaphore.wait() }

  func wait() async {
    await withCheckedContinuation { continuation in
      let isEnded = state.withLock { state in
        if !state.isEnded { state.waiter = continuation }
        return state.isEnded
      }
      if isEnded { continuation.resume() }
    }
  }
}

func target(_ server: TestServer, _ state: GateSnapshot.Target.State = .registered) -> GateSnapshot.Target {
  GateSnapshot.Target(address: "127.0.0.1", port: server.port, state: state)
}

/// Sends bytes over a new connection and reads one answer.
func exchange(_ port: UInt16, _ request: String, toHEAD: Bool = false) async throws -> Message {
  try await onThread {
    let socket = try RawSocket(port: port)
    try socket.send(request)
    guard let message = try MessageReader(socket).next(toHEAD: toHEAD) else { throw TestFailure("no answer") }
    return message
  }
}

func get(_ port: UInt16, _ path: String = "/", _ headers: String = "") async throws -> Message {
  try await exchange(port, "GET \(path) HTTP/1.1\r\nHost: shop.test\r\n\(headers)\r\n")
}

/// Looks again until it holds, at most for the given time. For states that no event announces.
func eventually(seconds: Double = 5, _ condition: () async throws -> Bool) async throws -> Bool {
  let end = gateNow() + UInt64(seconds * 1e6)
  while gateNow() < end {
    if try await condition() { return true }
    try await Task.sleep(for: .milliseconds(10))
  }
  return try await condition()
}

func gateNow() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
}

/// A POSIX semaphore.
final class Semaphore: @unchecked Sendable {
  // A semaphore is made for use by many threads; its memory is never moved.
  private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(handle, 0, 0) }

  deinit {
    sem_destroy(handle)
    handle.deallocate()
  }

  func signal() { sem_post(handle) }
  func wait() { while sem_wait(handle) != 0 {} }
}
