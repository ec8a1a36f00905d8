// What the machine's owner holds: the keys to the AWS APIs and the token to Castle's own paths, in a 0600 file.

import AWSCore
import Foundation
import ServiceKit
import Supervisor

/// `owner.json` in the state directory, and what a running castle says of itself in `castle.json`.
public struct OwnerFile: Codable, Sendable {
  public var accessKeyID: String
  public var secretAccessKey: String
  /// Opens the dashboard and Castle's own paths.
  public var token: String

  static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/owner.json" }

  /// Reads the owner's file; nil when the castle was never started.
  public static func read(stateDirectory: String) throws -> OwnerFile? {
    guard let bytes = try PrivateFiles.read(path(stateDirectory)) else { return nil }
    return try JSONDecoder().decode(OwnerFile.self, from: Data(bytes))
  }

  /// The owner's file, made at the first start.
  static func open(stateDirectory: String, ids: any IdentifierSource) throws -> OwnerFile {
    if let held = try read(stateDirectory: stateDirectory) { return held }
    let made = OwnerFile(
      accessKeyID: "AKIA" + ids.upperAlphanumeric(16), secretAccessKey: ids.alphanumeric(40), token: ids.hex(32))
    try PrivateFiles.write([UInt8](try JSONEncoder().encode(made)), to: path(stateDirectory))
    return made
  }
}

/// What a running castle says of itself, for the command.
public struct RunningFile: Codable, Sendable {
  /// One process for ever.
  public struct Mark: Codable, Sendable {
    public var pid: Int32
    /// From /proc: tells this process from a later one with the same number.
    public var startTime: UInt64

    /// The running process of this number.
    public init?(pid: Int32) {
      guard let start = Self.startTime(of: pid) else { return nil }
      self.pid = pid
      startTime = start
    }

    var isRunning: Bool { Self.startTime(of: pid) == startTime }

    /// Field 22 of /proc/PID/stat; nil when there is no such process or it has ended and nobody has taken note yet.
    private static func startTime(of pid: Int32) -> UInt64? {
      guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
        let end = text.lastIndex(of: ")")
      else { return nil }
      let fields = text[text.index(after: end)...].split(separator: " ")
      return fields.count > 19 && fields[0] != "Z" && fields[0] != "X" ? UInt64(fields[19]) : nil
    }
  }

  public var process: Mark
  /// Who starts the castle again when it is killed, and holds its socket meanwhile: requests then wait a moment.
  public var keeper: Mark?
  public var endpoint: String

  /// What this process says of itself.
  /// - Parameter isKept: its parent starts it again when it is killed.
  init(endpoint: String, isKept: Bool) throws {
    guard let own = Mark(pid: getpid()) else { throw CocoaError(.fileReadUnknown) }
    process = own
    keeper = isKept ? Mark(pid: getppid()) : nil
    self.endpoint = endpoint
  }

  static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/castle.json" }

  /// The castle that runs over this state; nil when none does.
  public static func read(stateDirectory: String) throws -> RunningFile? {
    guard let bytes = try PrivateFiles.read(path(stateDirectory)) else { return nil }
    let file = try JSONDecoder().decode(RunningFile.self, from: Data(bytes))
    return file.process.isRunning || file.keeper?.isRunning == true ? file : nil
  }

  func write(stateDirectory: String) throws {
    try PrivateFiles.write([UInt8](try JSONEncoder().encode(self)), to: Self.path(stateDirectory))
  }
}
