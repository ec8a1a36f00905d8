// What the service keeps with a log group, beside what the engine knows.

import AWSCore
import FoundationEssentials

/// The document of a group in the log store.
struct GroupConfiguration: Codable, Sendable {
  var tags: [String: String] = [:]
  var kmsKeyId: String?
  /// `STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`.
  var logGroupClass: String?
  var deletionProtection: Bool?

  init() {}

  init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(GroupConfiguration.self, from: Data(bytes)) }

  func bytes() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }
}
