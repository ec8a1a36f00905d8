// Log lines: one JSON object a line on standard output, written in order by a thread of their own so that a slow reader
// of the log never holds up a request.
import FoundationEssentials
import Logging
import NIOPosix

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// One line of a log under construction.
public struct LogLine: Sendable {
  /// The line without its closing brace.
  private var text: String

  /// A line that begins with the time.
  public init(at time: Date) {
    text = "{\"time\":\"\(time.formatted(LogLine.style))\""
  }

  private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  /// Adds a text.
  public mutating func add(_ name: String, _ value: String?) {
    guard let value else { return }
    text += ",\(LogLine.quoted(name)):\(LogLine.quoted(value))"
  }

  /// Adds a whole number.
  public mutating func add(_ name: String, _ value: Int) {
    text += ",\(LogLine.quoted(name)):\(value)"
  }

  /// Adds a duration in milliseconds, to the microsecond.
  public mutating func add(_ name: String, milliseconds value: Duration) {
    let parts = value.components
    let microseconds = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
    let fraction = String(microseconds % 1000)
    text +=
      ",\(LogLine.quoted(name)):\(microseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
  }

  /// The whole line, with its line break.
  public var finished: String { text + "}\n" }

  /// A JSON string (RFC 8259 section 7). Control characters are escaped, so a line stays one line.
  public static func quoted(_ value: String) -> String {
    var result = "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// Standard output as a log.
public final class LogOutput: Sendable {
  private let thread = NIOThreadPool(numberOfThreads: 1)

  /// Starts the writing thread.
  public init() {
    thread.start()
  }

  /// Queues a line; returns at once.
  public func write(_ line: LogLine) {
    let bytes = Array(line.finished.utf8)
    thread.submit { _ in LogOutput.writeAll(bytes) }
  }

  /// Waits until everything queued is written, and ends the thread.
  public func close() async throws {
    try await thread.shutdownGracefully()
  }

  private static func writeAll(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { buffer in
      var start = 0
      while start < buffer.count {
        let count = Glibc.write(1, buffer.baseAddress! + start, buffer.count - start)
        if count < 0 {
          if errno == EINTR { continue }
          return  // Nobody reads the log any more: there is nowhere to say so.
        }
        start += count
      }
    }
  }
}

/// Sends what swift-log's users say (the server, our own warnings) to the same log as requests.
public struct LineLogHandler: LogHandler {
  private let output: LogOutput
  private let label: String
  private let task: String
  /// See `LogHandler`.
  public var logLevel: Logger.Level = .info
  /// See `LogHandler`.
  public var metadata: Logger.Metadata = [:]
  /// See `LogHandler`.
  public var metadataProvider: Logger.MetadataProvider?

  /// A handler for the logger `label` in the task `task`.
  public init(label: String, task: String, output: LogOutput) {
    self.label = label
    self.task = task
    self.output = output
  }

  /// See `LogHandler`.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// See `LogHandler`.
  public func log(event: LogEvent) {
    var line = LogLine(at: Date())
    line.add("level", event.level.rawValue)
    line.add("message", event.message.description)
    line.add("logger", label)
    line.add("task", task)
    let merged = metadata.merging(event.metadata ?? [:]) { $1 }
    for (name, value) in merged.sorted(by: { $0.key < $1.key }) {
      line.add(name, value.description)
    }
    output.write(line)
  }
}
