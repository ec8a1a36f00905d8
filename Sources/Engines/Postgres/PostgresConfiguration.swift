// The files that a server reads: postgresql.conf, pg_hba.conf, the password file of replication. Pure.

/// Writes configuration files.
enum PostgresConfiguration {
  /// The engine's own superuser; its password is made at random and held in the cluster's record (0600).
  static let administrator = "castle_admin"

  /// Settings that the engine decides.
  static let reserved: Set<String> = [
    "listen_addresses", "port", "unix_socket_directories", "data_directory", "hba_file", "ident_file", "config_file",
    "external_pid_file", "primary_conninfo", "primary_slot_name", "synchronous_standby_names", "hot_standby",
    "wal_level", "wal_log_hints", "recovery_init_sync_method", "recovery_target_timeline", "password_encryption", "ssl",
    "logging_collector", "log_destination", "cluster_name", "full_page_writes", "fsync", "promote_trigger_file",
  ]

  /// Whom a replica follows.
  struct Upstream: Sendable, Hashable {
    var address: String
    var port: Int
    var slot: String
    var passwordFile: String
  }

  /// postgresql.conf, whole. The last of two lines with the same name holds, so what a caller may change comes first.
  static func server(
    instance: PostgresCluster.Instance, parameters: [String: String], upstream: Upstream?, synchronous: Set<String>
  ) -> String {
    var lines = [
      "# Written by Castle at each start; changes are lost. Parameters belong into the cluster's specification."
    ]
    func set(_ name: String, _ value: String) { lines.append("\(name) = \(quoted(value))") }
    set("max_connections", "200")
    set("shared_buffers", "64MB")
    set("wal_keep_size", "256MB")
    set("max_slot_wal_keep_size", "4GB")
    set("max_wal_senders", "24")
    set("max_replication_slots", "24")
    set("hot_standby_feedback", "on")
    set("wal_retrieve_retry_interval", "200ms")
    set("wal_receiver_status_interval", "1s")
    set("wal_sender_timeout", "15s")
    set("wal_receiver_timeout", "15s")
    set("log_line_prefix", "%m [%p] %q%u@%d ")
    set("timezone", "UTC")
    set("log_timezone", "UTC")
    for (name, value) in parameters.sorted(by: { $0.key < $1.key }) where !reserved.contains(name) { set(name, value) }

    set("listen_addresses", instance.address)
    set("port", String(instance.port))
    set("unix_socket_directories", "")
    set("cluster_name", instance.name)
    set("password_encryption", "scram-sha-256")
    set("wal_level", "replica")
    set("wal_log_hints", "on")
    set("hot_standby", "on")
    // Else a start after a crash flushes every file of the data directory one by one: 2 s instead of 0.2 s.
    set("recovery_init_sync_method", "syncfs")
    set("log_destination", "stderr")
    set("logging_collector", "off")
    set("ssl", "off")
    if let upstream {
      set(
        "primary_conninfo",
        "host=\(upstream.address) port=\(upstream.port) user=\(administrator) "
          + "application_name=\(instance.name) passfile=\(conninfoQuoted(upstream.passwordFile)) sslmode=disable "
          + "connect_timeout=5")
      set("primary_slot_name", upstream.slot)
    }
    // ANY 1: one replica that has flushed it is enough for a commit to be acknowledged.
    let names = synchronous.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
    set("synchronous_standby_names", synchronous.isEmpty ? "" : "ANY 1 (\(names))")
    return lines.joined(separator: "\n") + "\n"
  }

  /// pg_hba.conf: passwords (SCRAM) from loopback, nothing else.
  static let access = """
    # Written by Castle.
    host all         all               127.0.0.0/8 scram-sha-256
    host replication \(administrator)  127.0.0.0/8 scram-sha-256

    """

  /// A libpq password file for the engine's own role.
  static func passwordFile(_ password: String) -> String { "*:*:*:\(administrator):\(password)\n" }

  /// A replication slot's name for an instance: lower-case letters, digits and underscores.
  static func slot(_ instance: String) -> String {
    "castle_"
      + String(
        instance.lowercased().map { c in c.isASCII && (c.isLetter || c.isNumber) ? c : "_" }.prefix(50))
  }

  static func quoted(_ value: String) -> String {
    var out = "'"
    for character in value {
      if character == "'" || character == "\\" { out.append(character) }
      out.append(character)
    }
    return out + "'"
  }

  private static func conninfoQuoted(_ value: String) -> String {
    var out = "'"
    for character in value {
      if character == "'" || character == "\\" { out.append("\\") }
      out.append(character)
    }
    return out + "'"
  }

  /// An SQL identifier in quotes.
  static func identifier(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
  /// An SQL text in quotes.
  static func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
}
