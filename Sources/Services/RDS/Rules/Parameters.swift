// The cluster parameters that are known: PostgreSQL's own are applied to the servers. Pure.

/// A parameter of a cluster parameter group.
struct ParameterRule: Sendable {
  enum Effect: Sendable {
    /// A setting of PostgreSQL; the servers get it.
    case server
    /// Kept and given back; its effect is not there on one machine.
    case recorded
  }
  var name: String
  var type: String
  /// Takes a restart of the servers.
  var isStatic: Bool
  var allowed: String
  var effect: Effect
  var about: String
  /// What Aurora has when nothing is set; nil for what it computes.
  var standard: String?

  /// Whether a value is one of the allowed: ranges `1-10`, words `on,off`, or anything.
  func allows(_ value: String) -> Bool {
    if allowed.isEmpty { return true }
    if type == "integer" || type == "float" {
      let parts = allowed.split(separator: "-", omittingEmptySubsequences: false)
      // A range may begin below zero: `-1-3600`.
      let low = allowed.hasPrefix("-") ? "-" + (parts.count > 1 ? parts[1] : "0") : String(parts.first ?? "0")
      guard let number = Double(value), let lowest = Double(low), let highest = Double(parts.last ?? "") else {
        return false
      }
      return number >= lowest && number <= highest && (type == "float" || Int(value) != nil)
    }
    return allowed.split(separator: ",").contains { $0 == value }
  }
}

enum Parameters {
  private static func server(
    _ name: String, _ type: String, _ allowed: String, _ standard: String?, _ about: String, isStatic: Bool = false
  ) -> ParameterRule {
    ParameterRule(
      name: name, type: type, isStatic: isStatic, allowed: allowed, effect: .server, about: about, standard: standard)
  }

