// What a group must know of itself across restarts of the control plane.

import FoundationEssentials
import Supervisor

/// `dataRoot/ID/group.json` (0600).
struct GroupRecord: Codable, Sendable, Hashable {
  var version = 1
  var administratorPassword: String
  var primary: String?
  var nodes: Set<String> = []
  /// Replicas that were in step with the primary.
  var inStep: Set<String> = []

  static func read(_ path: String) throws -> GroupRecord? {
    guard let bytes = try PrivateFiles.read(path) else { return nil }
    do { return try JSONDecoder().decode(GroupRecord.self, from: Data(bytes)) } catch {
      throw RedisError.invalid("\(path) cannot be read: \(error)")
    }
  }

  func write(_ path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try PrivateFiles.write(encoder.encode(self), to: path)
  }
}
