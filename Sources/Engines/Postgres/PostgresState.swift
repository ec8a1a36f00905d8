// What a cluster is seen to be.

import Supervisor

extension PostgresCluster {
  /// The observed state of a cluster, for endpoints, descriptions and people.
  public struct State: Sendable, Hashable {
    /// The instance that is (or is to become) the writer; `nil` before the cluster has data.
    public var writer: String?
    /// Desired instances and those that are on their way out, by name.
    public var instances: [InstanceState]
    /// How often another instance became the writer since this control plane looks.
    public var failovers: Int

    public init(writer: String? = nil, instances: [InstanceState] = [], failovers: Int = 0) {
      self.writer = writer
      self.instances = instances
      self.failovers = failovers
    }

    public subscript(name: String) -> InstanceState? { instances.first { $0.name == name } }
    /// The writer, when it accepts writes: where the writer endpoint points.
    public var availableWriter: InstanceState? { instances.first { $0.role == .writer && $0.status == .available } }
    /// Replicas that stream: where the reader endpoint points (the writer when there is none).
    public var availableReaders: [InstanceState] { instances.filter { $0.role == .reader && $0.status == .available } }
    /// Whether every instance is available.
    public var isSettled: Bool { !instances.isEmpty && instances.allSatisfy { $0.status == .available } }
    /// Whether no server runs.
    public var isStopped: Bool { instances.allSatisfy { $0.status == .stopped } }
  }

  public enum Role: String, Sendable, Hashable { case writer, reader }

  public enum Status: String, Sendable, Hashable {
    /// Has no data yet, or its data is being made.
    case creating
    case starting
    /// A writer accepts writes, a reader streams from the writer and answers.
    case available
    /// Being rewound, copied anew or pointed at another writer.
    case rejoining
    case stopping
    case stopped
    /// Ended unasked, or did not start; it is tried again.
    case failed
  }

  public struct InstanceState: Sendable, Hashable {
    public var name: String
    public var role: Role
    public var status: Status
    public var address: String
    public var port: Int
    /// The process that listens; `nil` when there is none.
    public var pid: Int32?
    /// How far a reader is behind the writer, in seconds; 0 when it has all, `nil` when it does not stream.
    public var lagSeconds: Double?
    /// Whether a change of parameters waits for a restart.
    public var needsRestart: Bool
    /// Why it does not come up, when that is certain; nil while it is available.
    public var failure: EngineFailure?

    public init(
      name: String, role: Role, status: Status, address: String, port: Int, pid: Int32? = nil,
      lagSeconds: Double? = nil, needsRestart: Bool = false, failure: EngineFailure? = nil
    ) {
      self.name = name
      self.role = role
      self.status = status
      self.address = address
      self.port = port
      self.pid = pid
      self.lagSeconds = lagSeconds
      self.needsRestart = needsRestart
      self.failure = failure
    }
  }
}
