// A few connections on threads of their own. A transaction that met a broken connection or a demoted writer is run again,
// from its beginning, until it works or patience ends: a failover costs the visitor a moment, not an error.
// So every transaction given to the pool must be one that may be committed twice.
import Logging
import NIOPosix
import StorefrontKit
import Synchronization

final class PostgresPool: Sendable {
  /// How many connections, and threads, there are.
  static let size = 6
  /// How long a transaction is tried again.
  static let patience = Duration.seconds(10)
  static let firstPause = Duration.milliseconds(20)
  static let longestPause = Duration.milliseconds(400)

  private struct State {
    var idle: [PostgresConnection] = []
    /// Counts the times that idle connections were thrown away; a connection from before must not come back.
    var generation = 0
  }

  private let options: [(String, String)]
  private let threads = NIOThreadPool(numberOfThreads: PostgresPool.size)
  private let state = Mutex(State())
  private let logger: Logger

  /// A pool that connects when it is first used.
  init(options: [(String, String)], logger: Logger) {
    self.options = options
    self.logger = logger
    threads.start()
  }

  /// The connection's options from ORDERS_URL or ORDERS_HOST, _PORT, _NAME, _USERNAME and _PASSWORD.
  /// - Throws: `SettingError`.
  static func options(from settings: Settings) throws -> [(String, String)] {
    var options: [(String, String)] = [
      ("application_name", "storefront-backend"), ("connect_timeout", "2"), ("target_session_attrs", "read-write"),
      ("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "2"), ("tcp_user_timeout", "5000"),
      ("options", "-c statement_timeout=8000 -c timezone=UTC"),
    ]
    if settings["ORDERS_HOST"] == nil, let url = settings["ORDERS_URL"] {
      options.append(("dbname", url))
      return options
    }
    options.append(("host", try settings.require("ORDERS_HOST", for: "the database's address (or set ORDERS_URL)")))
    options.append(("port", String(try settings.number("ORDERS_PORT", or: 5432, in: 1...65535))))
    options.append(("dbname", settings["ORDERS_NAME"] ?? "orders"))
    options.append(("user", try settings.require("ORDERS_USERNAME", for: "the database user's name")))
    options.append(("password", try settings.require("ORDERS_PASSWORD", for: "the database user's password")))
    return options
  }

  /// Runs a transaction; tries it again while the database is failing over.
  /// - Parameter body: may be run, and even committed, more than once.
  /// - Throws: ``PostgresError``, or what `body` throws.
  func transaction<T: Sendable>(
    _ body: @escaping @Sendable (PostgresConnection) throws -> T
  ) async throws -> T {
    let deadline = ContinuousClock.now + PostgresPool.patience
    var pause = PostgresPool.firstPause
    while true {
      do {
        return try await once(body)
      } catch let error as PostgresError where error.mayPass && ContinuousClock.now < deadline {
        logger.debug("trying a transaction again", metadata: ["reason": "\(error)"])
        try await Task.sleep(for: pause)
        pause = min(pause * 2, PostgresPool.longestPause)
      }
    }
  }

  /// Runs a transaction once.
  /// - Throws: ``PostgresError``, or what `body` throws.
  func once<T: Sendable>(_ body: @escaping @Sendable (PostgresConnection) throws -> T) async throws -> T {
    try await threads.runIfActive { try self.runOnThread(body) }
  }

  private func runOnThread<T>(_ body: (PostgresConnection) throws -> T) throws -> T {
    let (found, generation) = state.withLock { ($0.idle.popLast(), $0.generation) }
    let connection = try found ?? PostgresConnection(options: options)
    do {
      try connection.run("BEGIN")
      let value = try body(connection)
      try connection.run("COMMIT")
      giveBack(connection, generation)
      return value
    } catch let error as PostgresError where error.spoilsConnection {
      // The others lead to the same server, which is gone or is a reader now.
      state.withLock {
        guard $0.generation == generation else { return }
        $0.generation += 1
        $0.idle.removeAll()
      }
      throw error
    } catch {
      // A connection that cannot even roll back is dropped; the first error is the one to report.
      if (try? connection.run("ROLLBACK")) != nil { giveBack(connection, generation) }
      throw error
    }
  }

  private func giveBack(_ connection: PostgresConnection, _ generation: Int) {
    state.withLock { if $0.generation == generation { $0.idle.append(connection) } }
  }

  /// Ends the threads and the connections.
  func close() async throws {
    try await threads.shutdownGracefully()
    state.withLock { $0.idle.removeAll() }
  }
}
