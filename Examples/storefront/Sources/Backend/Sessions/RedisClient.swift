// A connection to Redis that comes back. Commands given here must be ones that may be carried out twice.
import Logging
import StorefrontKit

actor RedisClient {
  /// How long a command is tried again.
  static let patience = Duration.seconds(6)
  static let firstPause = Duration.milliseconds(20)
  static let longestPause = Duration.milliseconds(400)

  private let host: String
  private let port: Int
  private let token: String?
  private let logger: Logger
  private var opening: Task<RedisConnection, any Error>?

  init(host: String, port: Int, token: String?, logger: Logger) {
    self.host = host
    self.port = port
    self.token = token
    self.logger = logger
  }

  /// A client from SESSIONS_HOST, SESSIONS_PORT, SESSIONS_TOKEN and SESSIONS_TLS.
  /// - Throws: `SettingError`.
  init(settings: Settings, logger: Logger) throws {
    guard try !settings.flag("SESSIONS_TLS", or: false) else {
      throw SettingError(
        "SESSIONS_TLS is true, but TLS to the session store is not built; set SESSIONS_TLS=false and turn off "
          + "in-transit encryption of the replication group")
    }
    self.init(
      host: try settings.require("SESSIONS_HOST", for: "the address of the Redis primary"),
      port: try settings.number("SESSIONS_PORT", or: 6379, in: 1...65535), token: settings["SESSIONS_TOKEN"],
      logger: logger)
  }

  /// Carries out a command; tries it again, over a new connection, while Redis is failing over.
  /// - Throws: ``RedisError``.
  @discardableResult
  func run(_ arguments: [String]) async throws -> RESPValue {
    let deadline = ContinuousClock.now + RedisClient.patience
    var pause = RedisClient.firstPause
    while true {
      do {
        return try await once(arguments)
      } catch let error as RedisError where error.mayPass && ContinuousClock.now < deadline {
        logger.debug("trying a command again", metadata: ["reason": "\(error)"])
        try await Task.sleep(for: pause)
        pause = min(pause * 2, RedisClient.longestPause)
      }
    }
  }

  /// Carries out a command once.
  /// - Throws: ``RedisError``.
  func once(_ arguments: [String]) async throws -> RESPValue {
    let connection = try await connection()
    do {
      return try await connection.send(arguments)
    } catch let error as RedisError where error.mayPass {
      // Also a demoted primary: the endpoint's name leads a new connection to the new one.
      connection.close()
      throw error
    }
  }

  /// The open connection, or a new one; those who ask at the same time wait for the same.
  private func connection() async throws -> RedisConnection {
    if let opening {
      let connection = try await opening.value
      if connection.isActive { return connection }
      // While this one waited another caller may have begun a new connection.
      if self.opening == opening { self.opening = nil }
    }
    if let opening { return try await opening.value }
    let host = host
    let port = port
    let token = token
    let attempt = Task { try await RedisConnection.open(host: host, port: port, token: token) }
    opening = attempt
    do {
      return try await attempt.value
    } catch {
      if opening == attempt { opening = nil }
      throw error
    }
  }

  /// Closes the connection.
  func close() async {
    let last = opening
    opening = nil
    (try? await last?.value)?.close()
  }
}
