// What protects a load balancer from its clients. Every field has a default that needs no attention.

extension GateSnapshot {
  /// Limits for clients of a load balancer. Without one the defaults hold.
  public struct Shield: Codable, Sendable, Equatable {
    /// Seconds from a head's first byte to its end (never more than the idle timeout).
    public var headTime: Double
    /// Seconds after which a body or an answer must have kept to `bytesPerSecondMin` on average.
    public var paceTime: Double
    /// Bytes a second below which a body that is sent, or an answer that is read, is too slow.
    public var bytesPerSecondMin: Double
    /// Seconds for heads and paces of clients that came with an attack.
    public var hurriedTime: Double
    /// Connections of one source at once; nil: its fair share when descriptors run short.
    public var connectionsPerSource: Int?
    /// New connections a second of one source; nil: no limit unless there is an attack.
    public var newConnectionsPerSource: Double?
    /// Requests a second of one source; nil: no limit unless there is an attack.
    public var requestsPerSource: Double?
    /// Datagrams a second of one source, of network load balancers; nil: no limit unless there is an attack.
    public var datagramsPerSource: Double?
    /// Floods are recognised and held back.
    public var detectsFloods: Bool
    /// Other bounds of what is taken for a flood than the detector's own.
    public var bounds: Bounds?

    /// Rates (of `slow`: a number) above which traffic is a flood while no baseline is learned, and with one.
    public struct Bounds: Codable, Sendable, Equatable {
      public var requests: Double?
      public var connections: Double?
      public var slow: Double?
      public var datagrams: Double?
      /// The share of a loop's time (0...1) above which it is busy, and the seconds by which requests must take longer
      /// than usual before targets are: then a few heavy sources are held back, too.
      public var load: Double?
      public var waitMargin: Double?
      /// Seconds after which the baseline is trusted.
      public var learningTime: Double?
      /// Seconds of peace after which an attack is over.
      public var quietTime: Double?

      public init(
        requests: Double? = nil, connections: Double? = nil, slow: Double? = nil, learningTime: Double? = nil,
        quietTime: Double? = nil, datagrams: Double? = nil, load: Double? = nil, waitMargin: Double? = nil
      ) {
        self.load = load
        self.waitMargin = waitMargin
        self.datagrams = datagrams
        self.requests = requests
        self.connections = connections
        self.slow = slow
        self.learningTime = learningTime
        self.quietTime = quietTime
      }
    }

    public init(
      headTime: Double = 20, paceTime: Double = 20, bytesPerSecondMin: Double = 240, hurriedTime: Double = 3,
      connectionsPerSource: Int? = nil, newConnectionsPerSource: Double? = nil, requestsPerSource: Double? = nil,
      detectsFloods: Bool = true, bounds: Bounds? = nil, datagramsPerSource: Double? = nil
    ) {
      self.datagramsPerSource = datagramsPerSource
      self.headTime = headTime
      self.paceTime = paceTime
      self.bytesPerSecondMin = bytesPerSecondMin
      self.hurriedTime = hurriedTime
      self.connectionsPerSource = connectionsPerSource
      self.newConnectionsPerSource = newConnectionsPerSource
      self.requestsPerSource = requestsPerSource
      self.detectsFloods = detectsFloods
      self.bounds = bounds
    }
  }
}
