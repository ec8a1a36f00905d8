// Counters of the Gate. They only rise, from the start of the worker named in `workerStartedAt`: consumers take differences.

import WebACL

/// All counters at one moment.
public struct GateStatistics: Codable, Sendable, Equatable {
  /// Seconds since 1970.
  public var time: Double
  /// When this value differs from the last one's, the counters began again at zero.
  public var workerStartedAt: Double
  public var loadBalancers: [LoadBalancer]
  /// The same counters for each node of a load balancer that has zones; `LoadBalancer.zone` says which.
  public var nodes: [LoadBalancer]
  public var targetGroups: [TargetGroup]
  /// The same counters for each node of each load balancer that uses the group; `TargetGroup.loadBalancer` and `zone`
  /// say which.
  public var groupNodes: [TargetGroup] = []
  public var targets: [Target]
  public var endpoints: [Endpoint]
  public var networkLoadBalancers: [NetworkLoadBalancer] = []
  /// The same counters for each node of a network load balancer; `NetworkLoadBalancer.zone` says which.
  public var networkNodes: [NetworkLoadBalancer] = []
  /// nil: no web ACL judges requests.
  public var webACLs: [WebACL]?

  /// What a web ACL decided.
  public struct WebACL: Codable, Sendable, Equatable {
    public var id: String
    /// The name that its metrics have as dimension `WebACL`; nil when it has no metrics of its own.
    public var metricName: String?
    /// Of the default action first, then of its rules.
    public var counters: [WebACLCounter]
    /// The addresses that rate-based rules hold back now.
    public var limited: [Limited] = []

    public init(id: String, counters: [WebACLCounter], metricName: String? = nil) {
      self.id = id
      self.metricName = metricName
      self.counters = counters
    }
  }

  /// Addresses whose rate is over the limit of a rule.
  public struct Limited: Codable, Sendable, Equatable {
    public var rule: String
    /// For a rule inside of a group; `rule` then is the one that refers to it.
    public var groupRule: String?
    public var addresses: [String]

    public init(rule: String, groupRule: String?, addresses: [String]) {
      self.rule = rule
      self.groupRule = groupRule
      self.addresses = addresses
    }
  }

  public init(
    time: Double, workerStartedAt: Double, loadBalancers: [LoadBalancer] = [], nodes: [LoadBalancer] = [],
    targetGroups: [TargetGroup] = [], targets: [Target] = [], endpoints: [Endpoint] = []
  ) {
    self.nodes = nodes
    self.time = time
    self.workerStartedAt = workerStartedAt
    self.loadBalancers = loadBalancers
    self.targetGroups = targetGroups
    self.targets = targets
    self.endpoints = endpoints
  }

  /// Answers by the hundred of their status, and the ones that CloudWatch counts apart.
  public struct Codes: Codable, Sendable, Equatable {
    public var code2xx: UInt64 = 0
    public var code3xx: UInt64 = 0
    public var code4xx: UInt64 = 0
    public var code5xx: UInt64 = 0
    public var code500: UInt64 = 0
    public var code502: UInt64 = 0
    public var code503: UInt64 = 0
    public var code504: UInt64 = 0
    public init() {}

    /// Adds another count.
    public mutating func add(_ other: Codes) {
      code2xx += other.code2xx
      code3xx += other.code3xx
      code4xx += other.code4xx
      code5xx += other.code5xx
      code500 += other.code500
      code502 += other.code502
      code503 += other.code503
      code504 += other.code504
    }
  }

  public struct LoadBalancer: Codable, Sendable, Equatable {
    public var id: String
    /// The zone of a node; nil in the sums of a load balancer.
    public var zone: String?
    /// Load is shifted away from the zone of a node.
    public var isShifted = false
    /// All that came in, those that were refused included.
    public var requests: UInt64 = 0
    /// Those for which a target was chosen (`RequestCount`).
    public var routedRequests: UInt64 = 0
    /// Those of them that no cookie led to a target, though their target group is sticky (`NonStickyRequestCount`).
    public var nonStickyRequests: UInt64 = 0
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
    /// Connections made to targets, and those of them that are open now.
    public var newTargetConnections: UInt64 = 0
    public var targetConnections: Int = 0
    public var requestBytes: UInt64 = 0
    public var responseBytes: UInt64 = 0
    /// Handshakes that clients did not complete (`ClientTLSNegotiationErrorCount`).
    public var clientTLSErrors: UInt64 = 0
    /// Connections turned away because a limit was reached (`RejectedConnectionCount`).
    public var rejectedConnections: UInt64 = 0
    /// Rules that were evaluated, in the order of priority (`RuleEvaluations`).
    public var ruleEvaluations: UInt64 = 0
    public var redirects: UInt64 = 0
    /// Redirects whose Location would have been too long (`HTTP_Redirect_Url_Limit_Exceeded_Count`).
    public var redirectsTooLong: UInt64 = 0
    public var fixedResponses: UInt64 = 0
    /// `DesyncMitigationMode_NonCompliant_Request_Count`
    public var nonCompliantRequests: UInt64 = 0
    /// Requests from which headers with unusual names were removed (`DroppedInvalidHeaderRequestCount`).
    public var droppedInvalidHeaders: UInt64 = 0
    /// Requests with such headers that were passed on (`ForwardedInvalidHeaderRequestCount`).
    public var forwardedInvalidHeaders: UInt64 = 0
    /// Requests with a good token, and without one (`JwtValidationSuccessCount`, `JwtValidationFailureCount`).
    public var tokensAccepted: UInt64 = 0
    public var tokensRefused: UInt64 = 0
    /// `ELBAuthSuccess`, `ELBAuthFailure` and `ELBAuthError`.
    public var signInsSucceeded: UInt64 = 0
    /// Sessions whose access token was renewed (`ELBAuthRefreshTokenSuccess`).
    public var signInsRefreshed: UInt64 = 0
    public var signInsRefused: UInt64 = 0
    public var signInsFailed: UInt64 = 0
    /// Claims that were too large (`ELBAuthUserClaimsSizeExceeded`).
    public var signInsTooLarge: UInt64 = 0
    /// What asking the identity provider took, also when it failed (`ELBAuthLatency`).
    public var signInLatency = GateHistogram()
    /// Bytes of requests and responses with their heads (`ProcessedBytes`).
    public var processedBytes: UInt64 { requestBytes + responseBytes }

