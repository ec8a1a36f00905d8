// What a castle is at one moment, as `/_castle/state`, the dashboard and `castle status` read it.

/// The whole picture. A part is nil when the service that would know is not built.
public struct CastleState: Codable, Sendable, Equatable {
  /// How a part is.
  public enum Health: String, Codable, Sendable, CaseIterable {
    case healthy, starting, degraded, stopping, failed, unknown
  }

  /// Milliseconds since 1970.
  public var time: Int64
  public var castle: Identity
  /// What stands before the public load balancers.
  public var frontDoor: FrontDoor?
  public var loadBalancers: [LoadBalancer]?
  public var services: [Service]?
  public var databases: [Database]?
  public var caches: [Cache]?
  public var buckets: [Holding]?
  public var secrets: [Holding]?
  public var keys: [Holding]?
  public var stacks: [Stack]?
  /// How data flows, from part to part.
  public var edges: [Edge] = []
  /// All parts, one row each.
  public var parts: [Part] = []
  /// What could not be found out, and why.
  public var errors: [Problem] = []

  public struct Identity: Codable, Sendable, Equatable {
    public var endpoint: String
    public var region: String
    public var account: String
    public var admission: String
    public var ready: Bool
    /// Whether the Gate answers; without it nothing is known of the traffic.
    public var gate: Bool
  }

  /// Requests through a load balancer or to a target group.
  public struct Flow: Codable, Sendable, Equatable {
    /// Requests a second.
    public var rate: Double
    /// Answers with a status of 500 or more, a second.
    public var errorRate: Double
    /// Milliseconds under which 99 of 100 answers came; nil when there were none.
    public var p99: Double?
  }

  public struct FrontDoor: Codable, Sendable, Equatable {
    public var health: Health
    public var webACLs: [WebACL]
    /// `ACTIVE` or `INACTIVE`; nil when Shield is not built.
    public var shield: String?
  }

  public struct WebACL: Codable, Sendable, Equatable {
    public var name: String
    public var rules: [String]
    /// ARNs of what it stands before.
    public var protects: [String]
  }

  public struct LoadBalancer: Codable, Sendable, Equatable {
    public var name: String
    public var label: String
    public var arn: String
    /// `internet-facing` or `internal`.
    public var scheme: String
    public var dnsName: String
    /// Where its first listener is.
    public var url: String?
    public var health: Health
    public var reason: String?
    public var flow: Flow?
    /// Client connections that are open.
    public var connections: Int?
    public var targetGroups: [TargetGroup]
  }

  public struct TargetGroup: Codable, Sendable, Equatable {
    public var name: String
    public var arn: String
    public var healthy: Int
    public var total: Int
    public var flow: Flow?
  }

  public struct Service: Codable, Sendable, Equatable {
    public var name: String
    /// The service's own name in ECS, and the ARN. Nil for tasks that no service runs.
    public var serviceName: String?
    public var arn: String?
    public var cluster: String
    public var health: Health
    public var desired: Int
    public var running: Int
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`: of the newest deployment.
    public var rollout: String?
    /// `family:revision`.
    public var taskDefinition: String
    public var targetGroups: [String]
    /// Ids of the parts that its environment names.
    public var uses: [String]
    public var tasks: [Task]
    /// The newest of its events.
    public var event: String?
  }

  public struct Task: Codable, Sendable, Equatable {
    public var id: String
    public var arn: String
    public var health: Health
    /// ECS's own word, or the target's (`draining`).
    public var status: String
    public var address: String?
    /// Milliseconds since 1970 when it started, or was asked to.
    public var since: Int64?
    /// `family:revision`.
    public var taskDefinition: String
    /// Why it stopped, or why it is not healthy.
    public var reason: String?
    public var flow: Flow?
  }

  public struct Database: Codable, Sendable, Equatable {
    public var name: String
    public var label: String
    public var engine: String
    public var status: String
    public var health: Health
    public var endpoint: String?
    public var readerEndpoint: String?
    public var port: Int?
    /// Client connections that are open through its endpoints.
    public var connections: Int?
    /// Why it cannot be run.
    public var reason: String?
    public var instances: [Node]
  }

  public struct Cache: Codable, Sendable, Equatable {
    public var name: String
    public var label: String
    public var engine: String
    public var status: String
    public var health: Health
    public var endpoint: String?
    public var port: Int?
    public var connections: Int?
    public var nodes: [Node]
  }

  /// A server of a database or a cache.
  public struct Node: Codable, Sendable, Equatable {
    public var name: String
    /// `writer`, `reader`, `primary`, `replica`.
    public var role: String
    public var status: String
    public var health: Health
    /// Why it does not come up.
    public var reason: String?
  }

  /// A bucket, a secret, a key.
  public struct Holding: Codable, Sendable, Equatable {
    public var name: String
    /// The name in its stack, where it has one: shorter than what AWS would make of it.
    public var label: String
    public var arn: String?
    public var health: Health
    public var detail: String
  }

  public struct Stack: Codable, Sendable, Equatable {
    public var name: String
    public var status: String
    public var reason: String?
    public var health: Health
  }

  /// Data flows from one part to another.
  public struct Edge: Codable, Sendable, Equatable {
    public var from: String
    public var to: String
    public var flow: Flow?
    /// Open connections, where no requests are counted.
    public var connections: Int?
  }

  public struct Part: Codable, Sendable, Equatable {
    /// `load balancer`, `service`, `task`, …
    public var kind: String
    public var name: String
    public var health: Health
    public var detail: String
    /// `service/backend`: as `data-part` on the page.
    public var id: String
    /// Why it does not come up.
    public var reason: String?
  }

  public struct Problem: Codable, Sendable, Equatable {
    public var section: String
    public var message: String
  }
}
