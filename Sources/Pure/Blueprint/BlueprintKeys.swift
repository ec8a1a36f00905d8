// Every key of castle.yaml: the one table that the reader checks names against and the JSON Schema is made from.

/// A key of a section.
struct BlueprintKey: Sendable {
  let name: String
  let kind: Kind
  let isRequired: Bool
  let summary: String

  indirect enum Kind: Sendable {
    case text(pattern: String?)
    case word([String])
    case wholeNumber(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case duration
    case size
    case percent
    case range
    case rate
    case texts
    /// Free names with texts.
    case textMap
    case section(BlueprintSection)
    /// Free names with sections.
    case named(BlueprintSection)
  }

  init(_ name: String, _ kind: Kind, required: Bool = false, _ summary: String) {
    self.name = name
    self.kind = kind
    isRequired = required
    self.summary = summary
  }
}

/// A map with fixed keys.
struct BlueprintSection: Sendable {
  /// What a message calls it.
  let title: String
  let keys: [BlueprintKey]

  var names: [String] { keys.map(\.name) }
}

enum BlueprintKeys {
  static let namePattern = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
  static let nameLengthMax = 24

  static let route = BlueprintSection(
    title: "a route",
    keys: [
      .init("path", .text(pattern: "^/"), "The path or path pattern that leads here, such as / or /api/*."),
      .init("health", .text(pattern: "^/"), "The path that answers 200 when the service is well."),
    ])

  static let scale = BlueprintSection(
    title: "scale",
    keys: [
      .init("min", .wholeNumber(0...1000), "The tasks that always run."),
      .init("max", .wholeNumber(1...1000), "The most tasks that run."),
      .init("cpu", .percent, "The average processor use that scaling aims at, such as 60%."),
      .init("requests", .wholeNumber(1...1_000_000), "The requests per task and minute that scaling aims at."),
    ])

  static let service = BlueprintSection(
    title: "a service",
    keys: [
      .init("build", .text(pattern: nil), "The folder of the Dockerfile."),
      .init("run", .text(pattern: nil), "The command that starts the service as a local process."),
      .init("port", .wholeNumber(1...65535), required: true, "The port that the service listens on (PORT)."),
      .init("public", .section(route), "The route on the public load balancer."),
      .init("internal", .section(route), "The route on the internal load balancer."),
      .init("cpu", .number(0.25...16), "Processors, such as 0.25."),
      .init("memory", .size, "Memory, such as 512MB."),
      .init("scale", .section(scale), "How many tasks run."),
      .init("uses", .texts, "The names of what the service may reach."),
      .init("env", .textMap, "Further environment variables."),
    ])

  static let database = BlueprintSection(
    title: "a database",
    keys: [
      .init("engine", .word(Blueprint.Database.Engine.allCases.map(\.rawValue)), "The database engine."),
      .init("replicas", .range, "The readers beside the writer, such as 1..5."),
      .init("acu", .range, "Aurora capacity units of an instance, such as 0.5..16."),
      .init("backups", .duration, "How long backups are kept, 1d to 35d."),
    ])

  static let cache = BlueprintSection(
    title: "a cache",
    keys: [
      .init("engine", .word(Blueprint.Cache.Engine.allCases.map(\.rawValue)), "The cache engine."),
      .init("shards", .wholeNumber(1...90), "The shards that the keys are spread over."),
      .init("replicas", .wholeNumber(0...5), "The replicas of each shard."),
    ])

  static let bucket = BlueprintSection(
    title: "a bucket",
    keys: [
      .init("expire", .duration, "When objects are deleted, such as 365d."),
      .init("glacier", .duration, "When objects move to Glacier, such as 90d."),
    ])

  static let secret = BlueprintSection(
    title: "a secret",
    keys: [.init("rotate", .duration, "How often a new value is made, such as 30d.")])

  static let shield = BlueprintSection(
    title: "shield",
    keys: [
      .init("requests", .rate, "The requests let through from one address, such as 2000/5m."),
      .init("connections", .wholeNumber(1...1_000_000), "The connections that one address may have at once."),
      .init("new-connections", .number(0.01...10_000_000), "The connections that one address may open in a second."),
      .init("requests-per-second", .number(0.01...10_000_000), "The requests that one address may send in a second."),
    ])

  static let vpn = BlueprintSection(
    title: "a vpn",
    keys: [
      .init("peer", .text(pattern: nil), required: true, "The public IPv4 address of the other side."),
      .init("networks", .texts, required: true, "The networks behind it, such as 192.168.0.0/16."),
    ])

  static let root = BlueprintSection(
    title: "castle.yaml",
    keys: [
      .init("name", .text(pattern: namePattern), required: true, "The application's name."),
      .init("region", .text(pattern: "^[a-z]{2}(-[a-z]+)+-[0-9]$"), "The AWS region; us-east-1 when left out."),
      .init("domain", .text(pattern: nil), "The domain name that the application answers to."),
      .init("services", .named(service), required: true, "The programs."),
      .init("databases", .named(database), "Aurora clusters."),
      .init("caches", .named(cache), "ElastiCache replication groups."),
      .init("buckets", .named(bucket), "S3 buckets."),
      .init("secrets", .named(secret), "Generated secrets."),
      .init("shield", .section(shield), "The limits at the front door."),
      .init("vpn", .named(vpn), "Site-to-site VPN connections."),
    ])
}
