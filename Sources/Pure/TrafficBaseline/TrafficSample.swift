// What a load balancer saw in a moment, by source.

/// What one source did within a sample's time. Offers count whether they were taken or refused.
public struct SourceActivity: Sendable, Equatable {
  /// IPv4, host byte order.
  public var address: UInt32
  /// Requests offered.
  public var requests: UInt64 = 0
  /// New connections offered.
  public var connections: UInt64 = 0
  /// Datagrams offered.
  public var datagrams: UInt64 = 0
  /// Connections of a network load balancer over which bytes passed.
  public var flows: UInt64 = 0
  /// Requests, connections and datagrams that were refused.
  public var refused: UInt64 = 0
  /// Answers of 400 and above.
  public var errors: UInt64 = 0
  /// Breaches of a protocol or of a time limit.
  public var offences: UInt64 = 0
  public var bytes: UInt64 = 0
  /// Connections open at the end.
  public var open: UInt64 = 0
  /// Of those, the ones that keep the server waiting: half a head, a trickling body, an answer that is not taken.
  public var slow: UInt64 = 0

  public init(address: UInt32) { self.address = address }

  /// Whether some of what it wanted was done.
  public var isServed: Bool { requests + flows + datagrams > errors + refused }

  /// Adds another loop's view of the same source.
  public mutating func add(_ other: SourceActivity) {
    requests += other.requests
    connections += other.connections
    datagrams += other.datagrams
    flows += other.flows
    refused += other.refused
    errors += other.errors
    offences += other.offences
    bytes += other.bytes
    open += other.open
    slow += other.slow
  }
}

/// One load balancer in one interval.
public struct TrafficSample: Sendable, Equatable {
  /// How long the interval was.
  public var seconds: Double
  /// Each source once.
  public var sources: [SourceActivity]
  /// The share of descriptors or of the loops' time that is used up, whichever is higher (0...1).
  public var pressure: Double
  /// The share of its time that the busiest loop worked, or waited for a processor to work on.
  public var load: Double
  /// Seconds that the targets took for a request; nil when there were none.
  public var wait: Double?

  public init(
    seconds: Double, sources: [SourceActivity], pressure: Double = 0, load: Double = 0, wait: Double? = nil
  ) {
    self.load = load
    self.wait = wait
    self.seconds = seconds
    self.sources = sources
    self.pressure = pressure
  }
}

/// What is watched for departures from the usual.
public enum Measure: String, CaseIterable, Sendable, Codable {
  /// Requests a second.
  case requests
  /// New connections a second.
  case connections
  /// Connections at this moment that keep the server waiting.
  case slow
  /// Breaches of the protocol a second.
  case offences
  /// Datagrams a second.
  case datagrams

  /// The kind of attack, in Shield's word (`AttackVectorDescription.VectorType`) where Shield has one.
  public var vector: String {
    switch self {
    case .requests: "REQUEST_FLOOD"
    case .connections: "CONNECTION_FLOOD"
    case .slow: "SLOWLORIS"
    case .offences: "PROTOCOL_ABUSE"
    case .datagrams: "UDP_TRAFFIC"
    }
  }

  func value(_ source: SourceActivity) -> Double {
    switch self {
    case .requests: Double(source.requests)
    case .connections: Double(source.connections)
    case .slow: Double(source.slow)
    case .offences: Double(source.offences)
    case .datagrams: Double(source.datagrams)
    }
  }
}
