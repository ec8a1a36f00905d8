// Where the Gate sends what it takes in: target groups of load balancers, and plain TCP endpoints.

extension GateSnapshot {
  /// A target group, its targets and how their health is found out.
  public struct TargetGroup: Codable, Sendable, Equatable {
    public enum Algorithm: String, Codable, Sendable {
      case roundRobin = "round_robin"
      case leastOutstandingRequests = "least_outstanding_requests"
      /// At random among all, evenly, or with anomaly mitigation by how well each target does.
      case weightedRandom = "weighted_random"
    }

    /// How a client stays with a target.
    public enum Stickiness: Codable, Sendable, Equatable {
      /// By the cookie `AWSALB`, for so many seconds from the last answer.
      case loadBalancerCookie(duration: Double)
      /// By the cookie `AWSALBAPP-0`, as long as the target's own cookie of that name comes back, for so many seconds.
      case applicationCookie(name: String, duration: Double)
    }

    /// What is spoken with the targets (ELBv2 `ProtocolVersion`).
    public enum ProtocolVersion: String, Codable, Sendable {
      case http1 = "HTTP1"
      case http2 = "HTTP2"
      case grpc = "GRPC"
    }

    /// Unique text by which actions, health and statistics name it.
    public var id: String
    /// The name in the lines of health check logs; nil is a hyphen.
    public var name: String?
    public var targets: [Target]
    public var healthCheck: HealthCheck
    public var algorithm: Algorithm
    /// Seconds that requests in flight may go on after their target began draining.
    public var deregistrationDelay: Double
    /// Seconds during which a target that became healthy is given a growing share; 0 for none.
    public var slowStart: Double
    /// nil is `.http`.
    public var transport: TargetTransport?
    /// For network load balancers; nil is as AWS has it by default.
    public var flow: FlowAttributes?
    /// nil is HTTP1.
    public var protocolVersion: ProtocolVersion?
    /// With `weightedRandom`: give targets that fail more than the others less (`load_balancing.algorithm.anomaly_mitigation`).
    public var mitigatesAnomalies: Bool
    public var stickiness: Stickiness?
    /// Whether a node also uses targets of other zones; nil for as the load balancer does.
    public var crossZone: Bool?
    /// With fewer healthy targets than this in a zone, all of its targets get requests
    /// (`target_group_health.unhealthy_state_routing.minimum_healthy_targets`).
    public var minimumHealthy: HealthThreshold
    /// With fewer healthy targets than this in its zone, a network load balancer's node is left out while another is
    /// there, as DNS does it (`target_group_health.dns_failover.minimum_healthy_targets`).
    public var minimumHealthyForDNS = HealthThreshold()

    public init(
      id: String, targets: [Target] = [], healthCheck: HealthCheck = HealthCheck(),
      algorithm: Algorithm = .roundRobin, deregistrationDelay: Double = 300, slowStart: Double = 0,
      mitigatesAnomalies: Bool = false, stickiness: Stickiness? = nil, crossZone: Bool? = nil,
      minimumHealthy: HealthThreshold = HealthThreshold(), transport: TargetTransport? = nil,
      flow: FlowAttributes? = nil, protocolVersion: ProtocolVersion? = nil, name: String? = nil
    ) {
      self.name = name
      self.mitigatesAnomalies = mitigatesAnomalies
      self.stickiness = stickiness
      self.crossZone = crossZone
      self.minimumHealthy = minimumHealthy
      self.id = id
      self.targets = targets
      self.healthCheck = healthCheck
      self.algorithm = algorithm
      self.deregistrationDelay = deregistrationDelay
      self.slowStart = slowStart
      self.transport = transport
      self.flow = flow
      self.protocolVersion = protocolVersion
    }
  }

  /// How many targets must be healthy, as a number and as a share: whichever is more.
  public struct HealthThreshold: Codable, Sendable, Equatable {
    /// 0 for off.
    public var count: Int
    /// Of the registered targets, in percent; nil for off.
    public var percentage: Int?

