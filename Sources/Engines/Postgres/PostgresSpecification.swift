// What a cluster of PostgreSQL servers shall be. Plain values that know nothing of AWS.

import Supervisor

extension PostgresCluster {
  /// The desired state of a cluster: one writer, any number of streaming replicas.
  public struct Specification: Sendable, Hashable {
    /// Names the cluster for ever, and its directory: letters, digits, `-`, `_`, `.`; at most 80.
    public var id: String
    /// Where all clusters' data lives; this one's in `dataRoot/id`. The user that the servers run as must be able to
    /// reach it: every directory above needs its `x` (so not below /root when the servers run as `postgres`).
    public var dataRoot: String
    public var instances: [Instance]
    /// Who becomes the writer when the cluster is made. `nil`: the first of the lowest promotion tier. Later the cluster
    /// knows by itself; use `failOver(to:)`.
    public var firstWriter: String?
    /// The login role made for the owner: CREATEDB, CREATEROLE, member of `pg_monitor`, `pg_signal_backend` and
    /// `pg_checkpoint`, owner of the databases, but no superuser (that is the engine's own role, `castle_admin`).
    public var masterUsername: String
    public var masterPassword: String
    /// A database made at the beginning, owned by the master role, beside `postgres`. `nil`: none.
    public var databaseName: String?
    /// Server settings (`max_connections`, `work_mem`, …). Those that the engine itself needs are refused by
    /// `PostgresConfiguration.reserved`.
    public var parameters: [String: String]
    /// Whether the servers shall run. Data is kept when not.
    public var isRunning: Bool
    /// Whether a commit waits for one replica, if there is one: then a failover loses no acknowledged commit.
    public var isSynchronous: Bool
    /// Certificate, key and authority for connections; plain TCP on loopback when `nil`. Not built: must be `nil`.
    public var tls: TLS?
    /// Whom the servers run as. `nil`: who we are, or when we are root `postgres`, else `nobody`.
    public var user: SystemUser?

    public init(
      id: String, dataRoot: String, instances: [Instance], firstWriter: String? = nil, masterUsername: String,
      masterPassword: String, databaseName: String? = nil, parameters: [String: String] = [:], isRunning: Bool = true,
      isSynchronous: Bool = true, tls: TLS? = nil, user: SystemUser? = nil
    ) {
      self.id = id
      self.dataRoot = dataRoot
      self.instances = instances
      self.firstWriter = firstWriter
      self.masterUsername = masterUsername
      self.masterPassword = masterPassword
      self.databaseName = databaseName
      self.parameters = parameters
      self.isRunning = isRunning
      self.isSynchronous = isSynchronous
      self.tls = tls
      self.user = user
    }

    /// The directory of this cluster.
    public var directory: String { dataRoot + "/" + id }

    func instance(_ name: String) -> Instance? { instances.first { $0.name == name } }
  }

  /// One server.
  public struct Instance: Sendable, Hashable {
    /// Letters, digits, `-`, `_`; at most 63.
    public var name: String
    /// A literal address of 127.0.0.0/8 that it listens on.
    public var address: String
    public var port: Int
    /// Among replicas that have received the same, the one of the lowest tier becomes the writer.
    public var promotionTier: Int

    public init(name: String, address: String, port: Int, promotionTier: Int = 1) {
      self.name = name
      self.address = address
      self.port = port
      self.promotionTier = promotionTier
    }

    var endpoint: String { "\(address):\(port)" }
  }

  /// Files in PEM form.
  public struct TLS: Sendable, Hashable {
    public var certificateFile: String
    public var keyFile: String
    public var authorityFile: String
    public init(certificateFile: String, keyFile: String, authorityFile: String) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
      self.authorityFile = authorityFile
    }
  }
}

extension PostgresCluster.Specification {
  /// - Throws: `PostgresError.invalid` with what is wrong.
  func validate() throws(PostgresError) {
    func check(_ isGood: Bool, _ why: String) throws(PostgresError) { if !isGood { throw .invalid(why) } }
    try check(EngineName.isGood(id, most: 80), "cluster id '\(id)'")
    try check(dataRoot.hasPrefix("/"), "the data root must be an absolute path")
    try check(Set(instances.map(\.name)).count == instances.count, "two instances have the same name")
    for instance in instances {
      try check(EngineName.isGood(instance.name, most: 63), "instance name '\(instance.name)'")
      try check(instance.address.hasPrefix("127."), "\(instance.address) is not a loopback address")
      try check((1...65_535).contains(instance.port), "port \(instance.port)")
    }
    try check(
      firstWriter == nil || instances.isEmpty || instance(firstWriter ?? "") != nil, "the first writer is unknown")
    try check(EngineName.isGood(masterUsername, most: 63), "master user name '\(masterUsername)'")
    try check(
      masterUsername != PostgresConfiguration.administrator && !masterUsername.hasPrefix("pg_"),
      "the user name '\(masterUsername)' is the engine's own")
    try check(!masterPassword.isEmpty && !masterPassword.utf8.contains(0), "the master password")
    if let databaseName { try check(EngineName.isGood(databaseName, most: 63), "database name '\(databaseName)'") }
    try check(tls == nil, "TLS on the servers is not built yet")
    for (name, value) in parameters {
      try check(!PostgresConfiguration.reserved.contains(name), "the parameter '\(name)' belongs to the engine")
      try check(EngineName.isGood(name, most: 63) && !value.contains(where: \.isNewline), "the parameter '\(name)'")
    }
  }
}

/// What can go wrong with a cluster.
public enum PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The specification cannot be run.
  case invalid(String)
  /// No PostgreSQL on this machine.
  case notInstalled
  /// A server could not be reached or did not answer in time.
  case connection(String)
  /// A server refused a statement. `state` is the SQLSTATE.
  case statement(state: String, message: String)
  /// A server ended while it was starting; the end of its log.
  case startFailed(instance: String, log: String)
  /// It did not come about in time.
  case timedOut(String)
  /// It cannot be done now.
  case unavailable(String)
  /// The cluster's own record cannot be read.
  case record(String)

  public var description: String {
    switch self {
    case .invalid(let why): "invalid cluster: \(why)"
    case .notInstalled: "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    case .connection(let why): "PostgreSQL does not answer: \(why)"
    case .statement(let state, let message): "PostgreSQL refused (\(state)): \(message)"
    case .startFailed(let instance, let log): "\(instance) did not start: \(log)"
    case .timedOut(let what): "timed out: \(what)"
    case .unavailable(let why): why
    case .record(let why): "the cluster's record cannot be read: \(why)"
    }
  }
}
