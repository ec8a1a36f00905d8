// All log tails, woken by the kernel when a file grows.

import Dispatch
import Glibc
import Logging
import ServiceKit
import Synchronization

/// Watches log files with one inotify descriptor.
final class LogShipper: Sendable {
  private struct State {
    var tails: [String: LogTail] = [:]
    var watches: [Int32: String] = [:]
  }
  private let state = Mutex(State())
  private let fd: Int32
  // Set once in init; dispatch sources may be used from any thread.
  nonisolated(unsafe) private var source: (any DispatchSourceRead)?
  private let queue = DispatchQueue(label: "castle.logs")
  private let destinations: LogDestinations
  private let environment: ServiceEnvironment

  init(_ environment: ServiceEnvironment, _ destinations: LogDestinations) {
    self.environment = environment
    self.destinations = destinations
    fd = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
    if fd < 0 {
      environment.logger.error("no inotify: logs are shipped when their task ends", metadata: ["errno": "\(errno)"])
      return
    }
    let source = DispatchSource.makeReadSource(fileDescriptor: fd, queue: queue)
    source.setEventHandler { [weak self] in self?.drain() }
    let fd = fd
    source.setCancelHandler { close(fd) }
    self.source = source
    source.resume()
  }

  deinit { source?.cancel() }

  /// Follows a container's log from where it was left.
  func follow(task: String, path: String, to destination: LogDestination) async {
    let tail = LogTail(
      task: task, path: path, destination: destination, destinations: destinations, environment: environment)
    let isNew = state.withLock { s -> Bool in
      guard s.tails[path] == nil else { return false }
      s.tails[path] = tail
      return true
    }
    guard isNew else { return }
    if fd >= 0 {
      // The file may not be there before its first line; the shim makes it when the container starts.
      let existing = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
      if existing >= 0 { close(existing) }
      let watch = inotify_add_watch(fd, path, UInt32(IN_MODIFY))
      if watch >= 0 { state.withLock { $0.watches[watch] = path } }
    }
    await tail.wake()
  }

  private func drain() {
    var buffer = [UInt8](repeating: 0, count: 16_384)
    var paths: Set<String> = []
    while true {
      let n = read(fd, &buffer, buffer.count)
      guard n > 0 else { break }
      var at = 0
      // struct inotify_event: wd, mask, cookie, len (four bytes each), then `len` bytes of name.
      while at + 16 <= n {
        let (watch, length) = buffer.withUnsafeBytes {
          (
            $0.loadUnaligned(fromByteOffset: at, as: Int32.self),
            $0.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self)
          )
        }
        if let path = state.withLock({ $0.watches[watch] }) { paths.insert(path) }
        at += 16 + Int(length)
      }
    }
    let tails = state.withLock { s in paths.compactMap { s.tails[$0] } }
    for tail in tails { Task { await tail.wake() } }
  }

  /// Lets go of a task's logs.
  /// - Parameter ships: ships what is left of them first.
  func finish(_ paths: [String], ships: Bool) async {
    for path in paths {
      guard let tail = release(path) else { continue }
      if ships { await tail.finish() } else { await tail.stop() }
    }
  }

  /// Lets go of all logs where they are.
  func stop() async {
    for path in state.withLock({ Array($0.tails.keys) }) { await release(path)?.stop() }
  }

  private func release(_ path: String) -> LogTail? {
    let (tail, watches) = state.withLock { s -> (LogTail?, [Int32]) in
      let watches = s.watches.filter { $0.value == path }.map(\.key)
      for watch in watches { s.watches[watch] = nil }
      return (s.tails.removeValue(forKey: path), watches)
    }
    for watch in watches { inotify_rm_watch(fd, watch) }
    return tail
  }
}
