// The whole configuration of the Gate as one value: it is always applied as a whole, never patched.

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

  public init(
    version: UInt64, loadBalancers: [LoadBalancer] = [], targetGroups: [TargetGroup] = [],
    endpoints: [TCPEndpoint] = [], certificates: [Certificate]? = nil, trustStores: [TrustStore]? = nil,
    networkLoadBalancers: [NetworkLoadBalancer]? = nil
  ) {
    self.version = version
    self.loadBalancers = loadBalancers
    self.targetGroups = targetGroups
    self.endpoints = endpoints
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
    /// Limits for its clients; nil for the defaults.
    public var shield: Shield?

    public init(
      id: String, address: String, listeners: [Listener], attributes: Attributes = Attributes(), shield: Shield? = nil
    ) {
      self.id = id
      self.address = address
      self.listeners = listeners
      self.attributes = attributes
      self.shield = shield
    }
  }

  /// The load balancer attributes that the data plane acts on (ELBv2 `ModifyLoadBalancerAttributes`).
  public struct Attributes: Codable, Sendable, Equatable {
    /// What is done with the client's `X-Forwarded-For` (`routing.http.xff_header_processing.mode`).
    public enum ForwardedForMode: String, Codable, Sendable { case append, preserve, remove }

    /// Seconds without a byte before a connection is closed, or a silent target is answered for with 504.
    public var idleTimeout: Double
    /// Seconds a client connection may live; it is closed after the answer that follows (`client_keep_alive.seconds`).
    public var clientKeepAlive: Double
    /// Header names other than letters, digits and hyphens are removed rather than routed.
    public var dropInvalidHeaderFields: Bool
    public var forwardedForMode: ForwardedForMode
    /// Pass the client's Host untouched; otherwise a listener port other than 80 and 443 is added when it is missing.
    public var preserveHostHeader: Bool
    /// `X-Amzn-Tls-Version` and `X-Amzn-Tls-Cipher-Suite` (`routing.http.x_amzn_tls_version_and_cipher_suite.enabled`).
    public var tlsHeaders: Bool?

    public init(
      idleTimeout: Double = 60, clientKeepAlive: Double = 3600, dropInvalidHeaderFields: Bool = false,
      forwardedForMode: ForwardedForMode = .append, preserveHostHeader: Bool = false, tlsHeaders: Bool? = nil
    ) {
      self.idleTimeout = idleTimeout
      self.clientKeepAlive = clientKeepAlive
      self.dropInvalidHeaderFields = dropInvalidHeaderFields
      self.forwardedForMode = forwardedForMode
      self.preserveHostHeader = preserveHostHeader
      self.tlsHeaders = tlsHeaders
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

    public init(
      id: String, port: UInt16, transport: Transport = .http, tls: ListenerTLS? = nil, rules: [Rule] = [],
      defaultAction: Action, acceptsCleartextHTTP2: Bool? = nil
    ) {
      self.id = id
      self.port = port
      self.transport = transport
      self.tls = tls
      self.rules = rules
      self.defaultAction = defaultAction
      self.acceptsCleartextHTTP2 = acceptsCleartextHTTP2
    }
  }

  /// Conditions that must all hold, and what is then done. The lowest priority number wins.
  public struct Rule: Codable, Sendable, Equatable {
    public var priority: Int
    public var conditions: [Condition]
    public var action: Action

    public init(priority: Int, conditions: [Condition], action: Action) {
      self.priority = priority
      self.conditions = conditions
      self.action = action
    }
  }

  /// One condition; any of its values may match. `*` stands for any characters, `?` for exactly one.
  public enum Condition: Codable, Sendable, Equatable {
    /// Case-insensitive, without the port.
    case hostHeader([String])
    /// Case-sensitive, without the query.
    case pathPattern([String])
    case httpHeader(name: String, values: [String])
    /// Exact, case-sensitive.
    case httpRequestMethod([String])
    case queryString([QueryMatch])
    /// IPv4 networks such as `127.0.0.0/8`; compared with the connection's address, not with X-Forwarded-For.
    case sourceIP([String])
  }

  /// A query parameter to look for; without a key the value may belong to any.
  public struct QueryMatch: Codable, Sendable, Equatable {
    public var key: String?
    public var value: String

    public init(key: String? = nil, value: String) {
      self.key = key
      self.value = value
    }
  }

  public enum Action: Codable, Sendable, Equatable {
    case forward([WeightedTargetGroup])
    case redirect(Redirect)
    case fixedResponse(FixedResponse)

    /// Forward to one target group.
    public static func forward(to targetGroup: String) -> Action {
      .forward([WeightedTargetGroup(targetGroup: targetGroup)])
    }
  }

  public struct WeightedTargetGroup: Codable, Sendable, Equatable {
    /// The id of the target group.
    public var targetGroup: String
    /// 0...999; a group of weight 0 gets nothing while another has weight.
    public var weight: Int

    public init(targetGroup: String, weight: Int = 1) {
      self.targetGroup = targetGroup
      self.weight = weight
    }
  }

  /// ELBv2 `RedirectActionConfig`; each part may hold `#{protocol}` `#{host}` `#{port}` `#{path}` `#{query}`.
  public struct Redirect: Codable, Sendable, Equatable {
    /// 301 or 302.
    public var statusCode: Int
    public var scheme: String
    public var host: String
    public var port: String
    public var path: String
    public var query: String

    public init(
      statusCode: Int, scheme: String = "#{protocol}", host: String = "#{host}", port: String = "#{port}",
      path: String = "/#{path}", query: String = "#{query}"
    ) {
      self.statusCode = statusCode
      self.scheme = scheme
      self.host = host
      self.port = port
      self.path = path
      self.query = query
    }
  }

  public struct FixedResponse: Codable, Sendable, Equatable {
    public var statusCode: Int
    public var contentType: String
    public var body: String

    public init(statusCode: Int, contentType: String = "text/plain", body: String = "") {
      self.statusCode = statusCode
      self.contentType = contentType
      self.body = body
    }
  }
}
