// Programs that a test runs to their end: the castle command, aws, python scripts, curl.

import AWSCore
import Foundation
import Glibc

/// How a program ended and what it wrote.
public struct Finished: Sendable, CustomStringConvertible {
  public var command: String
  /// The exit code; 128 + the signal that ended it.
  public var status: Int
  public var output: String
  public var error: String

  public var description: String { "\(command) ended with \(status)\n\(output)\n\(error)" }

  /// - Throws: `CastleProcessError` with everything that was written, unless it ended with 0.
  @discardableResult
  public func succeeded() throws -> Finished {
    guard status == 0 else { throw CastleProcessError(description) }
    return self
  }

  /// Standard output as JSON.
  public func json() throws -> JSONValue {
    do {
      return try JSONDecoder().decode(JSONValue.self, from: Data(output.utf8))
    } catch {
      throw CastleProcessError("no JSON: \(error)\n\(self)")
    }
  }

  /// Runs a program to its end. It writes into files, so that what it leaves running in the background holds nothing
  /// of ours open.
  /// - Throws: `CastleProcessError` when it takes longer than `seconds`; it is killed then.
  static func run(
    _ program: String, _ arguments: [String], environment: [String: String], directory: String, folder: String,
    input: String?, seconds: Double
  ) async throws -> Finished {
    let running = try RunningProgram(
      program, arguments, environment: environment, directory: directory, folder: folder, input: input)
    return try await running.finished(seconds: seconds)
  }
}

/// A program under way.
public final class RunningProgram: Sendable {
  private let command: String
  private let files: (output: String, error: String)
  private let started: Program
  public var pid: Int32 { started.pid }

  /// - Parameter folder: where its output is kept until it has ended.
  public init(
    _ program: String, _ arguments: [String], environment: [String: String], directory: String, folder: String,
    input: String? = nil
  ) throws {
    let name = "\(folder)/run-\(SystemIdentifiers().hex(6))"
    files = ("\(name).out", "\(name).err")
    command = ([program] + arguments).joined(separator: " ")
    var source: String?
    if let input {
      source = "\(name).in"
      try Data(input.utf8).write(to: URL(fileURLWithPath: "\(name).in"))
    }
    started = try Program(
      [program] + arguments, environment: environment, directory: directory, input: source, output: files.output,
      error: files.error)
  }

  /// What it has written to standard output so far.
  public var output: String { (try? String(contentsOfFile: files.output, encoding: .utf8)) ?? "" }
  private var error: String { (try? String(contentsOfFile: files.error, encoding: .utf8)) ?? "" }

  /// Asks it to end.
  public func interrupt() { kill(pid, SIGTERM) }

  /// Waits for its end.
  /// - Throws: `CastleProcessError` when it takes longer than `seconds`; it is killed then.
  public func finished(seconds: Double = 60) async throws -> Finished {
    let pid = pid
    let isLate = await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        _ = await self.started.status.value
        return false
      }
      group.addTask { (try? await Task.sleep(for: .seconds(seconds))) != nil }
      // A cancelled test ends its programs too.
      let first = await group.next() ?? true
      let wasCancelled = Task.isCancelled
      if first || wasCancelled { kill(pid, SIGKILL) }
      group.cancelAll()
      return first || wasCancelled
    }
    let result = Finished(command: command, status: await started.status.value, output: output, error: error)
    if isLate { throw CastleProcessError("killed after \(seconds) s: \(result)") }
    return result
  }
}
