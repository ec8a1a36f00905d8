// How busy a loop is and how long its targets take, from what is counted anyway: looked at some times a second, so that it
// costs requests nothing.
import CLinux
import Glibc

/// The share of a loop's time that it worked, or waited for a processor to work on: what it did not spend waiting for
/// events.
struct LoopLoad {
  /// Of the thread that asked first; -1 when the kernel does not tell (CONFIG_SCHED_INFO).
  private var descriptor: Int32?
  private var busy: UInt64 = 0
  private var askedAt: UInt64 = 0

  /// Since it was asked last; 0 the first time. Always for one thread.
  mutating func share(now: UInt64) -> Double {
    let total = busyNanoseconds()
    defer {
      busy = total
      askedAt = now
    }
    guard askedAt > 0, now > askedAt, total >= busy else { return 0 }
    return min(1, Double(total - busy) / (Double(now - askedAt) * 1000))
  }

  private mutating func busyNanoseconds() -> UInt64 {
    let file = descriptor ?? open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)
    descriptor = file
    if file >= 0, let times = Self.read(file) { return times }
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Time on a processor and time in its queue: the first two of the file's three numbers.
  private static func read(_ file: Int32) -> UInt64? {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { bytes in
      let count = pread(file, bytes.baseAddress, bytes.count, 0)
      guard count > 0 else { return nil }
      var numbers: (UInt64, UInt64) = (0, 0)
      var number: UInt64 = 0
      var found = 0
      for byte in bytes[0..<count] where found < 2 {
        if byte >= 0x30, byte <= 0x39 {
          number = number &* 10 &+ UInt64(byte - 0x30)
          continue
        }
        if found == 0 { numbers.0 = number } else { numbers.1 = number }
        found += 1
        number = 0
      }
      return found == 2 ? numbers.0 &+ numbers.1 : nil
    }
  }

  /// Gives the file back; for loops that end.
  func close() { if let descriptor, descriptor >= 0 { Glibc.close(descriptor) } }
}

/// What a load balancer's targets did since the last look.
struct TargetWait: Sendable {
  var answers: UInt64 = 0
  /// Their times added up.
  var seconds = 0.0
  /// Requests in flight.
  var active = 0

  mutating func add(_ other: TargetWait) {
    answers += other.answers
    seconds += other.seconds
    active += other.active
  }
}

extension LoadBalancerRuntime {
  /// What its groups' targets did since it was asked last; nil for nothing.
  func takeWait() -> TargetWait? {
    var total = TargetWait()
    for node in nodes {
      for counters in node.groups.values {
        total.answers += counters.statistics.latency.count
        total.seconds += counters.statistics.latency.sum
      }
    }
    for use in uses.values { total.active += max(0, use.group.statistics.activeRequests) }
    // A group that is new or gone changes the sums by more than what was answered.
    defer { toldWait = total }
    guard total.answers >= toldWait.answers, total.seconds >= toldWait.seconds else { return nil }
    let news = TargetWait(
      answers: total.answers - toldWait.answers, seconds: total.seconds - toldWait.seconds, active: total.active)
    return news.answers == 0 && news.active == 0 ? nil : news
  }
}
