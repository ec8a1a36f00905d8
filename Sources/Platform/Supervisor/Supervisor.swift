// Starts, finds again and names child processes. Each hangs on a castle-shim, so all of them outlive this process.

import AWSCore
import CLinux
import Glibc
import Logging
import Synchronization

/// The processes of one state directory. When to start again is the callers' business (`RestartBudget`).
public final class Supervisor: Sendable {
  /// Holds one `.status` file for each process ever started and not forgotten.
  public let stateDirectory: String
  /// Where castle-shim is.
  public let shim: String
  private let logger: Logger

  private enum Entry {
    case starting
    case process(ManagedProcess)
  }
  private let entries = Mutex<[String: Entry]>([:])

  /// Longest wait for a shim's answer: a started program, or why not.
  static let startTimeout = 20.0

  /// - Parameters:
  ///   - stateDirectory: made (0700) when missing.
  ///   - shim: the path of castle-shim; `nil` looks beside the running program.
  /// - Throws: `SupervisorError.shimMissing`, `.file`.
  public init(
    stateDirectory: String, shim: String? = nil, logger: Logger = Logger(label: "castle.supervisor")
  ) throws(SupervisorError) {
    let path = shim ?? EngineProbe.besideExecutable("castle-shim")
    guard access(path, X_OK) == 0 else { throw .shimMissing(path) }
    self.shim = path
    self.stateDirectory = stateDirectory
    self.logger = logger
    try PrivateFiles.makeDirectory(stateDirectory, mode: 0o700)
  }

  // MARK: Start

  /// Starts a program. Returns when it is loaded and running (not when it is ready).
  /// - Parameter input: what it reads from standard input; nothing when `nil`.
  /// - Throws: `SupervisorError`: `alreadyRunning`, `invalid`, or `startFailed` with the stage and error number.
  public func start(_ spec: ProcessSpecification, input: [UInt8]? = nil) async throws -> ManagedProcess {
    let statusFile = statusFile(spec.id)
    let request = try ShimRequest.encode(spec, statusFile: statusFile, hasInput: input != nil)
    try reserve(spec.id)
    do {
      let shim = shim
      let record = try await BlockingQueue.once("start") { () throws -> ProcessRecord in
        // A process that this control plane did not start and nobody has adopted yet.
        if let old = ProcessRecord.read(statusFile), old.isRunning {
          throw SupervisorError.alreadyRunning(id: spec.id, pid: old.child)
        }
        return try Self.launch(spec, shim: shim, request: request, input: input, statusFile: statusFile)
      }
      let process = ManagedProcess(record: record, statusFile: statusFile, isAdopted: false)
      entries.withLock { $0[spec.id] = .process(process) }
      logger.debug("started", metadata: ["process": "\(spec.id)", "pid": "\(process.pid)"])
      return process
    } catch {
      entries.withLock { _ = $0.removeValue(forKey: spec.id) }
      throw error
    }
  }

  private func reserve(_ id: String) throws(SupervisorError) {
    let running = entries.withLock { entries -> Int32? in
      switch entries[id] {
      case .starting: return 0
      case .process(let process) where process.isRunning: return process.pid
      default:
        entries[id] = .starting
        return nil
      }
    }
    if let running { throw .alreadyRunning(id: id, pid: running) }
  }

  private static func launch(
    _ spec: ProcessSpecification, shim: String, request: [UInt8], input: [UInt8]?, statusFile: String
  ) throws -> ProcessRecord {
    unlink(statusFile)
    var result = castle_shim_result()
    let code = castle_shim_start(
      shim, spec.id, request, request.count, input, input?.count ?? 0, Int32(startTimeout * 1000), &result)
    guard code == 0 else {
      let stage = withUnsafeBytes(of: result.stage) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      throw SupervisorError.startFailed(id: spec.id, stage: stage, errno: -code)
    }
    guard let record = ProcessRecord.read(statusFile) else {
      throw SupervisorError.startFailed(id: spec.id, stage: "status", errno: ENOENT)
    }
    return record
  }

  // MARK: Find again

