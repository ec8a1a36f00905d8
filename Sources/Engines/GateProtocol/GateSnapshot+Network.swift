// Network load balancers: flows rather than requests.

extension GateSnapshot {
  /// A network load balancer: one address and its listeners.
  public struct NetworkLoadBalancer: Codable, Sendable, Equatable {
    /// Any unique text, by which statistics name it.
    public var id: String
    /// As for an application load balancer.
    public var address: String
    public var listeners: [NetworkListener]
    /// Where lines about TLS connections are written (`accessFolder`); nil for nowhere.
    public var logs: Logs?
    /// The Availability Zones it has nodes in. All nodes share the one address: each flow counts as having come in
    /// through one of them, in turn, as DNS would have sent it. nil or empty for one node of no zone.
    public var zones: [Zone]?
    /// Nodes use the targets of all zones (`load_balancing.cross_zone.enabled`); target groups may say otherwise. nil is
    /// yes: a snapshot stored by an older Gate knows no zones.
    public var crossZone: Bool?
    /// Limits for its clients; nil for the defaults.
    public var shield: Shield?

    public init(
      id: String, address: String, listeners: [NetworkListener], logs: Logs? = nil, zones: [Zone]? = nil,
      crossZone: Bool? = nil, shield: Shield? = nil
    ) {
      self.shield = shield
      self.zones = zones
      self.crossZone = crossZone
      self.logs = logs
      self.id = id
      self.address = address
      self.listeners = listeners
    }
  }

  /// A port of a network load balancer.
  public struct NetworkListener: Codable, Sendable, Equatable {
    public enum Transport: String, Codable, Sendable {
      case tcp
      /// TLS ends here; targets get plain TCP or TLS of its own, as their group says.
      case tls
      case udp
      /// Both on one port.
      case tcpUDP = "tcp_udp"

      /// Whether it is served on a TCP port.
      public var isStream: Bool { self != .udp }
      /// Whether it is served on a UDP port.
      public var isDatagram: Bool { self == .udp || self == .tcpUDP }
    }

    /// Unique over all listeners of the snapshot.
    public var id: String
    /// The name in the lines of logs; nil is a hyphen.
    public var name: String?
    /// As for an application load balancer's listener.
    public var port: UInt16
    public var transport: Transport
    /// Wanted when the transport is `.tls`.
    public var tls: ListenerTLS?
    /// Where flows go. A flow stays with its target.
    public var targetGroups: [WeightedTargetGroup]
    /// Seconds without a byte after which a connection is closed (`tcp.idle_timeout.seconds`); UDP flows end after 120.
    public var idleTimeout: Double

    public init(
      id: String, port: UInt16, transport: Transport, tls: ListenerTLS? = nil, targetGroups: [WeightedTargetGroup],
      idleTimeout: Double = 350, name: String? = nil
    ) {
      self.name = name
      self.id = id
      self.port = port
      self.transport = transport
      self.tls = tls
      self.targetGroups = targetGroups
      self.idleTimeout = idleTimeout
    }
  }

  /// The attributes of a target group that matter to network load balancers.
  public struct FlowAttributes: Codable, Sendable, Equatable {
    /// Each connection begins with a PROXY header, version 2 (`proxy_protocol_v2.enabled`). Not for UDP.
    public var proxyProtocol: Bool
    /// All flows of one source address go to one target (`stickiness.enabled`, type `source_ip`).
    public var isSticky: Bool
    /// Targets see the client's address (`preserve_client_ip.enabled`). That works for clients whose address is one of
    /// this machine's, as all of 127.0.0.0/8 is; other clients appear with the Gate's address.
    public var preservesClientAddress: Bool
    /// Connections are closed when the deregistration delay is over
    /// (`deregistration_delay.connection_termination.enabled`); otherwise they live on.
    public var endsWithDeregistration: Bool
    /// Connections to a target that becomes unhealthy are closed
    /// (`target_health_state.unhealthy.connection_termination.enabled`).
    public var endsWhenUnhealthy: Bool
    /// Seconds that a target which was healthy is `unhealthy.draining` before it is `unhealthy` and its connections are
    /// closed (`target_health_state.unhealthy.draining_interval_seconds`). Not together with `endsWhenUnhealthy`; nil or
    /// 0: it is unhealthy at once, and its connections live on.
    public var unhealthyDraining: Double?

    public init(
      proxyProtocol: Bool = false, isSticky: Bool = false, preservesClientAddress: Bool = false,
      endsWithDeregistration: Bool = false, endsWhenUnhealthy: Bool = true,
      unhealthyDraining: Double? = nil
    ) {
      self.unhealthyDraining = unhealthyDraining
      self.proxyProtocol = proxyProtocol
      self.isSticky = isSticky
      self.preservesClientAddress = preservesClientAddress
      self.endsWithDeregistration = endsWithDeregistration
      self.endsWhenUnhealthy = endsWhenUnhealthy
    }
  }
}

