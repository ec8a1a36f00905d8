// redis.conf and the access list. Pure.

enum RedisConfiguration {
  /// The engine's own user: replication and management go through it, so that tokens can change without touching them.
  static let administrator = "castle"

  /// Settings that the engine decides.
  static let reserved: Set<String> = [
    "bind", "port", "dir", "aclfile", "user", "requirepass", "masterauth", "masteruser", "replicaof", "slaveof",
    "daemonize", "pidfile", "logfile", "supervised", "protected-mode", "unixsocket", "include", "loadmodule",
    "cluster-enabled", "replica-announce-ip", "replica-announce-port", "rename-command", "dbfilename", "appendfilename",
    "appenddirname", "tls-port",
  ]

  /// Commands that clients may not use in a restricted group.
  static let forbidden = [
    "acl", "bgrewriteaof", "bgsave", "config", "debug", "failover", "migrate", "module", "psync", "replicaof", "save",
    "shutdown", "slaveof", "sync",
  ]

  /// What client tokens allow, as words of ACL SETUSER behind `default`.
  static func clientRules(tokens: [String], isRestricted: Bool) -> [String] {
    var rules = ["reset", "on", "~*", "&*", "+@all"]
    // The last rule for a command holds; what reads an access list's own entry stays allowed.
    if isRestricted { rules += forbidden.map { "-\($0)" } + ["+acl|whoami", "+acl|cat", "+acl|genpass"] }
    return rules + (tokens.isEmpty ? ["nopass"] : tokens.map { ">\($0)" })
  }

  static func server(
    node: RedisGroup.Node, directory: String, parameters: [String: String], follows: (address: String, port: Int)?,
    administratorPassword: String, tokens: [String], isRestricted: Bool
  ) -> String {
    var lines = ["# Written by Castle at each start; changes are lost."]
    lines += ["appendonly yes", "appendfsync everysec", "save \"\"", "tcp-backlog 128", "latency-tracking no"]
    for (name, value) in parameters.sorted(by: { $0.key < $1.key }) where !reserved.contains(name) {
      lines.append("\(name) \(quoted(value))")
    }
    lines += [
      "bind \(node.address)", "port \(node.port)", "dir \(quoted(directory))", "daemonize no", "protected-mode no",
      "logfile \"\"", "dbfilename dump.rdb", "appendfilename appendonly.aof",
      // The default of 5 s makes each full synchronisation wait that long for more replicas.
      "repl-diskless-sync yes", "repl-diskless-sync-delay 0", "repl-diskless-load on-empty-db",
      // The primary would else know the replica by the address that the kernel chose for the connection.
      "replica-announce-ip \(node.address)", "replica-announce-port \(node.port)", "repl-ping-replica-period 1",
      "repl-timeout 10", "repl-backlog-size 16mb", "replica-read-only yes",
      "masteruser \(administrator)", "masterauth \(quoted(administratorPassword))",
      "user \(administrator) reset on ~* &* +@all >\(administratorPassword)",
      "user default " + clientRules(tokens: tokens, isRestricted: isRestricted).joined(separator: " "),
    ]
    if let follows { lines.append("replicaof \(follows.address) \(follows.port)") }
    return lines.joined(separator: "\n") + "\n"
  }

  static func quoted(_ value: String) -> String {
    var out = "\""
    for character in value {
      if character == "\"" || character == "\\" { out.append("\\") }
      out.append(character)
    }
    return out + "\""
  }
}