  static let all: [ParameterRule] = [
    server("autovacuum", "boolean", "0,1,on,off,true,false", "1", "Starts the autovacuum subprocess."),
    server(
      "autovacuum_analyze_scale_factor", "float", "0-100", "0.05", "Fraction changed before a table is analyzed."),
    server(
      "autovacuum_max_workers", "integer", "1-262143", "3", "How many autovacuum workers run at a time.", isStatic: true
    ),
    server("autovacuum_naptime", "integer", "1-2147483", "5", "(s) Time between autovacuum runs."),
    server(
      "autovacuum_vacuum_scale_factor", "float", "0-100", "0.1", "Fraction of a table changed before it is vacuumed."),
    server("checkpoint_timeout", "integer", "30-3600", "60", "(s) The longest time between checkpoints."),
    server(
      "client_min_messages", "string", "debug5,debug4,debug3,debug2,debug1,log,notice,warning,error", "notice",
      "What is sent to the client."),
    server("datestyle", "string", "", nil, "How dates and times are shown."),
    server(
      "deadlock_timeout", "integer", "1-2147483647", "1000", "(ms) Waiting for a lock before looking for a deadlock."),
    server("default_statistics_target", "integer", "1-10000", "100", "The default statistics target."),
    server(
      "default_transaction_isolation", "string", "serializable,repeatable read,read committed,read uncommitted",
      "read committed", "The isolation of new transactions."),
    server("effective_cache_size", "integer", "1-2147483647", nil, "(8kB) The planner's idea of the cache's size."),
    server(
      "hot_standby_feedback", "boolean", "0,1,on,off,true,false", "on", "Replicas tell the writer what they still read."
    ),
    server(
      "idle_in_transaction_session_timeout", "integer", "0-2147483647", "86400000",
      "(ms) Longest idling within a transaction."),
    server("idle_session_timeout", "integer", "0-2147483647", nil, "(ms) Longest idling outside a transaction."),
    server("jit", "boolean", "0,1,on,off,true,false", nil, "Just-in-time compilation."),
    server("lock_timeout", "integer", "0-2147483647", nil, "(ms) Longest wait for a lock."),
    server(
      "log_autovacuum_min_duration", "integer", "-1-2147483647", "10000", "(ms) Autovacuum actions that are logged."),
    server("log_connections", "boolean", "0,1,on,off,true,false", nil, "Logs each connection."),
    server("log_disconnections", "boolean", "0,1,on,off,true,false", nil, "Logs the end of sessions."),
    server("log_duration", "boolean", "0,1,on,off,true,false", nil, "Logs how long statements take."),
    server("log_error_verbosity", "string", "terse,default,verbose", nil, "How much of an error is logged."),
    server("log_lock_waits", "boolean", "0,1,on,off,true,false", nil, "Logs long waits for locks."),
    server(
      "log_min_duration_statement", "integer", "-1-2147483647", nil, "(ms) Statements that take longer are logged."),
    server(
      "log_min_messages", "string", "debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic", nil,
      "What is logged."),
    server("log_statement", "string", "none,ddl,mod,all", nil, "The kinds of statements that are logged."),
    server("log_temp_files", "integer", "-1-2147483647", nil, "(kB) Temporary files that are logged."),
    server("maintenance_work_mem", "integer", "1024-2147483647", nil, "(kB) Memory for maintenance operations."),
    server("max_connections", "integer", "6-262143", nil, "The most connections at a time.", isStatic: true),
    server(
      "max_locks_per_transaction", "integer", "10-2147483647", "64", "The most locks.", isStatic: true),
    server("max_parallel_workers", "integer", "0-1024", nil, "The most parallel workers."),
    server("max_parallel_workers_per_gather", "integer", "0-1024", nil, "The most parallel workers of one node."),
    server("max_prepared_transactions", "integer", "0-262143", "0", "The most prepared transactions.", isStatic: true),
    server(
      "max_standby_streaming_delay", "integer", "1000-30000", "14000",
      "(ms) How long a replica waits for a query before it cancels it."),
    server("max_worker_processes", "integer", "0-262143", nil, "The most background processes.", isStatic: true),
    server("random_page_cost", "float", "0-1000000", nil, "The planner's cost of a page out of order."),
    server("search_path", "string", "", nil, "The order in which schemas are searched."),
    server("seq_page_cost", "float", "0-1000000", nil, "The planner's cost of a page in order."),
    server("shared_buffers", "integer", "16-1073741823", nil, "(8kB) Memory for pages.", isStatic: true),
    server("statement_timeout", "integer", "0-2147483647", nil, "(ms) Longest time of a statement."),
    server("synchronous_commit", "string", "local,on,off", "on", "What a commit waits for."),
    server("tcp_keepalives_count", "integer", "0-2147483647", nil, "Lost keepalives before a connection is dead."),
    server("tcp_keepalives_idle", "integer", "0-2147483647", "300", "(s) Idle time before a keepalive."),
    server("tcp_keepalives_interval", "integer", "0-2147483647", "30", "(s) Time between keepalives."),
    server("temp_buffers", "integer", "100-1073741823", nil, "(8kB) Memory for temporary tables."),
    server("timezone", "string", "", "UTC", "The time zone of times."),
    server("track_activities", "boolean", "0,1,on,off,true,false", "1", "Collects what runs."),
    server(
      "track_activity_query_size", "integer", "100-102400", "4096", "(B) How much of it is shown.", isStatic: true),
    server("track_functions", "string", "none,pl,all", "pl", "Collects statistics of functions."),
    server("track_io_timing", "boolean", "0,1,on,off,true,false", "1", "Collects the times of input and output."),
    server("vacuum_cost_limit", "integer", "1-10000", nil, "Cost after which vacuum sleeps."),
    server("work_mem", "integer", "64-2147483647", nil, "(kB) Memory of one sort or hash."),
    ParameterRule(
      name: "rds.force_ssl", type: "boolean", isStatic: false, allowed: "0,1", effect: .recorded,
      about: "Requires TLS. On one machine connections stay within it and are plain.", standard: "0"),
    ParameterRule(
      name: "rds.log_retention_period", type: "integer", isStatic: false, allowed: "1440-10080", effect: .recorded,
      about: "(min) How long log files are kept.", standard: "4320"),
  ]

  static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

  /// What the servers are told. A number of PostgreSQL's has the unit that the parameter has on AWS, which is
  /// PostgreSQL's own.
  static func ofServers(_ values: [String: ParameterGroupRecord.Value]) -> [String: String] {
    var out: [String: String] = [:]
    for (name, value) in values where byName[name]?.effect == .server { out[name] = value.value }
    return out
  }
}
