// The state as server-sent events: one each second, and at once when something changes; one loop for all watchers,
// and none when nobody looks.

import AWSCore
import Edge
import Foundation
import GateProtocol
import ServiceKit

actor DashboardFeed {
  private let castle: Castle
  private let reporter: StateReporter
  private var watchers: [Int: AsyncStream<[UInt8]>.Continuation] = [:]
  private var nextWatcher = 0
  private var loop: Task<Void, Never>?

  /// Browsers that look at the same time; each holds a connection.
  private static let watchersMax = 64
  /// Changes that come closer together are shown together, in seconds.
  private static let interval = 0.1

  init(_ castle: Castle, _ reporter: StateReporter) {
    self.castle = castle
    self.reporter = reporter
  }

  static func encode(_ state: CastleState) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(state))
  }

  /// The stream, as an answer.
  func response() -> ControlResponse {
    guard watchers.count < Self.watchersMax else {
      return ControlResponse(status: 503, body: Array("Too many dashboards are open.\n".utf8))
    }
    return ControlResponse(
      contentType: "text/event-stream", headers: [("cache-control", "no-store")],
      stream: { [self] write in
        // A browser that lost the castle asks again after this many milliseconds.
        try await write(Array("retry: 1000\n\n".utf8))
        for await state in await watch() { try await write(Array("data: ".utf8) + state + Array("\n\n".utf8)) }
      })
  }

  private func watch() -> AsyncStream<[UInt8]> {
    // A slow reader gets the newest state, not a queue of old ones.
    let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingNewest(1))
    let id = nextWatcher
    nextWatcher += 1
    watchers[id] = continuation
    continuation.onTermination = { _ in Task { await self.leave(id) } }
    if let loop, !loop.isCancelled {
      wake()
    } else {
      loop = Task { await self.run() }
    }
    return stream
  }

  private func leave(_ id: Int) {
    watchers[id] = nil
    if watchers.isEmpty {
      loop?.cancel()
      loop = nil
    }
  }

  private var signal: AsyncStream<Void>.Continuation?
  private func wake() { signal?.yield() }

  /// Until the last watcher has left.
  private func run() async {
    let (wakes, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.signal = signal
    let store = castle.environment.store
    let clock = castle.environment.clock
    let health = await castle.gate.events()
    // Log lines and samples come many a second and change nothing in the picture.
    let collections = Set(Services.collections.map { $0.collection }).filter {
      !$0.hasPrefix("logs.") && !$0.hasPrefix("cloudwatch.")
    }
    let changes = store.changes(in: collections)
    signal.yield()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for await _ in changes { signal.yield() }
      }
      group.addTask {
        for await event in health { if case .health = event { signal.yield() } }
      }
      group.addTask {
        // Ends with the task, when it is cancelled.
        while (try? await clock.sleep(seconds: 1)) != nil { signal.yield() }
      }
      group.addTask {
        for await _ in wakes {
          await self.tell()
          guard (try? await clock.sleep(seconds: Self.interval)) != nil else { return }
        }
      }
      await group.waitForAll()
    }
  }

  private func tell() async {
    let state = await reporter.report()
    do {
      let bytes = try Self.encode(state)
      for watcher in watchers.values { watcher.yield(bytes) }
    } catch {
      castle.environment.logger.error("the state could not be encoded", metadata: ["error": "\(error)"])
    }
  }
}
