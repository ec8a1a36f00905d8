// One thread and one epoll for the ends of all processes: a pidfd becomes readable when its process ends.

import CLinux
import Glibc
import Synchronization

/// Calls back when processes end.
final class ExitWatcher: Sendable {
  static let shared = ExitWatcher()

  private struct Watched {
    var fd: Int32
    var body: @Sendable () -> Void
  }
  private struct State {
    var next: UInt64 = 1
    var watched: [UInt64: Watched] = [:]
  }
  private let epoll: Int32
  private let state = Mutex(State())

  private init() {
    epoll = castle_epoll_create()
    precondition(epoll >= 0, "epoll_create1: \(errorText(-epoll))")
    var thread = pthread_t()
    let box = Unmanaged.passRetained(self).toOpaque()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<ExitWatcher>.fromOpaque(argument).takeUnretainedValue().loop()
        return nil
      }, box)
    precondition(code == 0, "pthread_create: \(errorText(code))")
    pthread_detach(thread)
  }

  /// Calls `body` once, on the watcher's thread, when the pidfd becomes readable. The descriptor stays the caller's,
  /// who must keep it open until then.
  func watch(_ pidfd: Int32, _ body: @escaping @Sendable () -> Void) {
    let token = state.withLock { s -> UInt64 in
      let token = s.next
      s.next += 1
      s.watched[token] = Watched(fd: pidfd, body: body)
      return token
    }
    let code = castle_epoll_add(epoll, pidfd, token)
    precondition(code == 0, "epoll_ctl: \(errorText(-code))")
  }

  private func loop() {
    var tokens = [UInt64](repeating: 0, count: 64)
    while true {
      let n = castle_epoll_wait(epoll, &tokens, Int32(tokens.count))
      guard n > 0 else { continue }  // EINTR
      for token in tokens.prefix(Int(n)) {
        guard let found = state.withLock({ $0.watched.removeValue(forKey: token) }) else { continue }
        _ = castle_epoll_remove(epoll, found.fd)
        found.body()
      }
    }
  }
}
