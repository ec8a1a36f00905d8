// Why an engine's server does not come up, in words for a person, and what helps on this machine.

import Glibc

/// What keeps a server from running.
public struct EngineFailure: Codable, Sendable, Hashable, CustomStringConvertible {
  public enum Cause: String, Codable, Sendable {
    /// The engine refuses what its parameters say.
    case parameters
    /// The disk under its data is full.
    case storage
    /// /dev/shm is missing, closed or full.
    case sharedMemory
    case memory
    /// A file or folder of its data is missing, damaged, or not its own.
    case files
    /// The engine's program is missing or cannot be run.
    case program
    /// It runs and does not answer.
    case silent
    case other
  }

  public var cause: Cause
  /// What the engine said last, cut to a readable length.
  public var reason: String
  /// What a person can do about it; nil where only the reason helps.
  public var remedy: String?

  /// The most characters of a reason.
  public static let reasonMax = 500
  /// Failures in a row after which it is a fact that may have been chance before: about a second and a half.
  public static let patience = 4

  public init(_ cause: Cause, _ reason: String, remedy: String? = nil) {
    self.cause = cause
    self.reason = Self.readable(reason)
    self.remedy = remedy
  }

  /// Whether it may be told after so many failures in a row: some causes do not go away by trying again.
  public func isCertain(after failures: Int) -> Bool {
    switch cause {
    case .parameters, .program, .silent: failures > 0
    case .storage, .sharedMemory, .memory, .files, .other: failures >= Self.patience
    }
  }

  /// Whether it is what was told before: numbers (of processes, bytes, files) are others at each try.
  public func isNews(after told: EngineFailure?) -> Bool {
    guard let told else { return true }
    return cause != told.cause || reason.filter { !$0.isNumber } != told.reason.filter { !$0.isNumber }
  }

  /// The failure as a person is told it.
  /// - Parameter parametersRemedy: what can be done where the engine refuses its parameters.
  public func told(parametersRemedy: String) -> String {
    guard cause == .parameters, remedy == nil else { return description }
    var whole = self
    whole.remedy = parametersRemedy
    return whole.description
  }

  public var description: String {
    guard let remedy else { return reason }
    return (reason.last.map { ".!?…".contains($0) } == true ? reason : reason + ".") + Self.remedyMark + remedy
  }

  /// What stands between the reason and the remedy in the text.
  public static let remedyMark = " What to do: "

  // MARK: From the engine's words

  /// A failure of the machine under an engine, as its words tell it.
  /// - Parameters:
  ///   - said: what the engine or the system said.
  ///   - folder: where its data is, for the room that is left there.
  public init(said: String, folder: String) {
    let cause = Self.cause(said)
    self.init(cause, said, remedy: Self.remedy(cause, folder: folder))
  }

  /// A failure of the Supervisor's: a program that cannot be run, a file that cannot be had, a tool that failed.
  public init(_ error: SupervisorError, folder: String) {
    switch error {
    case .startFailed(_, let stage, let code) where stage == "exec" && (code == ENOENT || code == EACCES):
      self.init(.program, error.description, remedy: Self.remedy(.program, folder: folder))
    case .shimMissing: self.init(.program, error.description)
    case .toolTimedOut: self.init(.silent, error.description)
    case .startFailed, .file, .alreadyRunning, .invalid, .toolFailed:
      self.init(said: error.description, folder: folder)
    }
  }

  /// What the words of PostgreSQL, Redis and the system's error numbers mean.
  static func cause(_ text: String) -> Cause {
    func has(_ words: String...) -> Bool { words.contains { text.contains($0) } }
    if has("could not map anonymous shared memory") { return .memory }
    // A segment with a name is a file of /dev/shm, shm_overview(7).
    if has("shared memory segment \"", "/dev/shm") { return .sharedMemory }
    // PostgreSQL counts what it could write, and adds "Check free disk space."
    if has("No space left on device", "Disk quota exceeded", "free disk space") { return .storage }
    if has("Cannot allocate memory", "out of memory", "Out of memory") { return .memory }
    if has(
      "Permission denied", "Operation not permitted", "Read-only file system", "invalid permissions",
      "wrong ownership", "Not a directory", "Is a directory", "File exists", "No such file or directory", "cannot pass")
    {
      return .files
    }
    return .other
  }

  private static func remedy(_ cause: Cause, folder: String) -> String? {
    switch cause {
    case .sharedMemory: return SharedMemory.check()?.remedy ?? "look at /dev/shm: it must be writable and have room"
    case .storage: return "free room on the disk that holds \(folder) (\(roomLeft(folder)))"
    case .memory: return "free memory on this machine, or let the servers take less"
    case .files: return "put right what the message names under \(folder): who owns it, its mode, what is missing"
    case .program: return "castle doctor says what is missing and how it is installed"
    case .parameters, .silent, .other: return nil
    }
  }

  private static func roomLeft(_ folder: String) -> String {
    var path = Substring(folder)
    var info = statvfs()
    // The folder itself may be what could not be made.
    while statvfs(path.isEmpty ? "/" : String(path), &info) != 0 {
      guard let slash = path.lastIndex(of: "/"), !path.isEmpty else { return "its room is not known" }
      path = path[..<slash]
    }
    return "\((UInt64(info.f_bavail) * UInt64(info.f_frsize)) >> 20) MB are left"
  }

  /// One line without runs of blanks, at most `reasonMax` characters.
  private static func readable(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    guard line.count > reasonMax else { return line }
    let cut = line.prefix(reasonMax - 1)
    return String(cut[..<(cut.lastIndex(of: " ") ?? cut.endIndex)]) + "…"
  }
}
