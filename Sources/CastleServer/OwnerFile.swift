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
  public var process: ProcessIdentity
  /// Who starts the castle again when it is killed, and holds its socket meanwhile: requests then wait a moment.
  public var keeper: ProcessIdentity?
  public var endpoint: String

  /// What this process says of itself.
  /// - Parameter isKept: its parent starts it again when it is killed.
  init(endpoint: String, isKept: Bool) throws {
    guard let own = ProcessIdentity(pid: getpid()) else { throw CocoaError(.fileReadUnknown) }
    process = own
    keeper = isKept ? ProcessIdentity(pid: getppid()) : nil
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
