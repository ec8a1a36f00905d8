// Follows one container's log file and ships its lines.

import AWSCore
import CloudWatchLogsModel
import FoundationEssentials
import Logging
import ServiceKit
import Supervisor

/// One log file on its way to its stream. What is not shipped yet is in the file, so nothing waits in memory, and a
/// restarted control plane goes on where the last one stopped.
actor LogTail {
  private let task: String
  private let file: LogFile
  private let markPath: String
  private let destinations: LogDestinations
  private let environment: ServiceEnvironment
  private let queue = BlockingQueue("log-tail")
  private var mark: LogMark
  private var isOver = false
  private var work: Task<Void, Never>?
  private var isDirty = false

  /// - Throws: when there is a mark and it cannot be read.
  init(
    task: String, path: String, destination: LogDestination, destinations: LogDestinations,
    environment: ServiceEnvironment
  ) {
    self.task = task
    file = LogFile(path: path)
    markPath = path + ".mark"
    self.destinations = destinations
    self.environment = environment
    let kept = (try? Data(contentsOf: URL(filePath: path + ".mark"))).flatMap {
      try? JSONDecoder().decode(LogMark.self, from: $0)
    }
    mark = kept ?? LogMark(destination: destination)
  }

  /// There may be something new.
  func wake() {
    isDirty = true
    guard work == nil else { return }
    work = Task { await self.ship() }
  }

  /// Nothing more will be written: ships the rest, and returns when it is shipped or cannot be.
  func finish() async {
    isOver = true
    wake()
    await work?.value
    await ship()
  }

  /// Stops where it is: the next control plane goes on.
  func stop() async {
    work?.cancel()
    await work?.value
  }

  private func ship() async {
    defer { work = nil }
    while isDirty, !Task.isCancelled {
      // Lines that come together go together.
      if !isOver { try? await Task.sleep(for: .seconds(Limits.logGather)) }
      isDirty = false
      do {
        while try await shipPart() {}
      } catch is CancellationError {
        return
      } catch {
        environment.logger.warning(
          "log lines could not be shipped",
          metadata: ["task": "\(task)", "group": "\(mark.destination.group)", "error": "\(error)"])
        if isOver { return }
        // What is not shipped is in the file; the stream may be back later.
        try? await Task.sleep(for: .seconds(2))
        isDirty = true
      }
    }
  }

  /// - Returns: whether there may be more at once.
  private func shipPart() async throws -> Bool {
    let (file, offset, isOver) = (file, mark.offset, isOver)
    let part = await queue.run { file.read(from: offset, isOver: isOver) }
    guard part.end > offset else { return false }
    let now = Int(environment.clock.now.milliseconds)
    // CloudWatch Logs takes no empty messages; docker's driver drops them too.
    let events = part.lines.filter { !$0.isEmpty }.map { line in
      CloudWatchLogs.InputLogEvent.make {
        $0.timestamp = now
        $0.message = line
      }
    }
    if !events.isEmpty { try await destinations.put(events, to: mark.destination, task: task) }
    mark.offset = part.end
    try await save()
    return part.isFull
  }

  private func save() async throws {
    let (file, path) = (file, markPath)
    let now = mark
    let punchTo = (now.offset - Limits.logKeep) & ~0xFFF
    mark.punched = try await queue.run {
      var mark = now
      if punchTo - mark.punched >= Limits.logPunch { mark.punched = file.punch(from: mark.punched, to: punchTo) }
      try JSONEncoder().encode(mark).write(to: URL(filePath: path), options: .atomic)
      return mark.punched
    }
  }
}
