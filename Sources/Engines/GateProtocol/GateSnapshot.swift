// The whole configuration of the Gate as one value: it is always applied as a whole, never patched.

import WebACL

/// Everything the Gate serves. The control plane sends a new one, with a higher version, whenever anything changes.
public struct GateSnapshot: Codable, Sendable, Equatable {
  /// Rises with every change; a snapshot older than the applied one is refused (`GateError.staleVersion`).
  public var version: UInt64
  public var loadBalancers: [LoadBalancer]
  public var targetGroups: [TargetGroup]
  public var endpoints: [TCPEndpoint]
  /// What listeners with TLS name. nil is none: a snapshot stored by an older Gate has none.
  public var certificates: [Certificate]?
  public var trustStores: [TrustStore]?
  /// nil is none, as above.
  public var networkLoadBalancers: [NetworkLoadBalancer]?
  /// 32 bytes that seal the load balancers' cookies. It must stay the same for cookies to stay good; nil makes the Gate
  /// pick one that lives as long as its worker.
  public var cookieKey: [UInt8]?
  /// Web ACLs, each with the ids of its load balancers; nil for none.
  public var webACLs: [WebACL]?
  /// What web ACLs know of addresses; nil for nothing.
  public var addressSources: AddressSources?

  public init(
    version: UInt64, loadBalancers: [LoadBalancer] = [], targetGroups: [TargetGroup] = [],
    endpoints: [TCPEndpoint] = [], certificates: [Certificate]? = nil, trustStores: [TrustStore]? = nil,
    networkLoadBalancers: [NetworkLoadBalancer]? = nil, cookieKey: [UInt8]? = nil
  ) {
    self.version = version
    self.loadBalancers = loadBalancers
    self.targetGroups = targetGroups
    self.endpoints = endpoints
    self.cookieKey = cookieKey
    self.certificates = certificates
    self.trustStores = trustStores
    self.networkLoadBalancers = networkLoadBalancers
  }
}

extension GateSnapshot {
  /// An application load balancer: one address, its listeners, its attributes.
  public struct LoadBalancer: Codable, Sendable, Equatable {
    /// Any unique text, by which status and statistics name it (an ARN, say).
    public var id: String
    /// The IPv4 address to listen on, such as `127.0.12.1`. When it cannot be bound, 127.0.0.1 is taken.
    public var address: String
    public var listeners: [Listener]
    public var attributes: Attributes
    /// The Availability Zones it has nodes in. All nodes share the one address: a connection counts as having come in
    /// through one of them, in turn, as DNS would have sent it. Empty for one node of no zone.
    public var zones: [Zone]
    /// Where lines about requests, connections and health checks are written; each nil for nowhere.
    public var logs: Logs
    /// Limits for its clients; nil for the defaults.
    public var shield: Shield?

    public init(
      id: String, address: String, listeners: [Listener], attributes: Attributes = Attributes(), zones: [Zone] = [],
      logs: Logs = Logs(), shield: Shield? = nil
    ) {
      self.id = id
      self.address = address
      self.listeners = listeners
      self.attributes = attributes
      self.zones = zones
      self.logs = logs
      self.shield = shield
    }
  }

  /// A port of a load balancer with its rules.
  public struct Listener: Codable, Sendable, Equatable {
    public enum Transport: String, Codable, Sendable { case http, https }

    /// Unique in the snapshot. A listener that keeps its id, address and port keeps its socket and its connections.
    public var id: String
    /// The wanted port. 0 lets the system pick; a port that is refused (privileged, taken) falls back to a picked one.
    public var port: UInt16
    public var transport: Transport
    /// Wanted when the transport is `.https`.
    public var tls: ListenerTLS?
    /// Clients may speak HTTP/2 without TLS when they know it beforehand (RFC 9113, section 3.3); nil is no. AWS's own
    /// HTTP listeners never do.
    public var acceptsCleartextHTTP2: Bool?
    public var rules: [Rule]
    /// What is done when no rule matches.
    public var defaultAction: Action
    /// What must hold before the default action is done.
    public var defaultChecks: [Check]
    /// What is changed of the headers that pass (ELBv2 `ModifyListenerAttributes`).
    public var headers: HeaderModification

    public init(
      id: String, port: UInt16, transport: Transport = .http, tls: ListenerTLS? = nil, rules: [Rule] = [],
      defaultAction: Action, defaultChecks: [Check] = [], headers: HeaderModification = HeaderModification(),
      acceptsCleartextHTTP2: Bool? = nil
    ) {
      self.id = id
      self.port = port
      self.transport = transport
      self.tls = tls
      self.rules = rules
      self.defaultAction = defaultAction
      self.defaultChecks = defaultChecks
      self.headers = headers
      self.acceptsCleartextHTTP2 = acceptsCleartextHTTP2
    }
  }
}
