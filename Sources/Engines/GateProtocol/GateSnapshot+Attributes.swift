// What a load balancer and its listeners are told besides rules: attributes, zones, logs, headers.

extension GateSnapshot {
  /// The load balancer attributes that the data plane acts on (ELBv2 `ModifyLoadBalancerAttributes`).
  public struct Attributes: Codable, Sendable, Equatable {
    /// What is done with the client's `X-Forwarded-For` (`routing.http.xff_header_processing.mode`).
    public enum ForwardedForMode: String, Codable, Sendable { case append, preserve, remove }

    /// What is done with requests that a target might read differently (`routing.http.desync_mitigation_mode`).
    public enum DesyncMitigation: String, Codable, Sendable {
      /// Count them only; what cannot be passed on safely is refused all the same.
      case monitor
      /// Refuse severe ones, end both connections after ambiguous ones.
      case defensive
      /// Refuse all that are not compliant.
      case strictest
    }

    /// Seconds without a byte before a connection is closed, or a silent target is answered for with 504.
    public var idleTimeout: Double
    /// Seconds a client connection may live; it is closed after the answer that follows (`client_keep_alive.seconds`).
    public var clientKeepAlive: Double
    /// Header names other than letters, digits and hyphens are removed rather than routed.
    public var dropInvalidHeaderFields: Bool
    public var forwardedForMode: ForwardedForMode
    /// Pass the client's Host untouched; otherwise a listener port other than 80 and 443 is added when it is missing.
    public var preserveHostHeader: Bool
    /// Add the client's port to its address in X-Forwarded-For (`routing.http.xff_client_port.enabled`).
    public var forwardedClientPort: Bool
    /// `X-Amzn-Tls-Version` and `X-Amzn-Tls-Cipher-Suite` (`routing.http.x_amzn_tls_version_and_cipher_suite.enabled`).
    public var tlsHeaders: Bool?
    public var desyncMitigation: DesyncMitigation
    /// Nodes use the targets of all zones (`load_balancing.cross_zone.enabled`); target groups may say otherwise.
    public var crossZone: Bool

    public init(
      idleTimeout: Double = 60, clientKeepAlive: Double = 3600, dropInvalidHeaderFields: Bool = false,
      forwardedForMode: ForwardedForMode = .append, preserveHostHeader: Bool = false, tlsHeaders: Bool? = nil,
      forwardedClientPort: Bool = false, desyncMitigation: DesyncMitigation = .defensive, crossZone: Bool = true
    ) {
      self.idleTimeout = idleTimeout
      self.clientKeepAlive = clientKeepAlive
      self.dropInvalidHeaderFields = dropInvalidHeaderFields
      self.forwardedForMode = forwardedForMode
      self.preserveHostHeader = preserveHostHeader
      self.forwardedClientPort = forwardedClientPort
      self.tlsHeaders = tlsHeaders
      self.desyncMitigation = desyncMitigation
      self.crossZone = crossZone
    }
  }

  /// An Availability Zone of a load balancer.
  public struct Zone: Codable, Sendable, Equatable {
    public var name: String
    /// Taken out by a zonal shift: no connections come in through it and its targets get no requests.
    public var isShifted: Bool

    public init(name: String, isShifted: Bool = false) {
      self.name = name
      self.isShifted = isShifted
    }
  }

  /// Takes zones out of the load balancer with this id, if there is one.
  mutating func shift(_ zones: Set<String>, of id: String) {
    for at in loadBalancers.indices where loadBalancers[at].id == id {
      for zone in loadBalancers[at].zones.indices where zones.contains(loadBalancers[at].zones[zone].name) {
        loadBalancers[at].zones[zone].isShifted = true
      }
    }
    networkLoadBalancers = networkLoadBalancers?.map { balancer in
      guard balancer.id == id else { return balancer }
      var balancer = balancer
      balancer.zones = balancer.zones?.map { Zone(name: $0.name, isShifted: $0.isShifted || zones.contains($0.name)) }
      return balancer
    }
  }

  /// The log files of a load balancer. Each kind is written to segments in a folder: `NAME.part` while it grows, renamed
  /// to `NAME.log` when it is complete, after `seconds` or `bytes`, whichever is first.
  public struct Logs: Codable, Sendable, Equatable {
    /// The name in the lines: `app/NAME/ID`.
    public var name: String
    /// A folder for lines about requests (access logs).
    public var accessFolder: String?
    /// A folder for lines about connections (connection logs).
    public var connectionFolder: String?
    /// A folder for lines about the health checks of its targets (health check logs).
    public var healthFolder: String?
    public var seconds: Double
    public var bytes: Int

    public init(
      name: String = "-", accessFolder: String? = nil, connectionFolder: String? = nil, healthFolder: String? = nil,
      seconds: Double = 300, bytes: Int = 64 << 20
    ) {
      self.healthFolder = healthFolder
      self.name = name
      self.accessFolder = accessFolder
      self.connectionFolder = connectionFolder
      self.seconds = seconds
      self.bytes = bytes
    }
  }

  /// A header with a value of its own.
  public struct Header: Codable, Sendable, Equatable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// What a listener changes of the headers that pass.
  public struct HeaderModification: Codable, Sendable, Equatable {
    /// Let Server through and send it with the load balancer's own answers (`routing.http.response.server.enabled`).
    public var sendsServer: Bool
    /// Set in every response, instead of what the target said: `Strict-Transport-Security`, `Access-Control-Allow-Origin` …
    /// (`routing.http.response.*.header_value`).
    public var responseHeaders: [Header]
    /// New names of the headers that the load balancer adds to requests, by the old ones in lower case:
    /// `x-amzn-mtls-clientcert-serial-number`, `x-amzn-tls-version` … (`routing.http.request.x_amzn_*.header_name`).
    public var requestHeaderNames: [String: String]

    public init(
      sendsServer: Bool = true, responseHeaders: [Header] = [], requestHeaderNames: [String: String] = [:]
    ) {
      self.sendsServer = sendsServer
      self.responseHeaders = responseHeaders
      self.requestHeaderNames = requestHeaderNames
    }

    /// The name under which a header is sent to targets.
    public func requestName(_ standard: String) -> String {
      requestHeaderNames.isEmpty ? standard : requestHeaderNames[standard.lowercased()] ?? standard
    }
  }
}
