// The control protocol: frames of a 4-byte big-endian length and JSON, over a Unix stream socket, requests pipelined.

import WebACL

/// What the control plane asks.
public enum GateRequest: Codable, Sendable {
  /// Make this the configuration. Answered with `.status` once the listeners are bound and every loop serves it.
  case apply(GateSnapshot)
  case status
  case health
  case statistics
  /// The attacks of the last time, the oldest first.
  case attacks
  /// From now on push `GateEvent`s over this connection: all health at once, then changes; statistics every second;
  /// all attacks that are remembered, then what becomes of them.
  case subscribe
}

/// A request with the number that its reply will carry.
public struct GateCall: Codable, Sendable {
  public var id: UInt64
  public var request: GateRequest

  public init(id: UInt64, request: GateRequest) {
    self.id = id
    self.request = request
  }
}

/// What the Gate sends: a reply to the call of that number, or an event.
public enum GateMessage: Codable, Sendable {
  case reply(id: UInt64, GateReply)
  case event(GateEvent)
}

public enum GateReply: Codable, Sendable {
  case status(GateStatus)
  case health([GateTargetHealth])
  case statistics(GateStatistics)
  case attacks([GateAttack])
  case subscribed
  case failed(GateError)
}

/// What a subscriber is told without asking.
public enum GateEvent: Codable, Sendable {
  /// Targets whose health changed (after subscribing: all of them).
  case health([GateTargetHealth])
  /// Every second.
  case statistics(GateStatistics)
  /// An attack began, goes on or ended.
  case attack(GateAttack)
  /// Another snapshot was applied, by whomever.
  case applied(GateStatus)
  /// Samples and log lines of requests that web ACLs judged.
  case webACL(WebACLRecords)
  /// A token names a key that is not in this key set, or there is no key set; told again and again while it is so.
  case keysWanted(keySet: String)
}

/// Why a call to the Gate failed.
public enum GateError: Error, Codable, Sendable, Equatable {
  /// The Gate already has a newer snapshot.
  case staleVersion(applied: UInt64)
  /// The snapshot contradicts itself; the text says where.
  case invalidSnapshot(String)
  /// Nobody listens on the socket, or the connection was lost before the reply.
  case disconnected(String)
  /// A frame that is not of this protocol.
  case protocolViolation(String)
}

/// Limits of the control protocol.
public enum GateLimits {
  /// Bytes in one frame.
  public static let frameSizeMax = 64 << 20
}
