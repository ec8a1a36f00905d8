// Threads for work that blocks (files, SQLite), so that the cooperative pool never waits for a disk.

import Glibc
import Synchronization

/// A mutex with a condition, for threads that wait.
///
/// `@unchecked Sendable`: the two pthread objects live at fixed addresses from init to deinit and are made to be
/// used from many threads.
final class Condition: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func withLock<T>(_ body: () throws -> T) rethrows -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Call with the lock held.
  func wait() { pthread_cond_wait(condition, mutex) }

  /// Call with the lock held; returns at the deadline (nanoseconds of the monotonic clock) at the latest.
  func wait(until deadline: UInt64) {
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    pthread_cond_timedwait(condition, mutex, &time)
  }

  func signal() { pthread_cond_signal(condition) }
  func broadcast() { pthread_cond_broadcast(condition) }

  /// Nanoseconds of the monotonic clock.
  static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

private final class ThreadBody {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Starts a detached thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
  let context = Unmanaged.passRetained(ThreadBody(body)).toOpaque()
  var thread = pthread_t()
  let code = pthread_create(
    &thread, nil,
    { context in
      guard let context else { return nil }
      Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
      return nil
    }, context)
  precondition(code == 0, "pthread_create: \(code)")
  pthread_detach(thread)
}

/// A few threads and a queue. Work runs in the order it came in, on whichever thread is free; the threads end when
/// the object goes away.
public final class BlockingThreads: Sendable {
  /// `@unchecked Sendable`: `jobs`, `next` and `closed` are touched only under `condition`'s lock.
  private final class Queue: @unchecked Sendable {
    let condition = Condition()
    private var jobs: [(@Sendable () -> Void)] = []
    private var next = 0
    private var closed = false

    func push(_ job: @escaping @Sendable () -> Void) {
      condition.withLock {
        jobs.append(job)
        condition.signal()
      }
    }

    func close() {
      condition.withLock {
        closed = true
        condition.broadcast()
      }
    }

    /// The next job; nil when closed and empty.
    func pop() -> (@Sendable () -> Void)? {
      condition.withLock {
        while next == jobs.count {
          if closed { return nil }
          condition.wait()
        }
        let job = jobs[next]
        jobs[next] = {}
        next += 1
        if next == jobs.count || next > 1024 {
          jobs.removeFirst(next)
          next = 0
        }
        return job
      }
    }
  }

  private let queue = Queue()

  public init(count: Int) {
    let queue = queue
    for _ in 0..<count {
      startThread { while let job = queue.pop() { job() } }
    }
  }

  deinit { queue.close() }

  /// Runs blocking work on one of the threads and gives back its result.
  public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
      queue.push { continuation.resume(with: Result { try body() }) }
    }
  }

  /// Runs blocking work some time soon; nobody waits for it.
  public func submit(_ body: @escaping @Sendable () -> Void) { queue.push(body) }
}

/// Holds threads until so many have arrived.
///
/// `@unchecked Sendable`: `missing` is touched only under `condition`'s lock.
public final class Rendezvous: @unchecked Sendable {
  private let condition = Condition()
  private var missing: Int

  public init(_ count: Int) { missing = count }

  /// Blocks until the last one has come.
  public func arrive() {
    condition.withLock {
      missing -= 1
      if missing == 0 { condition.broadcast() }
      while missing > 0 { condition.wait() }
    }
  }
}
