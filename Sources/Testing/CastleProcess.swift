// The real `castle`, started and ended as a person would, over a state folder of its own.

import AWSCore
import Foundation
import Glibc
import Supervisor
import Synchronization

/// A running castle of its own for a test: the program beside the test bundle, its Gate, engines and tasks.
///
/// It costs seconds and hundreds of megabytes, so one runs at a time: `with` waits for its turn. Whatever the test does to
/// it, nothing of it is left behind, and a process that outlives `castle destroy` fails the test.
public final class CastleProcess: Sendable {
  /// What is started.
  public enum Kind: Sendable, Hashable {
    /// `castle start`: an empty cloud.
    case empty(strict: Bool)
    /// `castle up` of a castle.yaml.
    case app(file: String)
    /// Nothing yet: the test starts it itself.
    case stopped
  }

  public let kind: Kind
  /// Whom the command is run as; `nil`: who runs the test.
  private let user: SystemUser?
  /// The folder of everything that this castle and its test write.
  public let folder: String
  /// The endpoint's port; the same after a restart, since tasks were told it.
  public let port: Int
  public var state: String { "\(folder)/state" }
  public var endpoint: String { "http://127.0.0.1:\(port)" }

  /// The package's folder, where the command is run and `Examples` is.
  public static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  /// The folder of the built programs that this castle runs.
  public let programs: String
  private static let builtPrograms = URL(fileURLWithPath: EngineProbe.besideExecutable("castle"))
    .deletingLastPathComponent().path

  private struct Memory: Sendable {
    var credentials: [String: String]?
    /// Every process that was seen to belong to this castle.
    var family: Set<ProcessMark> = []
  }
  private let memory = Mutex(Memory())

  /// Starts a castle, runs the body, ends the castle and looks for what it left.
  /// - Parameter user: whom root becomes for each `castle`; the programs are copied to where they may be read.
  /// - Throws: what the body threw; `CastleProcessError` when it cannot be started or leaves processes behind.
  public static func with<T: Sendable>(
    _ kind: Kind = .empty(strict: false), as user: SystemUser? = nil, _ body: (CastleProcess) async throws -> T
  ) async throws -> T {
    // What starts nothing but a small cloud for a moment need not wait for the others.
    if kind == .stopped || CastleTurn.isHeld { return try await own(kind, user, body) }
    return try await CastleTurn.shared.take { try await own(kind, user, body) }
  }

