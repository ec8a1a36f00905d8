// One look at an endpoint: what is asked, and what came of it.

/// What is asked of an endpoint.
public struct Probe: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// A connection is all that is wanted.
    case tcp
    case http
    /// Certificates are not judged.
    case https
  }

  public var kind: Kind
  /// An address, or a name that the machine's resolver knows (its IPv4 addresses count).
  public var host: String
  public var port: Int
  /// What the Host header says.
  public var hostHeader: String
  /// The request's target, with the slash before it.
  public var path: String
  public var userAgent: String
  /// The name sent in TLS's hello; nil or an address: none is.
  public var serverName: String?
  /// What must be within the first ``Limits/bodyMax`` bytes of the body.
  public var searchString: String?
  public var limits: Limits

  /// How long an endpoint may take.
  public struct Limits: Sendable, Hashable {
    /// Milliseconds until the connection stands.
    public var connect: Int
    /// Milliseconds from then until the status came; a TLS handshake is within them.
    public var answer: Int
    /// Milliseconds from then until what is searched of the body came.
    public var body: Int
    /// Bytes of the body that are searched.
    public var bodyMax: Int

    public init(connect: Int, answer: Int = 2000, body: Int = 2000, bodyMax: Int = 5120) {
      self.connect = connect
      self.answer = answer
      self.body = body
      self.bodyMax = bodyMax
    }
  }

  public init(
    _ kind: Kind, host: String, port: Int, hostHeader: String = "", path: String = "/", userAgent: String = "",
    serverName: String? = nil, searchString: String? = nil, limits: Limits
  ) {
    self.kind = kind
    self.host = host
    self.port = port
    self.hostHeader = hostHeader
    self.path = path
    self.userAgent = userAgent
    self.serverName = serverName
    self.searchString = searchString
    self.limits = limits
  }
}

/// What came of a probe.
public struct ProbeAnswer: Sendable, Hashable {
  public enum Outcome: Sendable, Hashable {
    /// TCP: the connection stood.
    case connected
    /// The final status, whatever it is; what was searched for, if anything, was found.
    case status(Int)
    /// A status of 2xx or 3xx, but the body is without what was searched for.
    case notFound(status: Int)
    case failed(Failure)
  }

  public enum Failure: Sendable, Hashable {
    /// The name has no address.
    case unresolved
    case refused
    case connectTimeout
    /// No way there, or no socket; the system's words.
    case unreachable(String)
    /// The handshake failed; TLS's words.
    case tls(String)
    case answerTimeout
    case bodyTimeout
    /// Closed before the answer was whole.
    case closed
    /// Not HTTP/1.x as RFC 9112 has it.
    case malformed
  }

  public var outcome: Outcome
  /// The address that was asked, when there was one.
  public var address: String?
  /// Milliseconds until the connection stood.
  public var connectTime: Double?
  /// Milliseconds of the TLS handshake.
  public var handshakeTime: Double?
  /// Milliseconds from the request to the answer's first byte.
  public var firstByteTime: Double?

  public init(_ outcome: Outcome, address: String? = nil) {
    self.outcome = outcome
    self.address = address
  }
}
