// The log of a part as it grows: of services and tasks from CloudWatch Logs, of database and cache servers from their
// own files.

import AWSCore
import CloudWatchLogsModel
import ECSModel
import Edge
import Foundation
import ServiceKit
import Supervisor

extension Castle {
  /// `GET /tail?service=NAME`, `?task=ARN` or `?node=NAME`: server-sent events of `{time, source, message}`.
  func tail(_ request: ControlRequest, _ reporter: StateReporter) async throws -> ControlResponse {
    let source: any TailSource
    if let node = request.query["node"] {
      let records = await supervisor.records().filter { $0.id.hasPrefix("postgres/") || $0.id.hasPrefix("redis/") }
      guard let record = records.first(where: { $0.id.split(separator: "/").dropFirst(2).elementsEqual([node[...]]) })
      else { throw AWSError("NotFound", "There is no server \(node).", status: 404) }
      source = FileTail(path: record.logFile, name: node)
    } else if let arn = request.query["task"] {
      source = try await LogsTail(task: arn, reporter, ownerCall())
    } else if let name = request.query["service"] {
      source = try await LogsTail(service: name, reporter, ownerCall())
    } else {
      throw AWSError.validation("tail takes service=NAME, task=ARN or node=NAME")
    }
    let clock = environment.clock
    return ControlResponse(
      contentType: "text/event-stream", headers: [("cache-control", "no-store")],
      stream: { write in
        var source = source
        try await write(Array("retry: 2000\n\n".utf8))
        while true {
          var text = ""
          for line in try await source.next() { text += "data: \(line.json)\n\n" }
          // A comment keeps the connection known to be alive, and finds out that the browser is gone.
          try await write(Array((text.isEmpty ? ": \n\n" : text).utf8))
          // Nobody announces a line: CloudWatch Logs and files alike are asked again.
          try await clock.sleep(seconds: 0.5)
        }
      })
  }
}

struct TailLine: Sendable {
  /// Milliseconds since 1970; nil where the line itself says when.
  var time: Int?
  var source: String
  var message: String

  var json: JSONValue {
    ["time": time.map { .integer($0) } ?? .null, "source": .string(source), "message": .string(message)]
  }
}

/// A log that grows: first its end, then what comes.
protocol TailSource: Sendable {
  mutating func next() async throws -> [TailLine]
}

/// How many of the lines that are there already are shown.
private let tailLinesMax = 200

/// Log groups in CloudWatch Logs.
struct LogsTail: TailSource {
  private let call: CallContext
  private let groups: [String]
  /// Only streams that end in this: a task's own.
  private let suffix: String?
  private var since: [String: Int] = [:]
  private var seen: [String: Set<String>] = [:]

  /// The log of all tasks of a service.
  /// - Throws: `AWSError` when there is no such service, or its log goes elsewhere.
  init(service name: String, _ reporter: StateReporter, _ call: CallContext) async throws {
    let state = await reporter.report()
    guard let service = state.services?.first(where: { $0.name == name }) else {
      throw AWSError("NotFound", "There is no service \(name).", status: 404)
    }
    let definitions = Set(service.tasks.map(\.taskDefinition) + [service.taskDefinition])
    try await self.init(definitions.sorted(), suffix: nil, reporter, call)
  }

  init(task arn: String, _ reporter: StateReporter, _ call: CallContext) async throws {
    let path = (ARN(arn)?.resource ?? "").split(separator: "/")
    guard path.count == 3 else { throw AWSError.validation("\(arn) is not the ARN of a task") }
    let task = try await call.invoke(
      ECS.describeTasks,
      .make {
        $0.cluster = String(path[1])
        $0.tasks = [arn]
      }
    ).tasks?.first
    guard let definition = task?.taskDefinitionArn else {
      throw AWSError("NotFound", "There is no task \(arn).", status: 404)
    }
    try await self.init([definition], suffix: "/\(path[2])", reporter, call)
  }

