// Programs that tests start: posix_spawn, and a thread that waits for the end.
//
// Not Foundation's Process: it looks through all open descriptors before each start and reads past a directory entry's end
// while it does, which ends a test run with many sockets every now and then.

import AWSCore
import CTesting
import Foundation
import Glibc

/// A child process under way.
public struct Program: Sendable {
  public let pid: Int32
  /// The exit code; 128 + the signal that ended it.
  public let status: Task<Int, Never>

  /// Starts a program in a process group of its own; nothing that the tests hold open is passed on.
  /// - Parameters:
  ///   - arguments: the program first, looked up in PATH.
  ///   - environment: the tests' own when nil.
  ///   - output: paths of files that are made; `/dev/null` when nil.
  /// - Throws: `CastleProcessError` when it cannot be started.
  public init(
    _ arguments: [String], environment: [String: String]? = nil, directory: String? = nil, input: String? = nil,
    output: String? = nil, error: String? = nil
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let made = O_WRONLY | O_CREAT | O_TRUNC
    posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", made, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, error ?? "/dev/null", made, 0o644)
    _ = castle_spawn_isolate(&actions, directory)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    let environment = environment ?? ProcessInfo.processInfo.environment
    var started: pid_t = 0
    let result = Self.withCStrings(arguments) { arguments in
      Self.withCStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
        arguments[0].map { posix_spawnp(&started, $0, &actions, &attributes, arguments, environment) } ?? EINVAL
      }
    }
    guard result == 0 else {
      throw CastleProcessError("\(arguments.first ?? "") cannot be run: \(String(cString: strerror(result)))")
    }
    let child = started
    pid = child
    let (ends, continuation) = AsyncStream.makeStream(of: Int.self)
    Thread.detachNewThread {
      var status: Int32 = 0
      while waitpid(child, &status, 0) == -1, errno == EINTR {}
      let signal = status & 127
      continuation.yield(Int(signal == 0 ? status >> 8 & 255 : 128 + signal))
      continuation.finish()
    }
    self.status = Task {
      for await status in ends { return status }
      return -1
    }
  }

  private static func withCStrings<T>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> T
  ) -> T {
    var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers)
  }

  /// Runs a program to its end.
  /// - Returns: its exit code, and what it wrote to standard output and standard error.
  public static func run(
    _ arguments: [String], environment: [String: String]? = nil, directory: String? = nil, input: Data? = nil
  ) async throws -> (status: Int, output: Data, error: Data) {
    let folder = NSTemporaryDirectory() + "program-" + SystemIdentifiers().hex(8)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    if let input { try input.write(to: URL(fileURLWithPath: "\(folder)/in")) }
    let program = try Program(
      arguments, environment: environment, directory: directory, input: input.map { _ in "\(folder)/in" },
      output: "\(folder)/out", error: "\(folder)/err")
    let status = await program.status.value
    func read(_ name: String) -> Data { FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data() }
    return (status, read("out"), read("err"))
  }
}