  /// Takes the turn for everything that the body starts, one after the other: for who must not count the waiting.
  public static func inTurn<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
    try await CastleTurn.shared.take { try await CastleTurn.$isHeld.withValue(true) { try await body() } }
  }

  private static func own<T: Sendable>(
    _ kind: Kind, _ user: SystemUser?, _ body: (CastleProcess) async throws -> T
  ) async throws -> T {
    let castle = try CastleProcess(kind, as: user)
    let result: Result<T, any Error>
    do {
      try await castle.copyPrograms()
      try await castle.start()
      result = .success(try await body(castle))
    } catch {
      result = .failure(error)
    }
    // The clean-up must come to its end also when the test's time is up.
    let cleanUp: Result<Void, any Error> = await Task { try await castle.end() }.result
    let value = try result.get()
    try cleanUp.get()
    return value
  }

  private init(_ kind: Kind, as user: SystemUser?) throws {
    self.user = user
    folder = NSTemporaryDirectory() + "castle-" + SystemIdentifiers().hex(8)
    port = try FreePort.on("127.0.0.1")
    // PostgreSQL runs as another user when we are root, and must get through to its files.
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    guard let user else {
      self.kind = kind
      programs = Self.builtPrograms
      return
    }
    // Laid out as in the package, where an app finds its programs.
    if case .app(let file) = kind {
      self.kind = .app(file: "\(folder)/\(file)")
      let app = (file as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(
        atPath: ("\(folder)/\(app)" as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: "\(Self.package)/\(app)", toPath: "\(folder)/\(app)")
    } else {
      self.kind = kind
    }
    programs = "\(folder)/.build/debug"
    try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
    guard chown(folder, user.uid, user.gid) == 0 else {
      throw CastleProcessError("\(folder) cannot be given to \(user.name): errno \(errno)")
    }
  }

  /// Copies the programs to where another user may read them.
  ///
  /// Another process does it: a file that is open for writing here while a test elsewhere starts a program is open in that
  /// child, too, until its exec, and a program that somebody has open for writing cannot be executed (ETXTBSY).
  private func copyPrograms() async throws {
    guard user != nil else { return }
    let names = ["castle", "castle-gate", "castle-shim", "storefront-backend", "storefront-frontend"]
    try await run("cp", names.map { "\(Self.builtPrograms)/\($0)" } + [programs]).succeeded()
  }

  /// Starts the castle, or starts it again after it was stopped or killed, and waits until it is ready.
  public func start() async throws {
    switch kind {
    case .stopped: return
    case .empty(let strict):
      try await castle(["start", "-d", "--port", "\(port)"] + (strict ? ["--strict"] : [])).succeeded()
    case .app(let file): try await castle(["up", "-d", "--file", file, "--port", "\(port)"], seconds: 240).succeeded()
    }
    noteFamily()
  }

  private func end() async throws {
    noteFamily()
    let destroyed: Result<Finished, any Error>
    do {
      destroyed = .success(try await castle(["destroy", "--yes"], seconds: 90))
    } catch {
      destroyed = .failure(error)
    }
    let log = (try? String(contentsOfFile: "\(state)/castle.log", encoding: .utf8)) ?? ""
    let left = await leftovers(within: 5)
    for process in left { kill(process.pid, SIGKILL) }
    try? FileManager.default.removeItem(atPath: folder)
    if !left.isEmpty {
      throw CastleProcessError(
        "castle destroy left processes behind: \(left.map { "\($0.pid) \($0.name)" }.joined(separator: ", "))\n\(log)")
    }
    let finished = try destroyed.get()
    if kind != .stopped { try finished.succeeded() }
  }

  // MARK: - The command

  /// The castle program.
  public var program: String { "\(programs)/castle" }

  /// Runs `castle` over this castle's state.
  /// - Parameter state: false leaves `--state` out, for subcommands that take none.
  public func castle(_ arguments: [String], state: Bool = true, seconds: Double = 60) async throws -> Finished {
    let arguments = arguments + (state ? ["--state", self.state] : [])
    guard let user else { return try await run(program, arguments, seconds: seconds) }
    return try await run(
      "setpriv",
      ["--reuid", "\(user.uid)", "--regid", "\(user.gid)", "--clear-groups", "--", program] + arguments,
      environment: ["HOME": folder], seconds: seconds)
  }

  /// Runs a program with the owner's credentials, as after `eval "$(castle env)"`, in the package's folder.
  public func run(
    _ program: String, _ arguments: [String], environment more: [String: String] = [:], input: String? = nil,
    seconds: Double = 60
  ) async throws -> Finished {
    var environment = ProcessInfo.processInfo.environment
    environment["NO_COLOR"] = "1"
    environment.merge(memory.withLock { $0.credentials ?? [:] }) { $1 }
    environment.merge(more) { $1 }
    return try await Finished.run(
      program, arguments, environment: environment, directory: user == nil ? Self.package : folder, folder: folder,
      input: input, seconds: seconds)
  }

  /// What `castle env --json` says; also given to what `run` starts from now on.
  @discardableResult
  public func credentials() async throws -> [String: String] {
    if let known = memory.withLock({ $0.credentials }) { return known }
    var arguments = ["env", "--json"]
    if case .app(let file) = kind { arguments += ["--file", file] }
    let finished = try await castle(arguments).succeeded()
    let found = try JSONDecoder().decode([String: String].self, from: Data(finished.output.utf8))
    memory.withLock { $0.credentials = found }
    return found
  }

  // MARK: - Processes

  /// What the castle wrote down of its running children: the Gate, servers, tasks.
  public func children() -> [CastleChild] { CastleChild.read("\(state)/processes") }

  /// The control plane.
  public func controlPlane() throws -> CastleChild {
    guard let found = CastleChild.read("\(state)/daemon").first else {
      throw CastleProcessError("no control plane runs over \(state)")
    }
    return found
  }

  /// Kills the control plane with SIGKILL and returns when it is gone. Its shim starts another one.
  /// - Parameter forGood: the shim is killed too.
  public func killControlPlane(forGood: Bool = false) async throws {
    noteFamily()
    let daemon = try controlPlane()
    if forGood {
      kill(daemon.shim.pid, SIGKILL)
      while daemon.shim.isRunning { try await Task.sleep(for: .milliseconds(5)) }
    }
    kill(daemon.mark.pid, SIGKILL)
    while daemon.mark.isRunning { try await Task.sleep(for: .milliseconds(5)) }
  }

  private func noteFamily() {
    let found = ProcessMark.all(touching: folder)
    memory.withLock { $0.family.formUnion(found) }
  }

  /// The processes of this castle that still run after at most so many seconds.
  private func leftovers(within seconds: Double) async -> [ProcessMark] {
    let known = memory.withLock { $0.family }
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      let left = known.union(ProcessMark.all(touching: folder)).filter(\.isRunning).sorted { $0.pid < $1.pid }
      if left.isEmpty || ContinuousClock.now > deadline { return left }
      try? await Task.sleep(for: .milliseconds(50))
    }
  }
}

/// Why a castle could not be run for a test.
public struct CastleProcessError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// One castle at a time.
actor CastleTurn {
  static let shared = CastleTurn()
  /// Whether the turn is the task's own.
  @TaskLocal static var isHeld = false
  private var isTaken = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  nonisolated func take<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    await enter()
    do {
      let value = try await body()
      await leave()
      return value
    } catch {
      await leave()
      throw error
    }
  }

  private func enter() async {
    guard isTaken else {
      isTaken = true
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  private func leave() {
    if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
  }
}
