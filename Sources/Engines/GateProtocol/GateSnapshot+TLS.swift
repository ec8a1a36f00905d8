// TLS of listeners: certificates, security policy, protocols to negotiate, and what is asked of clients.

extension GateSnapshot {
  /// A certificate with its private key. They pass over the Gate's Unix socket and lie in its state file, both 0600.
  public struct Certificate: Codable, Sendable, Equatable {
    /// By which listeners name it (an ARN, say).
    public var id: String
    /// PEM: the certificate, then the chain up to its authority (the root may be left out).
    public var chain: String
    /// PEM: the private key, without a pass phrase. RSA or ECDSA (P-256, P-384, P-521).
    public var privateKey: String

    public init(id: String, chain: String, privateKey: String) {
      self.id = id
      self.chain = chain
      self.privateKey = privateKey
    }
  }

  /// The certificates of authorities whom clients may name, and what they revoked (ELBv2 trust store).
  public struct TrustStore: Codable, Sendable, Equatable {
    public var id: String
    /// PEM: certificates of authorities.
    public var authorities: String
    /// PEM: revocation lists of these authorities.
    public var revocations: [String]

    public init(id: String, authorities: String, revocations: [String] = []) {
      self.id = id
      self.authorities = authorities
      self.revocations = revocations
    }
  }

  /// What an HTTPS or TLS listener negotiates.
  public struct ListenerTLS: Codable, Sendable, Equatable {
    /// ELBv2 `AlpnPolicy`; an application load balancer has `http2Preferred`, or `http1Only` without HTTP/2.
    public enum ALPNPolicy: String, Codable, Sendable {
      case none = "None"
      case http1Only = "HTTP1Only"
      case http2Only = "HTTP2Only"
      case http2Optional = "HTTP2Optional"
      case http2Preferred = "HTTP2Preferred"
    }

    /// Ids of certificates in the snapshot. The first is the default: it answers clients that name no host, or one that
    /// no certificate has.
    public var certificates: [String]
    /// A name of `TLSSecurityPolicy.all`.
    public var securityPolicy: String
    public var alpn: ALPNPolicy
    public var mutual: MutualAuthentication

    public init(
      certificates: [String], securityPolicy: String = TLSSecurityPolicy.defaultName, alpn: ALPNPolicy = .http1Only,
      mutual: MutualAuthentication = .off
    ) {
      self.certificates = certificates
      self.securityPolicy = securityPolicy
      self.alpn = alpn
      self.mutual = mutual
    }
  }

  /// ELBv2 `MutualAuthentication`.
  public enum MutualAuthentication: Codable, Sendable, Equatable {
    case off
    /// A client's certificates are passed to the target unverified.
    case passthrough
    /// Clients need a certificate of the trust store.
    case verify(trustStore: String, ignoresExpiry: Bool, advertisesAuthorities: Bool)
  }

  /// What a target group's targets speak (ELBv2 `Protocol` of a target group).
  public enum TargetTransport: String, Codable, Sendable {
    case http, https, tcp, tls, udp
    case tcpUDP = "tcp_udp"

    /// Whether connections to targets are encrypted. Their certificates are not verified.
    public var usesTLS: Bool { self == .https || self == .tls }
  }

  /// The certificate with this id.
  public func certificate(_ id: String) -> Certificate? { certificates?.first { $0.id == id } }
}