extension GateStatistics {
  /// What passed through a network load balancer.
  public struct NetworkLoadBalancer: Codable, Sendable, Equatable {
    public var id: String
    /// The zone of a node; nil in the sums of a load balancer.
    public var zone: String?
    /// Load is shifted away from the zone of a node.
    public var isShifted = false
    /// TCP connections, TLS connections and UDP flows (`NewFlowCount`).
    public var newFlows: UInt64 = 0
    /// Open now (`ActiveFlowCount`).
    public var activeFlows: Int = 0
    /// Of them those by protocol; the others are TCP's.
    public var newFlowsTLS: UInt64 = 0
    public var newFlowsUDP: UInt64 = 0
    public var activeFlowsTLS: Int = 0
    public var activeFlowsUDP: Int = 0
    /// Flows that found no target, or that there is no room for (`RejectedFlowCount`), and those of them that were UDP's.
    public var rejectedFlows: UInt64 = 0
    public var rejectedFlowsUDP: UInt64 = 0
    /// Flows that went to any target because too few are healthy (`UnhealthyRoutingFlowCount`).
    public var failOpenFlows: UInt64 = 0
    /// Connections that the load balancer reset (`TCP_ELB_Reset_Count`), and those that clients and targets did
    /// (`TCP_Client_Reset_Count`, `TCP_Target_Reset_Count`).
    public var resets: UInt64 = 0
    public var clientResets: UInt64 = 0
    public var targetResets: UInt64 = 0
    /// Connections to targets for which there was no port left (`PortAllocationErrorCount`).
    public var portErrors: UInt64 = 0
    public var clientTLSErrors: UInt64 = 0
    public var targetTLSErrors: UInt64 = 0
    /// Contents, without the headers of TCP, UDP and IP.
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0
    /// Of them those by protocol, both ways; the others are TCP's.
    public var bytesTLS: UInt64 = 0
    public var bytesUDP: UInt64 = 0
    /// What was exchanged with clients (`ProcessedPackets`): datagrams at once, the segments of a TCP connection when it
    /// ends, as the kernel counted them.
    public var packets: UInt64 = 0
    public var processedBytes: UInt64 { bytesIn + bytesOut }
    public var newFlowsTCP: UInt64 { newFlows - min(newFlows, newFlowsTLS + newFlowsUDP) }
    public var bytesTCP: UInt64 { processedBytes - min(processedBytes, bytesTLS + bytesUDP) }

    public init(id: String) { self.id = id }

    /// Adds the counters of another node, or loop.
    public mutating func add(_ other: NetworkLoadBalancer) {
      isShifted = isShifted || other.isShifted
      newFlows += other.newFlows
      activeFlows += other.activeFlows
      newFlowsTLS += other.newFlowsTLS
      newFlowsUDP += other.newFlowsUDP
      activeFlowsTLS += other.activeFlowsTLS
      activeFlowsUDP += other.activeFlowsUDP
      rejectedFlows += other.rejectedFlows
      rejectedFlowsUDP += other.rejectedFlowsUDP
      failOpenFlows += other.failOpenFlows
      resets += other.resets
      clientResets += other.clientResets
      targetResets += other.targetResets
      portErrors += other.portErrors
      clientTLSErrors += other.clientTLSErrors
      targetTLSErrors += other.targetTLSErrors
      bytesIn += other.bytesIn
      bytesOut += other.bytesOut
      bytesTLS += other.bytesTLS
      bytesUDP += other.bytesUDP
      packets += other.packets
    }

    /// Load balancer capacity units used since an earlier moment, by protocol, as AWS prices them: the largest of new
    /// flows a second, active flows, and 1 GB an hour.
    /// - Parameter seconds: between the two moments.
    public func consumedCapacityUnits(since earlier: NetworkLoadBalancer, seconds: Double) -> [String: Double] {
      guard seconds > 0 else { return [:] }
      func used(
        _ flows: KeyPath<Self, UInt64>, _ flowsPerUnit: Double, _ active: Int, _ activePerUnit: Double,
        _ bytes: KeyPath<Self, UInt64>
      ) -> Double {
        func rate(_ counter: KeyPath<Self, UInt64>) -> Double {
          let (now, before) = (self[keyPath: counter], earlier[keyPath: counter])
          return now >= before ? Double(now - before) / seconds : 0
        }
        return max(rate(flows) / flowsPerUnit, Double(active) / activePerUnit, rate(bytes) * 3600 / 1e9)
      }
      return [
        "TCP": used(\.newFlowsTCP, 800, activeFlows - activeFlowsTLS - activeFlowsUDP, 100_000, \.bytesTCP),
        "TLS": used(\.newFlowsTLS, 50, activeFlowsTLS, 3000, \.bytesTLS),
        "UDP": used(\.newFlowsUDP, 400, activeFlowsUDP, 50_000, \.bytesUDP),
      ]
    }
  }
}
