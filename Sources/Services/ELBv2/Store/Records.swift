// What ELBv2 keeps: load balancers, listeners, rules, target groups with their targets.

import AWSCore
import Store

/// A subnet in its availability zone.
struct ZoneRecord: Codable, Sendable, Hashable {
  var zone: String
  var subnet: String
  /// Of a network load balancer: its Elastic IP address, and its address in the subnet.
  var allocation: String?
  var elasticAddress: String?
  var privateAddress: String?
}

/// A load balancer: application or network.
struct LoadBalancerRecord: Record {
  static let collection = "elbv2.load-balancer"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["name": name] }

  var arn: String
  var name: String
  /// `internet-facing` or `internal`.
  var scheme: String
  var vpc: String
  var zones: [ZoneRecord]
  var securityGroups: [String]
  var ipAddressType: String
  var created: Timestamp
  /// Its own loopback address.
  var address: String
  /// False until the Gate has it.
  var isActive = false
  /// Attributes that were set; the others have their defaults.
  var attributes: [String: String] = [:]
  var enforcesPrivateLinkRules: String?
  var tags: [String: String] = [:]
  /// `application` or `network`; nil is an application load balancer.
  var type: String?
  var prefixForIPv6SourceNAT: String?
  /// ModifyCapacityReservation.
  var capacity: CapacityRecord?

  var kind: LoadBalancerKind { type == "network" ? .network : .application }
}

enum LoadBalancerKind: String, Sendable {
  case application, network

  /// `application` becomes `Application Load Balancers`, as messages name it.
  var plural: String { self == .application ? "Application Load Balancers" : "Network Load Balancers" }
  var protocols: [String] { self == .application ? ["HTTP", "HTTPS"] : ["TCP", "TLS", "UDP", "TCP_UDP"] }
}

/// Capacity that was asked for; here there is always enough.
struct CapacityRecord: Codable, Sendable, Hashable {
  var units: Int
  var modified: Timestamp
}

/// Where the Gate really listens.
struct BoundRecord: Codable, Sendable, Hashable {
  /// Nil when nothing could be bound.
  var address: String?
  var port: Int?
  /// Why the wanted address or port was not bound.
  var problem: String?
}

/// A listener with its default action.
struct ListenerRecord: Record {
  static let collection = "elbv2.listener"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["loadBalancer": loadBalancer] }

  var arn: String
  var loadBalancer: String
  var port: Int
  var defaultAction: ActionRecord
  /// The default rule has an ARN of its own.
  var defaultRule: String
  var bound: BoundRecord?
  var attributes: [String: String] = [:]
  var tags: [String: String] = [:]
  var defaultRuleTags: [String: String] = [:]
  /// `HTTP`, `HTTPS`, `TCP`, `TLS`, `UDP`, `TCP_UDP`; nil is HTTP.
  var protocolName: String?
  /// ARNs, the default certificate first.
  var certificates: [String]?
  var securityPolicy: String?
  var alpnPolicy: String?
  var mutual: MutualRecord?
  /// What comes before the default action.
  var defaultChecks: [CheckRecord]?

  var wireProtocol: String { protocolName ?? "HTTP" }
  var endsTLS: Bool { wireProtocol == "HTTPS" || wireProtocol == "TLS" }
}

/// Mutual authentication of an HTTPS listener.
struct MutualRecord: Codable, Sendable, Hashable {
  /// `passthrough` or `verify`.
  var mode: String
  var trustStore: String?
  var ignoresExpiry: Bool?
  /// `on` or `off`.
  var advertises: String?
}

/// A rule other than the default one.
struct RuleRecord: Record {
  static let collection = "elbv2.rule"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["listener": listener] }

  var arn: String
  var listener: String
  var priority: Int
  var conditions: [ConditionRecord]
  var action: ActionRecord
  var tags: [String: String] = [:]
  /// What comes before the action.
  var checks: [CheckRecord]?
  var transforms: [TransformRecord]?
}

/// An action that comes before the last one: what a client must prove.
enum CheckRecord: Codable, Sendable, Hashable {
  case oidc(OIDCRecord)
  case jwt(JWTRecord)
}

struct OIDCRecord: Codable, Sendable, Hashable {
  var issuer: String
  var authorizationEndpoint: String
  var tokenEndpoint: String
  var userInfoEndpoint: String
  var clientID: String
  /// Context `elbv2.client-secret/CLIENTID`.
  var clientSecret: SealedBytes
  var sessionCookieName: String?
  var scope: String?
  var sessionTimeout: Int?
  var extraParameters: [String: String]?
  var onUnauthenticated: String?
  var order: Int?

  static func secretContext(_ client: String) -> String { "elbv2.client-secret/\(client)" }
}

struct JWTRecord: Codable, Sendable, Hashable {
  struct Claim: Codable, Sendable, Hashable {
    var name: String
    var format: String
    var values: [String]
  }
  var issuer: String
  var endpoint: String
  var claims: [Claim]?
  var order: Int?
}

/// A rewrite of a request.
struct TransformRecord: Codable, Sendable, Hashable {
  /// `url-rewrite` or `host-header-rewrite`.
  var type: String
  var regex: String
  var replacement: String
}

/// What is done with a request.
enum ActionRecord: Codable, Sendable, Hashable {
  case forward(ForwardRecord)
  case redirect(RedirectRecord)
  case fixedResponse(FixedResponseRecord)

