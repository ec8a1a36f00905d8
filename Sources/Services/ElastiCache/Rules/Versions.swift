// Versions of Redis that can be asked for, and parameters that are known. Pure.

enum Versions {
  static let all = ["5.0.6", "6.0.5", "6.2.6", "7.0.7", "7.1.0"]

  /// The full version that a request means: `7.1`, `6.x` or a full version; nil when it is not offered.
  static func resolve(_ asked: String?) -> String? {
    guard let asked, !asked.isEmpty else { return all.last }
    if asked == "6.x" { return "6.2.6" }
    return all.last { $0 == asked || $0.hasPrefix(asked + ".") }
  }

  /// `redis7`, `redis6.x`, `redis5.0`.
  static func family(_ version: String) -> String {
    if version.hasPrefix("6.") { return "redis6.x" }
    return version.hasPrefix("5.") ? "redis5.0" : "redis7"
  }

  static let families = ["redis5.0", "redis6.x", "redis7"]
  static func defaultParameterGroup(_ version: String) -> String { "default.\(family(version))" }
}

enum Parameters {
  /// Settings of Redis that a parameter group may change; each can change while the server runs.
  static let applied: Set<String> = [
    "activedefrag", "active-defrag-cycle-max", "active-defrag-cycle-min", "active-defrag-threshold-lower",
    "active-defrag-threshold-upper", "activerehashing", "hash-max-listpack-entries", "hash-max-listpack-value",
    "hll-sparse-max-bytes", "latency-tracking", "lazyfree-lazy-eviction", "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del", "lazyfree-lazy-user-del", "lfu-decay-time", "lfu-log-factor", "list-compress-depth",
    "list-max-listpack-size", "lua-time-limit", "maxclients", "maxmemory", "maxmemory-policy", "maxmemory-samples",
    "min-replicas-max-lag", "min-replicas-to-write", "notify-keyspace-events", "proto-max-bulk-len",
    "set-max-intset-entries", "slowlog-log-slower-than", "slowlog-max-len", "stream-node-max-bytes",
    "stream-node-max-entries", "tcp-keepalive", "timeout", "tracking-table-max-keys", "zset-max-listpack-entries",
    "zset-max-listpack-value",
  ]

  /// Kept, and without effect here.
  static let recorded: Set<String> = ["cluster-enabled", "reserved-memory", "reserved-memory-percent"]
}