    public init(id: String) { self.id = id }

    /// Adds the counters of another node, or loop.
    public mutating func add(_ other: LoadBalancer) {
      isShifted = isShifted || other.isShifted
      requests += other.requests
      routedRequests += other.routedRequests
      nonStickyRequests += other.nonStickyRequests
      newTargetConnections += other.newTargetConnections
      targetConnections += other.targetConnections
      signInsTooLarge += other.signInsTooLarge
      signInLatency.merge(other.signInLatency)
      target.add(other.target)
      elb.add(other.elb)
      clientAborts += other.clientAborts
      newConnections += other.newConnections
      activeConnections += other.activeConnections
      requestBytes += other.requestBytes
      responseBytes += other.responseBytes
      rejectedConnections += other.rejectedConnections
      clientTLSErrors += other.clientTLSErrors
      http2Abuses += other.http2Abuses
      ruleEvaluations += other.ruleEvaluations
      redirects += other.redirects
      redirectsTooLong += other.redirectsTooLong
      fixedResponses += other.fixedResponses
      nonCompliantRequests += other.nonCompliantRequests
      droppedInvalidHeaders += other.droppedInvalidHeaders
      forwardedInvalidHeaders += other.forwardedInvalidHeaders
      tokensAccepted += other.tokensAccepted
      tokensRefused += other.tokensRefused
      signInsSucceeded += other.signInsSucceeded
      signInsRefreshed += other.signInsRefreshed
      signInsRefused += other.signInsRefused
      signInsFailed += other.signInsFailed
    }

    /// Load balancer capacity units (`ConsumedLCUs`) used since an earlier moment, as AWS prices them: the largest of 25
    /// new connections a second, 3,000 active ones, 1 GB an hour, and 1,000 rules evaluated a second beyond 10 for each
    /// request.
    /// - Parameter seconds: between the two moments.
    public func consumedCapacityUnits(since earlier: LoadBalancer, seconds: Double) -> Double {
      guard seconds > 0 else { return 0 }
      func rate(_ now: UInt64, _ before: UInt64) -> Double { now >= before ? Double(now - before) / seconds : 0 }
      let perRequest = rate(requests, earlier.requests) * 10
      return max(
        rate(newConnections, earlier.newConnections) / 25, Double(activeConnections) / 3000,
        rate(processedBytes, earlier.processedBytes) * 3600 / 1e9,
        (rate(ruleEvaluations, earlier.ruleEvaluations) - perRequest) / 1000)
    }
  }

  public struct TargetGroup: Codable, Sendable, Equatable {
    public var id: String
    /// The load balancer, and the zone of its node; nil in the sums of a target group.
    public var loadBalancer: String?
    public var zone: String?
    /// Requests that its targets answered.
    public var requests: UInt64 = 0
    /// Requests for which one of its targets was chosen (`RequestCount`); those of them that were gRPC's
    /// (`GrpcRequestCount`), and those that went to any target because too few are healthy
    /// (`UnhealthyRoutingRequestCount`).
    public var routedRequests: UInt64 = 0
    public var grpcRequests: UInt64 = 0
    public var failOpenRequests: UInt64 = 0
    public var target = Codes()
    /// Connections to targets that could not be made (`TargetConnectionErrorCount`).
    public var connectionErrors: UInt64 = 0
    /// Handshakes that targets did not complete (`TargetTLSNegotiationErrorCount`).
    public var targetTLSErrors: UInt64 = 0
    public var activeRequests: Int = 0
    /// Seconds from the request leaving the Gate to the head of the answer (`TargetResponseTime`).
    public var latency = GateHistogram()

    public init(id: String) { self.id = id }

    /// Adds the counters of another node, or loop.
    public mutating func add(_ other: TargetGroup) {
      requests += other.requests
      routedRequests += other.routedRequests
      grpcRequests += other.grpcRequests
      failOpenRequests += other.failOpenRequests
      target.add(other.target)
      connectionErrors += other.connectionErrors
      targetTLSErrors += other.targetTLSErrors
      activeRequests += other.activeRequests
      latency.merge(other.latency)
    }
  }

  public struct Target: Codable, Sendable, Equatable {
    public var targetGroup: String
    public var address: String
    public var port: UInt16
    /// Its Availability Zone, if it has one.
    public var zone: String?
    public var requests: UInt64 = 0
    public var codes = Codes()
    public var code5xx: UInt64 { codes.code5xx }
    public var connectionErrors: UInt64 = 0
    /// Some loop found it failing more than the others of its group, or gives it less for that
    /// (`AnomalousHostCount`, `MitigatedHostCount`).
    public var isAnomalous = false
    public var isMitigated = false
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
