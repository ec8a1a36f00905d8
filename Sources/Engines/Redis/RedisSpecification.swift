// What a replication group of Redis servers shall be. Plain values that know nothing of AWS.

import Supervisor

extension RedisGroup {
  /// The desired state of a group: one primary, any number of replicas.
  public struct Specification: Sendable, Hashable {
    /// Names the group for ever, and its directory: letters, digits, `-`, `_`, `.`; at most 80.
    public var id: String
    /// Where all groups' data lives; this one's in `dataRoot/id`. Must be reachable for the servers' user.
    public var dataRoot: String
    public var nodes: [Node]
    /// Tokens that clients authenticate with (as the user `default`): none for open access, two while one is being
    /// rotated. The last is the current one.
    public var authTokens: [String]
    /// Server settings (`maxmemory-policy`, `timeout`, …). Those that the engine needs are refused.
    public var parameters: [String: String]
    /// Whether clients are kept from commands that would break the group (`REPLICAOF`, `CONFIG`, `SHUTDOWN`, …).
    public var isRestricted: Bool
    /// Whether the servers shall run. Data is kept when not.
    public var isRunning: Bool
    /// Whom the servers run as. `nil`: who we are, or when we are root `redis`, else `nobody`.
    public var user: SystemUser?

    public init(
      id: String, dataRoot: String, nodes: [Node], authTokens: [String] = [], parameters: [String: String] = [:],
      isRestricted: Bool = true, isRunning: Bool = true, user: SystemUser? = nil
    ) {
      self.id = id
      self.dataRoot = dataRoot
      self.nodes = nodes
      self.authTokens = authTokens
      self.parameters = parameters
      self.isRestricted = isRestricted
      self.isRunning = isRunning
      self.user = user
    }

    public var directory: String { dataRoot + "/" + id }
    func node(_ name: String) -> Node? { nodes.first { $0.name == name } }
  }

  /// One server.
  public struct Node: Sendable, Hashable {
    /// Letters, digits, `-`, `_`; at most 63.
    public var name: String
    /// A literal address of 127.0.0.0/8 that it listens on.
    public var address: String
    public var port: Int

    public init(name: String, address: String, port: Int) {
      self.name = name
      self.address = address
      self.port = port
    }
    var endpoint: String { "\(address):\(port)" }
  }

  /// The observed state of a group.
  public struct State: Sendable, Hashable {
    /// The node that is (or is to become) the primary; `nil` before there is one.
    public var primary: String?
    public var nodes: [NodeState]
    /// How often another node became the primary since this control plane looks.
    public var failovers: Int

    public init(primary: String? = nil, nodes: [NodeState] = [], failovers: Int = 0) {
      self.primary = primary
      self.nodes = nodes
      self.failovers = failovers
    }
    public subscript(name: String) -> NodeState? { nodes.first { $0.name == name } }
    /// The primary, when it accepts writes: where the primary endpoint points.
    public var availablePrimary: NodeState? { nodes.first { $0.role == .primary && $0.status == .available } }
    /// Replicas in step: where the reader endpoint points (the primary when there is none).
    public var availableReplicas: [NodeState] { nodes.filter { $0.role == .replica && $0.status == .available } }
    public var isSettled: Bool { !nodes.isEmpty && nodes.allSatisfy { $0.status == .available } }
    public var isStopped: Bool { nodes.allSatisfy { $0.status == .stopped } }
  }

  public enum Role: String, Sendable, Hashable { case primary, replica }
  public enum Status: String, Sendable, Hashable { case starting, available, rejoining, stopping, stopped, failed }

  public struct NodeState: Sendable, Hashable {
    public var name: String
    public var role: Role
    public var status: Status
    public var address: String
    public var port: Int
    public var pid: Int32?
    /// Why it does not come up, when that is certain; nil while it is available.
    public var failure: EngineFailure?

    public init(
      name: String, role: Role, status: Status, address: String, port: Int, pid: Int32? = nil,
      failure: EngineFailure? = nil
    ) {
      self.name = name
      self.role = role
      self.status = status
      self.address = address
      self.port = port
      self.pid = pid
      self.failure = failure
    }
  }
}

/// What can go wrong with a group.
public enum RedisError: Error, Sendable, Hashable, CustomStringConvertible {
  case invalid(String)
  /// No redis-server on this machine.
  case notInstalled
  case connection(String)
  /// The server's error reply.
  case reply(String)
  case startFailed(node: String, log: String)
  case timedOut(String)
  case unavailable(String)

  public var description: String {
    switch self {
    case .invalid(let why): "invalid group: \(why)"
    case .notInstalled: "redis-server is not installed (Debian: apt-get install redis-server)"
    case .connection(let why): "Redis does not answer: \(why)"
    case .reply(let text): "Redis refused: \(text)"
    case .startFailed(let node, let log): "\(node) did not start: \(log)"
    case .timedOut(let what): "timed out: \(what)"
    case .unavailable(let why): why
    }
  }
}

extension RedisGroup.Specification {
  /// - Throws: `RedisError.invalid`.
  func validate() throws(RedisError) {
    func check(_ isGood: Bool, _ why: String) throws(RedisError) { if !isGood { throw .invalid(why) } }
    try check(EngineName.isGood(id, most: 80), "group id '\(id)'")
    try check(dataRoot.hasPrefix("/"), "the data root must be an absolute path")
    try check(Set(nodes.map(\.name)).count == nodes.count, "two nodes have the same name")
    for node in nodes {
      try check(EngineName.isGood(node.name, most: 63), "node name '\(node.name)'")
      try check(node.address.hasPrefix("127."), "\(node.address) is not a loopback address")
      try check((1...65_535).contains(node.port), "port \(node.port)")
    }
    for token in authTokens {
      let isGood = !token.isEmpty && token.utf8.count <= 512 && token.utf8.allSatisfy { $0 > 32 && $0 < 127 }
      try check(isGood, "an auth token must be printable ASCII without spaces")
    }
    for (name, value) in parameters {
      try check(!RedisConfiguration.reserved.contains(name), "the parameter '\(name)' belongs to the engine")
      try check(EngineName.isGood(name, most: 63) && !value.contains(where: \.isNewline), "the parameter '\(name)'")
    }
  }
}