  /// The target groups it forwards to.
  var targetGroups: [String] {
    guard case .forward(let forward) = self else { return [] }
    return forward.groups.map(\.arn)
  }
}

struct ForwardRecord: Codable, Sendable, Hashable {
  struct Share: Codable, Sendable, Hashable {
    var arn: String
    var weight: Int
  }
  var groups: [Share]
  var stickinessSeconds: Int?
  var order: Int?
  /// Clients stay with a target group for `stickinessSeconds`.
  var isSticky: Bool?
}

struct RedirectRecord: Codable, Sendable, Hashable {
  var statusCode: String
  var scheme: String
  var host: String
  var port: String
  var path: String
  var query: String
  var order: Int?
}

struct FixedResponseRecord: Codable, Sendable, Hashable {
  var statusCode: String
  var contentType: String?
  var body: String?
  var order: Int?
}

/// A condition, in whichever of its two forms it was given.
struct ConditionRecord: Codable, Sendable, Hashable {
  struct Query: Codable, Sendable, Hashable {
    var key: String?
    var value: String
  }
  /// `path-pattern`, `host-header`, `http-header`, `http-request-method`, `query-string`, `source-ip`.
  var field: String
  var values: [String]
  var headerName: String?
  var queries: [Query] = []
  /// Regular expressions, instead of values.
  var regexValues: [String]?
}

/// A target group with its targets.
struct TargetGroupRecord: Record {
  static let collection = "elbv2.target-group"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["name": name] }

  var arn: String
  var name: String
  /// `ip`, `instance` or `alb`.
  var targetType: String
  var protocolName: String
  var protocolVersion: String
  var port: Int
  var vpc: String
  var healthCheck: HealthCheckRecord
  var attributes: [String: String] = [:]
  var tags: [String: String] = [:]
  var targets: [TargetRecord] = []
  var ipAddressType: String?
  var targetControlPort: Int?

  var kind: LoadBalancerKind { ["HTTP", "HTTPS"].contains(protocolName) ? .application : .network }
}

struct HealthCheckRecord: Codable, Sendable, Hashable {
  var path = "/"
  /// A port number or `traffic-port`.
  var port = "traffic-port"
  var interval = 30
  var timeout = 5
  var healthyThreshold = 5
  var unhealthyThreshold = 2
  var matcher = "200"
  /// `HTTP`, `HTTPS` or `TCP`; nil is HTTP.
  var protocolName: String?
  /// gRPC status codes, instead of `matcher`.
  var grpcMatcher: String?

  var wireProtocol: String { protocolName ?? "HTTP" }
}

struct TargetRecord: Codable, Sendable, Hashable {
  /// An address, an instance's id, or a load balancer's ARN.
  var id: String
  var port: Int
  var zone: String?
  /// Where an instance is.
  var address: String?
  /// Since when it drains; nil while it is registered.
  var drainingSince: Timestamp?

  func isSame(_ id: String, _ port: Int) -> Bool { self.id == id && self.port == port }
}

/// Certificates of authorities whom clients may name, and what they revoked.
struct TrustStoreRecord: Record {
  static let collection = "elbv2.trust-store"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["name": name] }

  struct Revocation: Codable, Sendable, Hashable {
    var id: Int
    /// `CRL`.
    var type: String
    /// PEM.
    var content: String
    var entries: Int
    /// The bytes out of S3, in base64, where they are not `content`.
    var uploaded: String?

    var uploadedBytes: [UInt8] { uploaded.flatMap(Base64.decode) ?? Array(content.utf8) }
  }

  var arn: String
  var name: String
  /// PEM.
  var bundle: String
  /// The bytes out of S3, in base64, where they are not `bundle`: one with a comment that is not UTF-8.
  var uploaded: String?
  var certificateCount: Int
  var revocations: [Revocation] = []
  var lastRevocation = 0
  var tags: [String: String] = [:]

  var uploadedBytes: [UInt8] { uploaded.flatMap(Base64.decode) ?? Array(bundle.utf8) }

  /// What `uploaded` holds of bytes that were read as a text.
  static func uploaded(_ bytes: [UInt8], asText text: String) -> String? {
    bytes.elementsEqual(text.utf8) ? nil : Base64.encode(bytes)
  }
}

/// What the addresses of trust stores' contents are signed with.
struct LinkKeyRecord: Record {
  static let collection = "elbv2.link-key"
  static let id = "key"
  static let scope = Scope(account: "", region: "")
  static let context = "elbv2.link-key"
  var recordID: String { Self.id }
  var key: SealedBytes
}

/// What seals the cookies of all load balancers, and what their signatures are made with.
struct CookieKeyRecord: Record {
  static let collection = "elbv2.cookie-key"
  static let id = "key"
  static let scope = Scope(account: "", region: "")
  static let context = "elbv2.cookie-key"
  var recordID: String { Self.id }
  var key: SealedBytes
}

/// The keys of an issuer of tokens, as they were fetched last: what is good goes on when the issuer is away, and when
/// this process starts again.
struct KeySetRecord: Record {
  static let collection = "elbv2.key-set"
  static let scope = Scope(account: "", region: "")
  var recordID: String { endpoint }

  /// Where it is fetched.
  var endpoint: String
  /// A JSON Web Key Set.
  var document: String
}