  private init(
    _ definitions: [String], suffix: String?, _ reporter: StateReporter, _ call: CallContext
  ) async throws {
    var groups: Set<String> = []
    for definition in definitions { groups.formUnion(try await reporter.definition(definition, call).logGroups) }
    guard !groups.isEmpty else { throw AWSError("NotFound", "Its log goes nowhere that can be shown.", status: 404) }
    self.call = call
    self.groups = groups.sorted()
    self.suffix = suffix
  }

  mutating func next() async throws -> [TailLine] {
    var lines: [TailLine] = []
    for group in groups {
      if let start = since[group] {
        lines += try await read(group, from: start)
      } else {
        lines += try await end(of: group)
      }
    }
    return lines.sorted { ($0.time ?? 0) < ($1.time ?? 0) }
  }

  /// The last lines: a short window first, wider ones when it has few.
  private mutating func end(of group: String) async throws -> [TailLine] {
    let now = Int(call.environment.clock.now.milliseconds)
    var lines: [TailLine] = []
    for minutes in [2, 60, 60 * 24 * 7] {
      seen[group] = []
      since[group] = now - minutes * 60_000
      lines = try await read(group, from: now - minutes * 60_000)
      if lines.count >= 50 { break }
    }
    return Array(lines.suffix(tailLinesMax))
  }

  private mutating func read(_ group: String, from start: Int) async throws -> [TailLine] {
    var lines: [TailLine] = []
    let pages = try await Pages.all { token in
      try await call.invoke(
        CloudWatchLogs.filterLogEvents,
        .make {
          $0.logGroupName = group
          $0.startTime = start
          $0.nextToken = token
        })
    } next: {
      $0.nextToken
    }
    var known = seen[group] ?? []
    var newest = since[group] ?? start
    var ids: [(id: String, time: Int)] = []
    for event in pages.flatMap({ $0.events ?? [] }) {
      let (time, stream) = (event.timestamp ?? 0, event.logStreamName ?? "")
      if let suffix, !stream.hasSuffix(suffix) { continue }
      let id = event.eventId ?? "\(time) \(stream) \(event.message ?? "")"
      ids.append((id, time))
      guard known.insert(id).inserted else { continue }
      newest = max(newest, time)
      let source = stream.split(separator: "/").last.map { String($0) } ?? stream
      lines.append(TailLine(time: time, source: source, message: event.message ?? ""))
    }
    // Two seconds of overlap: lines are shipped some time after they were written, and not in one order.
    let overlap = max(since[group] ?? start, newest - 2000)
    since[group] = overlap
    seen[group] = Set(ids.filter { $0.time >= overlap }.map(\.id))
    return lines
  }
}

/// A log file.
struct FileTail: TailSource {
  private let path: String
  private let name: String
  private var position: UInt64?
  private var rest: [UInt8] = []
  private static let bytesMax: UInt64 = 32 << 10

  init(path: String, name: String) {
    self.path = path
    self.name = name
  }

  mutating func next() async throws -> [TailLine] {
    let (path, position) = (path, position)
    let (bytes, end) = try await BlockingQueue.once("dashboard-tail") { () throws -> ([UInt8], UInt64) in
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? file.close() }
      let size = try file.seekToEnd()
      // A file that is shorter than it was is another one.
      var start = position ?? (size > Self.bytesMax ? size - Self.bytesMax : 0)
      if start > size { start = 0 }
      try file.seek(toOffset: start)
      let data = try file.read(upToCount: Int(min(size - start, 1 << 20))) ?? Data()
      return ([UInt8](data), start + UInt64(data.count))
    }
    self.position = end
    rest += bytes
    var lines: [TailLine] = []
    while let newline = rest.firstIndex(of: 10) {
      lines.append(TailLine(time: nil, source: name, message: String(decoding: rest[..<newline], as: UTF8.self)))
      rest.removeSubrange(...newline)
    }
    return Array(lines.suffix(tailLinesMax))
  }
}