  /// Finds the processes that an earlier control plane started and that still run. Those known already are among them.
  public func adopt() async -> [ManagedProcess] {
    let running = try? await BlockingQueue.once("adopt") { [records = await records()] in records.filter(\.isRunning) }
    return (running ?? []).compactMap(register)
  }

  /// What is written down of all processes that were started and not forgotten, running or not.
  public func records() async -> [ProcessRecord] {
    let directory = stateDirectory
    let records = try? await BlockingQueue.once("records") { () throws -> [ProcessRecord] in
      try PrivateFiles.list(directory).filter { $0.hasSuffix(".status") }
        .compactMap { ProcessRecord.read(directory + "/" + $0) }
    }
    return records ?? []
  }

  /// Finds one process: known already, or started by an earlier control plane and still running. Else `nil`.
  public func adopt(_ id: String) async -> ManagedProcess? {
    if let process = process(id), process.isRunning { return process }
    guard let record = await record(of: id), record.isRunning else { return nil }
    return register(record)
  }

  private func register(_ record: ProcessRecord) -> ManagedProcess? {
    entries.withLock { entries in
      switch entries[record.id] {
      case .starting: return nil
      case .process(let process) where process.pid == record.child && process.startTime == record.childStart:
        return process
      default:
        let process = ManagedProcess(record: record, statusFile: statusFile(record.id), isAdopted: true)
        entries[record.id] = .process(process)
        return process
      }
    }
  }

  /// The process of an id that this control plane knows, running or ended.
  public func process(_ id: String) -> ManagedProcess? {
    entries.withLock { if case .process(let process) = $0[id] { process } else { nil } }
  }

  /// What was last written down of a process, also one that ended while no control plane ran. `nil` when never started.
  public func record(of id: String) async -> ProcessRecord? {
    let path = statusFile(id)
    return (try? await BlockingQueue.once("record") { ProcessRecord.read(path) }) ?? nil
  }

  /// Forgets an ended process. A running one stays.
  public func forget(_ id: String) {
    let isRunning = entries.withLock { entries -> Bool in
      switch entries[id] {
      case .starting: return true
      case .process(let process) where process.isRunning: return true
      default:
        entries.removeValue(forKey: id)
        return false
      }
    }
    if !isRunning { unlink(statusFile(id)) }
  }

  private func statusFile(_ id: String) -> String { "\(stateDirectory)/\(Self.fileName(id)).status" }

  /// An id as a file name: letters, digits, `.`, `_` and `-` stay, others become `%XX`.
  static func fileName(_ id: String) -> String {
    var out = ""
    for byte in id.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        out.unicodeScalars.append(Unicode.Scalar(byte))
      default: out += "%" + hexadecimal([byte])
      }
    }
    return out
  }
}

// MARK: - Helper programs

extension Supervisor {
  /// Runs a program to its end: initdb, pg_basebackup, cp. Its log file is emptied first.
  /// - Returns: the end of its output.
  /// - Throws: `SupervisorError.toolFailed` unless it ends with code 0, `.toolTimedOut`; `CancellationError` when the
  ///   calling task is cancelled. In the last two the program is killed.
  @discardableResult
  public func run(_ spec: ProcessSpecification, input: [UInt8]? = nil, timeout: Double = 300) async throws -> String {
    // One that an earlier control plane left behind works on the same files: it goes first.
    if let old = await adopt(spec.id) { await old.stop(signal: SIGKILL, grace: 0) }
    unlink(spec.logFile)
    let process = try await start(spec, input: input)
    defer { forget(spec.id) }
    let exit: ProcessExit?
    do { exit = try await process.exit(within: timeout) } catch {
      await process.stop(signal: SIGKILL, grace: 0)
      throw error
    }
    let output = PrivateFiles.tail(spec.logFile)
    guard let exit else {
      await process.stop(signal: SIGKILL, grace: 0)
      throw SupervisorError.toolTimedOut(id: spec.id, seconds: timeout, output: output)
    }
    guard exit.isSuccess else { throw SupervisorError.toolFailed(id: spec.id, exit: exit, output: output) }
    return output
  }
}
