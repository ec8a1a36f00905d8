// What castle.yaml says, as plain values.

/// The architecture of one application. Read it from castle.yaml with `Blueprint.parse`; ship it with `template`.
public struct Blueprint: Sendable, Hashable {
  /// The application's name: lower-case letters, digits and hyphens.
  public var name: String
  /// The AWS region it lives in.
  public var region: String
  public var domain: String?
  public var services: [Service]
  public var databases: [Database]
  public var caches: [Cache]
  public var buckets: [Bucket]
  public var secrets: [Secret]
  public var shield: Shield?
  public var vpns: [VPN]

  /// A program that runs as tasks of an ECS service.
  public struct Service: Sendable, Hashable {
    public var name: String
    /// The folder of its Dockerfile.
    public var build: String?
    /// The command that starts it as a local process, in the folder of castle.yaml.
    public var run: String?
    /// The port that it listens on; it is told in `PORT`.
    public var port: Int
    /// Its route on the public load balancer.
    public var publicRoute: Route?
    /// Its route on the internal load balancer.
    public var internalRoute: Route?
    /// Processors, such as 0.25.
    public var cpu: Double
    public var memoryMegabytes: Int
    public var scale: Scale
    /// The services, databases, caches, buckets and secrets that it may reach.
    public var uses: [String]
    /// Further environment variables, in the order of the file.
    public var environment: [Variable]
  }

  /// An environment variable of a service's own.
  public struct Variable: Sendable, Hashable {
    public var name: String
    public var value: String
  }

  /// Where a load balancer sends to a service.
  public struct Route: Sendable, Hashable {
    /// A path or a path pattern, such as `/` or `/api/*`.
    public var path: String
    /// The path of the health check.
    public var health: String
  }

  /// How many tasks run.
  public struct Scale: Sendable, Hashable {
    public var min: Int
    public var max: Int
    /// The average processor use, in per cent, that scaling aims at.
    public var cpuPercent: Int?
    /// The requests per task and minute that scaling aims at.
    public var requests: Int?
  }

  /// An Aurora PostgreSQL cluster.
  public struct Database: Sendable, Hashable {
    public var name: String
    public var engine: Engine
    /// How many readers stand beside the writer.
    public var replicas: ClosedRange<Int>
    /// Aurora capacity units of each instance.
    public var acu: ClosedRange<Double>
    public var backupDays: Int
    public enum Engine: String, Sendable, CaseIterable { case auroraPostgreSQL = "aurora-postgresql" }
  }

  /// An ElastiCache replication group.
  public struct Cache: Sendable, Hashable {
    public var name: String
    public var engine: Engine
    public var shards: Int
    /// Replicas of each shard.
    public var replicas: Int
    public enum Engine: String, Sendable, CaseIterable { case redis }
  }

  /// An S3 bucket.
  public struct Bucket: Sendable, Hashable {
    public var name: String
    /// Objects are deleted after so many days.
    public var expireDays: Int?
    /// Objects move to Glacier after so many days.
    public var glacierDays: Int?
  }

  /// A generated secret in Secrets Manager.
  public struct Secret: Sendable, Hashable {
    public var name: String
    public var rotateDays: Int?
  }

  /// The limits at the front door, each for one address.
  public struct Shield: Sendable, Hashable {
    /// So many requests in so many seconds: a rule of a web ACL, here and on AWS.
    public var rate: Rate?
    /// Connections at once; a castle's own limit, as the following are: AWS sets its own.
    public var connections: Int?
    /// New connections a second.
    public var newConnections: Double?
    /// Requests a second.
    public var requestsPerSecond: Double?

    public struct Rate: Sendable, Hashable {
      public var requests: Int
      public var windowSeconds: Int
    }
  }

  /// A site-to-site VPN connection.
  public struct VPN: Sendable, Hashable {
    public var name: String
    /// The public IPv4 address of the other side.
    public var peer: String
    /// The networks behind it, such as `192.168.0.0/16`.
    public var networks: [String]
  }

  /// Reads castle.yaml.
  /// - Throws: `BlueprintError` with every problem that was found.
  public static func parse(_ text: String) throws(BlueprintError) -> Blueprint {
    var reader = BlueprintReader()
    return try reader.read(text)
  }
}
