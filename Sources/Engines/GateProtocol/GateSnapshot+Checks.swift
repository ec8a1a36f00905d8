// What a client must prove before a rule's action is done.

extension GateSnapshot {
  /// An action that comes before the last one.
  public enum Check: Codable, Sendable, Equatable {
    case jwtValidation(JWTValidation)
    case authenticateOIDC(OIDC)
  }

  /// ELBv2 `JwtValidationActionConfig`, with the keys that the control plane fetched.
  public struct JWTValidation: Codable, Sendable, Equatable {
    public struct Claim: Codable, Sendable, Equatable {
      public enum Format: String, Codable, Sendable {
        /// One of the values.
        case singleString = "single-string"
        /// An array that has all values.
        case stringArray = "string-array"
        /// A text of words that has all values.
        case spaceSeparated = "space-separated-values"
      }
      public var name: String
      public var format: Format
      public var values: [String]

      public init(name: String, format: Format, values: [String]) {
        self.name = name
        self.format = format
        self.values = values
      }
    }

    public var issuer: String
    /// The JSON Web Key Set (RFC 7517) as it was fetched; nil when it could not be (answered with 562).
    public var keySet: String?
    /// What `GateEvent.keysWanted` calls the key set; nil when nobody wants to be told.
    public var keySetID: String?
    public var claims: [Claim]

    public init(issuer: String, keySet: String?, keySetID: String? = nil, claims: [Claim] = []) {
      self.issuer = issuer
      self.keySet = keySet
      self.keySetID = keySetID
      self.claims = claims
    }
  }

  /// Where an endpoint is that is named by a host of the castle's own zones.
  public enum Place: Codable, Sendable, Equatable {
    /// An address, or a name that the machine's resolver is asked for.
    case at(host: String, port: UInt16)
    /// The zone has no address for it.
    case nowhere
  }

  /// ELBv2 `AuthenticateOidcActionConfig`.
  public struct OIDC: Codable, Sendable, Equatable {
    public enum Unauthenticated: String, Codable, Sendable { case authenticate, allow, deny }

    public var issuer: String
    public var authorizationEndpoint: String
    public var tokenEndpoint: String
    public var userInfoEndpoint: String
    public var clientID: String
    public var clientSecret: String
    public var sessionCookieName: String
    public var scope: String
    /// Seconds.
    public var sessionTimeout: Double
    public var extraParameters: [String: String]
    public var onUnauthenticated: Unauthenticated
    /// PEM: authorities whose certificates the provider may have, besides those that the machine trusts.
    public var authorities: String?
    /// Where the two endpoints are that the Gate asks itself; nil where the machine's resolver is asked for their hosts.
    public var tokenPlace: Place?
    public var userInfoPlace: Place?

    public init(
      issuer: String, authorizationEndpoint: String, tokenEndpoint: String, userInfoEndpoint: String,
      clientID: String, clientSecret: String, sessionCookieName: String = "AWSELBAuthSessionCookie",
      scope: String = "openid", sessionTimeout: Double = 604_800, extraParameters: [String: String] = [:],
      onUnauthenticated: Unauthenticated = .authenticate, authorities: String? = nil, tokenPlace: Place? = nil,
      userInfoPlace: Place? = nil
    ) {
      self.tokenPlace = tokenPlace
      self.userInfoPlace = userInfoPlace
      self.authorities = authorities
      self.issuer = issuer
      self.authorizationEndpoint = authorizationEndpoint
      self.tokenEndpoint = tokenEndpoint
      self.userInfoEndpoint = userInfoEndpoint
      self.clientID = clientID
      self.clientSecret = clientSecret
      self.sessionCookieName = sessionCookieName
      self.scope = scope
      self.sessionTimeout = sessionTimeout
      self.extraParameters = extraParameters
      self.onUnauthenticated = onUnauthenticated
    }
  }
}