    public init(count: Int = 1, percentage: Int? = nil) {
      self.count = count
      self.percentage = percentage
    }

    /// How many of so many registered targets.
    public func least(of registered: Int) -> Int { max(count, percentage.map { (registered * $0 + 99) / 100 } ?? 0) }
  }

  /// A target: an IPv4 address and a port.
  public struct Target: Codable, Sendable, Equatable, Hashable {
    public enum State: String, Codable, Sendable { case registered, draining }

    public var address: String
    public var port: UInt16
    /// A draining target gets no new requests; those in flight finish within the deregistration delay.
    public var state: State
    /// Its Availability Zone; nil for `all`: it belongs to each.
    public var zone: String?

    public init(address: String, port: UInt16, state: State = .registered, zone: String? = nil) {
      self.address = address
      self.port = port
      self.state = state
      self.zone = zone
    }
  }

  /// How the health of targets is probed (ELBv2 `CreateTargetGroup`).
  public struct HealthCheck: Codable, Sendable, Equatable {
    public enum Probe: String, Codable, Sendable {
      case http, tcp
      /// HTTP over TLS; the target's certificate is not verified.
      case https
      /// A GET over HTTP/2 without TLS.
      case http2
      /// A call over HTTP/2 without TLS; the matcher is compared with `grpc-status`.
      case grpc
      /// `http2` and `grpc` over TLS; the target's certificate is not verified.
      case http2s, grpcs
      /// No probing: every registered target counts as healthy.
      case none

      public var isSecure: Bool { [.https, .http2s, .grpcs].contains(self) }
      public var isHTTP2: Bool { [.http2, .http2s, .grpc, .grpcs].contains(self) }
      public var isGRPC: Bool { self == .grpc || self == .grpcs }
    }

    public var probe: Probe
    public var path: String
    /// The port to probe; nil is `traffic-port`.
    public var port: UInt16?
    /// Seconds between two probes of a target.
    public var interval: Double
    /// Seconds until a probe without an answer has failed.
    public var timeout: Double
    public var healthyThreshold: Int
    public var unhealthyThreshold: Int
    /// Status codes that are well: `200`, `200,202`, `200-399`.
    public var matcher: String

    public init(
      probe: Probe = .http, path: String = "/", port: UInt16? = nil, interval: Double = 30, timeout: Double = 5,
      healthyThreshold: Int = 5, unhealthyThreshold: Int = 2, matcher: String = "200"
    ) {
      self.probe = probe
      self.path = path
      self.port = port
      self.interval = interval
      self.timeout = timeout
      self.healthyThreshold = healthyThreshold
      self.unhealthyThreshold = unhealthyThreshold
      self.matcher = matcher
    }
  }

  /// A port whose connections are passed on byte for byte: database writer and reader, cache endpoints.
  public struct TCPEndpoint: Codable, Sendable, Equatable {
    /// Unique in the snapshot. An endpoint that keeps its id, address and port keeps its socket.
    public var id: String
    /// As for a load balancer.
    public var address: String
    /// As for a listener: 0 lets the system pick, a refused port falls back to a picked one.
    public var port: UInt16
    /// New connections go to these in turn; one that refuses is passed over.
    public var backends: [Backend]
    /// Close a backend's connections the moment it is removed (failover); otherwise they live on.
    public var closesConnectionsOfRemovedBackends: Bool
    /// Seconds that a new connection waits while there is no backend or all refuse, before it is closed.
    public var waitForBackend: Double

    public init(
      id: String, address: String, port: UInt16, backends: [Backend] = [],
      closesConnectionsOfRemovedBackends: Bool = true, waitForBackend: Double = 0
    ) {
      self.id = id
      self.address = address
      self.port = port
      self.backends = backends
      self.closesConnectionsOfRemovedBackends = closesConnectionsOfRemovedBackends
      self.waitForBackend = waitForBackend
    }
  }

  public struct Backend: Codable, Sendable, Equatable, Hashable {
    public var address: String
    public var port: UInt16

    public init(address: String, port: UInt16) {
      self.address = address
      self.port = port
    }
  }
}
