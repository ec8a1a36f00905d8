// Counters of the Gate. They only rise, from the start of the worker named in `workerStartedAt`: consumers take differences.

/// All counters at one moment.
public struct GateStatistics: Codable, Sendable, Equatable {
  /// Seconds since 1970.
  public var time: Double
  /// When this value differs from the last one's, the counters began again at zero.
  public var workerStartedAt: Double
  public var loadBalancers: [LoadBalancer]
  public var targetGroups: [TargetGroup]
  public var targets: [Target]
  public var endpoints: [Endpoint]
  public var networkLoadBalancers: [NetworkLoadBalancer] = []

  public init(
    time: Double, workerStartedAt: Double, loadBalancers: [LoadBalancer] = [], targetGroups: [TargetGroup] = [],
    targets: [Target] = [], endpoints: [Endpoint] = []
  ) {
    self.time = time
    self.workerStartedAt = workerStartedAt
    self.loadBalancers = loadBalancers
    self.targetGroups = targetGroups
    self.targets = targets
    self.endpoints = endpoints
  }

  /// Answers by the hundred of their status.
  public struct Codes: Codable, Sendable, Equatable {
    public var code2xx: UInt64 = 0
    public var code3xx: UInt64 = 0
    public var code4xx: UInt64 = 0
    public var code5xx: UInt64 = 0
    public init() {}
  }

  public struct LoadBalancer: Codable, Sendable, Equatable {
    public var id: String
    public var requests: UInt64 = 0
    /// Answers that came from targets (`HTTPCode_Target_*`).
    public var target = Codes()
    /// Answers that the load balancer itself made (`HTTPCode_ELB_*`), redirects and fixed responses included.
    public var elb = Codes()
    /// Clients that went away before their answer (460).
    public var clientAborts: UInt64 = 0
    /// HTTP/2 connections that were ended for abuse (`ENHANCE_YOUR_CALM`): floods of frames, resets, header bombs.
    public var http2Abuses: UInt64 = 0
    public var newConnections: UInt64 = 0
    /// Client connections open now.
    public var activeConnections: Int = 0
    public var requestBytes: UInt64 = 0
    public var responseBytes: UInt64 = 0
    /// Handshakes that clients did not complete (`ClientTLSNegotiationErrorCount`).
    public var clientTLSErrors: UInt64 = 0
    /// Bytes of requests and responses with their heads (`ProcessedBytes`).
    public var processedBytes: UInt64 { requestBytes + responseBytes }

    public init(id: String) { self.id = id }
  }

  public struct TargetGroup: Codable, Sendable, Equatable {
    public var id: String
    public var requests: UInt64 = 0
    public var target = Codes()
    /// Connections to targets that could not be made (`TargetConnectionErrorCount`).
    public var connectionErrors: UInt64 = 0
    /// Handshakes that targets did not complete (`TargetTLSNegotiationErrorCount`).
    public var targetTLSErrors: UInt64 = 0
    public var activeRequests: Int = 0
    /// Seconds from the request leaving the Gate to the head of the answer (`TargetResponseTime`).
    public var latency = GateHistogram()

    public init(id: String) { self.id = id }
  }

  public struct Target: Codable, Sendable, Equatable {
    public var targetGroup: String
    public var address: String
    public var port: UInt16
    public var requests: UInt64 = 0
    public var code5xx: UInt64 = 0
    public var connectionErrors: UInt64 = 0
    public var activeRequests: Int = 0
    /// Open connections to the target, idle ones included.
    public var connections: Int = 0
    public var latency = GateHistogram()

    public init(targetGroup: String, address: String, port: UInt16) {
      self.targetGroup = targetGroup
      self.address = address
      self.port = port
    }
  }

  public struct Endpoint: Codable, Sendable, Equatable {
    public var id: String
    public var connections: UInt64 = 0
    public var activeConnections: Int = 0
    /// Connections closed because no backend took them.
    public var refused: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0

    public init(id: String) { self.id = id }
  }
}
