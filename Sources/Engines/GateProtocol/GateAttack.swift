// An attack on a load balancer, as the Gate tells of it.

/// What is known of one attack. The Gate keeps the last hundred over the death of the control plane and tells a new
/// subscriber of all of them; `id` and `updatedAt` say what is already known.
public struct GateAttack: Codable, Sendable, Equatable {
  /// How many at once, or how often in a second.
  public struct Vector: Codable, Sendable, Equatable {
    /// Shield's name of the vector where it has one: `REQUEST_FLOOD`; else `CONNECTION_FLOOD`, `SLOWLORIS`,
    /// `PROTOCOL_ABUSE`. Of datagrams: `UDP_TRAFFIC`.
    public var name: String
    /// What is counted: `Requests`, `Connections`, `SlowConnections`, `Offences`, `Packets`.
    public var counter: String
    public var max: Double
    public var average: Double
    public var sum: Double
    /// Samples in the sum.
    public var samples: Int

    public init(name: String, counter: String, max: Double, average: Double, sum: Double, samples: Int) {
      self.name = name
      self.counter = counter
      self.max = max
      self.average = average
      self.sum = sum
      self.samples = samples
    }
  }

  public struct Contributor: Codable, Sendable, Equatable {
    /// An IPv4 address, or a network such as `192.0.2.0/24`.
    public var name: String
    public var count: UInt64

    public init(name: String, count: UInt64) {
      self.name = name
      self.count = count
    }
  }

  public enum Phase: String, Codable, Sendable { case began, updated, ended }

  /// Unique over workers and time.
  public var id: String
  /// The id of the load balancer.
  public var loadBalancer: String
  public var phase: Phase
  /// Seconds since 1970.
  public var beganAt: Double
  public var updatedAt: Double
  public var endedAt: Double?
  public var vectors: [Vector]
  /// Requests, new connections and datagrams offered.
  public var offered: UInt64
  /// Those that were refused. What the kernel drops for us is estimated.
  public var refused: UInt64
  public var requests: UInt64
  public var bytes: UInt64
  /// The heaviest sources, the heaviest first.
  public var sources: [Contributor]
  public var networks: [Contributor]
  /// Sources held back altogether at one time or another.
  public var heldSources: Int
  /// False while the attacker has the load balancer to itself and harms nobody: then it is only told of.
  public var isMitigated: Bool

  public init(
    id: String, loadBalancer: String, phase: Phase, beganAt: Double, updatedAt: Double, endedAt: Double? = nil,
    vectors: [Vector] = [], offered: UInt64 = 0, refused: UInt64 = 0, requests: UInt64 = 0, bytes: UInt64 = 0,
    sources: [Contributor] = [], networks: [Contributor] = [], heldSources: Int = 0, isMitigated: Bool = false
  ) {
    self.id = id
    self.loadBalancer = loadBalancer
    self.phase = phase
    self.beganAt = beganAt
    self.updatedAt = updatedAt
    self.endedAt = endedAt
    self.vectors = vectors
    self.offered = offered
    self.refused = refused
    self.requests = requests
    self.bytes = bytes
    self.sources = sources
    self.networks = networks
    self.heldSources = heldSources
    self.isMitigated = isMitigated
  }
}
