// The shield's limits for each source, set for a load balancer by its tags: the one way that a stack, castle.yaml, and
// every other client of the API can take alike, and that AWS keeps without acting on it.

import AWSCore
import ELBv2Model
import GateProtocol

/// `castle:shield:LIMIT` = number.
enum ShieldTags {
  static let prefix = "castle:shield:"

  enum Limit: String, CaseIterable {
    /// Connections of one source at once.
    case connections
    /// New connections of one source in a second.
    case newConnections = "new-connections"
    /// Requests of one source in a second.
    case requests
    /// Datagrams of one source in a second.
    case datagrams

    func isOf(_ kind: LoadBalancerKind) -> Bool {
      switch self {
      case .connections, .newConnections: true
      case .requests: kind == .application
      case .datagrams: kind == .network
      }
    }
  }

  /// The limits that tags set; nil for the Gate's own.
  /// - Throws: `ValidationError`, which names the tag.
  static func read(_ tags: [String: String], _ kind: LoadBalancerKind) throws -> GateSnapshot.Shield? {
    var shield = GateSnapshot.Shield()
    var isSet = false
    for (key, value) in tags.sorted(by: { $0.key < $1.key }) where key.hasPrefix(prefix) {
      guard let limit = Limit(rawValue: String(key.dropFirst(prefix.count))), limit.isOf(kind) else {
        let known = Limit.allCases.filter { $0.isOf(kind) }.map { "'\(prefix)\($0.rawValue)'" }
        throw ELBv2Error.validation(
          "The tag key '\(key)' sets no limit of \(kind.plural): those are \(known.joined(separator: ", "))")
      }
      isSet = true
      switch limit {
      case .connections:
        guard let number = Int(value), (1...1_000_000).contains(number) else {
          throw ELBv2Error.validation("The tag '\(key)' must be a whole number from 1 to 1000000, not '\(value)'")
        }
        shield.connectionsPerSource = number
      case .newConnections: shield.newConnectionsPerSource = try rate(key, value)
      case .requests: shield.requestsPerSource = try rate(key, value)
      case .datagrams: shield.datagramsPerSource = try rate(key, value)
      }
    }
    return isSet ? shield : nil
  }

  private static func rate(_ key: String, _ value: String) throws -> Double {
    guard let number = Double(value), number >= 0.01, number <= 10_000_000 else {
      throw ELBv2Error.validation("The tag '\(key)' must be a number from 0.01 to 10000000 a second, not '\(value)'")
    }
    return number
  }
}

extension LoadBalancerRecord {
  /// What its tags say of its clients; tags that were taken before they were looked at say nothing.
  var shield: GateSnapshot.Shield? {
    do { return try ShieldTags.read(tags, kind) } catch { return nil }
  }
}
