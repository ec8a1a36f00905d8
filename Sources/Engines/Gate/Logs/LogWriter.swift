// The thread that writes log lines to files. Loops hand it whole buffers; it never makes them wait.
import GateProtocol
import Glibc
import Synchronization

/// Where lines go and when a file is complete.
struct LogDestination: Hashable, Sendable {
  var folder: String
  /// Microseconds.
  var interval: UInt64
  var bytes: Int
}

/// Writes segments: files named `END-PID-NUMBER.part` while they grow and `END-PID-NUMBER.log` once they are complete,
/// END being the end of their interval in seconds since 1970. A crash of the process costs what was not handed over; a
/// segment that a dead process left behind is completed when its folder is next written to.
final class LogWriter: Sendable {
  private enum Message: Sendable {
    case lines(LogDestination, [UInt8])
    /// Complete every segment, and end.
    case end
  }

  /// Bytes that may wait to be written; beyond, lines are thrown away, and counted.
  private static let waitingMax = 64 << 20

  private let mailbox: Mailbox<Message>
  private let waiting = Atomic<Int>(0)
  private let lost = Atomic<Int>(0)
  private let isStarted = Atomic<Bool>(false)
  private let ended: Mailbox<Bool>

  init() throws(GateFailure) {
    mailbox = try Mailbox()
    ended = try Mailbox()
  }

  /// Which who writes lines must have in its descriptor table.
  var descriptor: Int32 { mailbox.descriptor }

  /// Starts the thread. Not by a loop: the thread shares its starter's descriptors.
  func start() throws(GateFailure) {
    guard !isStarted.exchange(true, ordering: .acquiringAndReleasing) else { return }
    var thread = pthread_t()
    let own = Unmanaged.passRetained(self)
    let result = pthread_create(
      &thread, nil,
      { raw in
        if let raw { Unmanaged<LogWriter>.fromOpaque(raw).takeRetainedValue().run() }
        return nil
      }, own.toOpaque())
    if result != 0 {
      own.release()
      isStarted.store(false, ordering: .releasing)
      throw GateFailure("a thread for the logs", code: result)
    }
    pthread_detach(thread)
  }

  /// Bytes thrown away because the files could not be written as fast.
  var lostBytes: Int { lost.load(ordering: .relaxed) }

  /// Hands lines over.
  func write(_ lines: [UInt8], to destination: LogDestination) {
    if waiting.load(ordering: .relaxed) > Self.waitingMax {
      lost.add(lines.count, ordering: .relaxed)
      return
    }
    waiting.add(lines.count, ordering: .relaxed)
    mailbox.post(.lines(destination, lines))
  }

  /// Completes all segments and waits until that is done. Nothing may be written afterwards.
  func finish() {
    guard isStarted.load(ordering: .acquiring) else { return }
    mailbox.post(.end)
    var poll = pollfd(fd: ended.descriptor, events: Int16(POLLIN), revents: 0)
    while Glibc.poll(&poll, 1, -1) < 0, errno == EINTR {}
  }

  // MARK: - The thread

  private func run() {
    var segments: [LogDestination: LogSegment] = [:]
    var known: Set<String> = []
    while true {
      let now = LogSegment.now()
      let next = segments.values.map(\.end).min()
      let timeout: Int32 = next.map { Int32(clamping: ($0 > now ? $0 - now : 0) / 1000 + 1) } ?? -1
      var poll = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
      let count = Glibc.poll(&poll, 1, timeout)
      var isEnd = false
      for message in count > 0 ? mailbox.take() : [] {
        switch message {
        case .lines(let destination, let bytes):
          waiting.subtract(bytes.count, ordering: .relaxed)
          if known.insert(destination.folder).inserted { LogSegment.completeLeftovers(in: destination.folder) }
          write(bytes, to: destination, &segments)
        case .end: isEnd = true
        }
      }
      let time = LogSegment.now()
      for (destination, segment) in segments where isEnd || segment.end <= time {
        segment.complete()
        segments[destination] = nil
      }
      if isEnd {
        ended.post(true)
        return
      }
    }
  }

  private func write(_ bytes: [UInt8], to destination: LogDestination, _ segments: inout [LogDestination: LogSegment]) {
    if let segment = segments[destination], segment.end <= LogSegment.now() || segment.size >= destination.bytes {
      segment.complete()
      segments[destination] = nil
    }
    guard let segment = segments[destination] ?? LogSegment(destination) else {
      lost.add(bytes.count, ordering: .relaxed)
      return
    }
    segments[destination] = segment
    if !segment.append(bytes) { lost.add(bytes.count, ordering: .relaxed) }
  }
}

/// A file that grows.
final class LogSegment {
  private static let sequence = Atomic<Int>(0)

  /// Microseconds since 1970.
  let end: UInt64
  private(set) var size = 0
  private let descriptor: Int32
  private let path: String

  init?(_ destination: LogDestination) {
    let interval = max(destination.interval, 1000)
    end = (Self.now() / interval + 1) * interval
    let number = Self.sequence.add(1, ordering: .relaxed).newValue
    path = "\(destination.folder)/\(end / 1_000_000)-\(getpid())-\(number)"
    descriptor = open(path + ".part", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
    if descriptor < 0 {
      GateLog.error("a log cannot be written", [("path", path), ("reason", String(cString: strerror(errno)))])
      return nil
    }
  }

  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
  }

  func append(_ bytes: [UInt8]) -> Bool {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      if count <= 0 {
        GateLog.error("a log cannot be written", [("path", path), ("reason", String(cString: strerror(errno)))])
        return false
      }
      written += count
    }
    size += written
    return true
  }

  func complete() {
    close(descriptor)
    if rename(path + ".part", path + ".log") != 0 {
      GateLog.error("a log cannot be completed", [("path", path), ("reason", String(cString: strerror(errno)))])
    }
  }

  /// Completes the segments of processes that are no more.
  static func completeLeftovers(in folder: String) {
    guard let directory = opendir(folder) else { return }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let parts = name.split(separator: "-")
      guard name.hasSuffix(".part"), parts.count == 3, let process = Int32(parts[1]), process != getpid(),
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      let path = folder + "/" + name
      _ = rename(path, String(path.dropLast(5)) + ".log")
    }
  }
}

/// The lines of one loop that wait to be handed over, for one load balancer and kind of log.
final class LogSink {
  /// Handed over when there is this much, or after a second.
  static let handOverSize = 64 << 10

  let destination: LogDestination
  private let writer: LogWriter
  var lines = Bytes()

  init(_ destination: LogDestination, _ writer: LogWriter) {
    self.destination = destination
    self.writer = writer
  }

  /// The sink for a folder: the old one as long as nothing changed, none without a folder.
  static func replacing(
    _ old: LogSink?, folder: String?, _ logs: GateSnapshot.Logs?, _ writer: LogWriter
  ) -> LogSink? {
    var destination: LogDestination?
    if let logs, let folder {
      destination = LogDestination(
        folder: folder, interval: LoadBalancerRuntime.microseconds(logs.seconds), bytes: logs.bytes)
    }
    if let old, old.destination == destination { return old }
    old?.handOver()
    return destination.map { LogSink($0, writer) }
  }

  func handOver() {
    if lines.isEmpty { return }
    writer.write(Array(UnsafeBufferPointer(start: lines.first, count: lines.count)), to: destination)
    lines.clear()
  }
}
