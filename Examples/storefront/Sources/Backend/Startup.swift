// What is done before a task takes visitors: schema, goods, pictures. It waits for dependencies that are still starting.
import FoundationEssentials
import Logging
import ServiceLifecycle
import StorefrontKit

struct Startup: Service {
  static let firstPause = Duration.milliseconds(100)
  static let longestPause = Duration.seconds(2)

  let pool: PostgresPool
  let redis: RedisClient
  let pictures: PictureStore
  let signer: ReceiptSigner
  let health: Health
  let logger: Logger

  /// Brings everything up, then waits for the end: a service that returns would end the program.
  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown { try await bringUp() }
      try await gracefulShutdown()
    } catch is CancellationError where Task.isShuttingDownGracefully {
      // Told to stop while still waiting for something: that is a clean end too.
    }
  }

  private func bringUp() async throws {
    try await untilItWorks("the database") { [pool, signer] in
      try await pool.once { try Schema.bringUp($0, goods: Catalogue.goods, signer: signer) }
    }
    try await untilItWorks("the session store") { [redis] in _ = try await redis.once(["PING"]) }
    try await untilItWorks("the bucket") { [pictures, logger] in
      try await pictures.upload(Catalogue.goods, logger: logger)
    }
    await health.becomeReady()
    logger.info("ready")
  }

  private func untilItWorks(_ what: String, _ attempt: @Sendable () async throws -> Void) async throws {
    var pause = Self.firstPause
    while true {
      do {
        return try await attempt()
      } catch let error where !(error is CancellationError) {
        logger.warning("waiting for \(what)", metadata: ["reason": "\(error)"])
        try await Task.sleep(for: pause)
        pause = min(pause * 2, Self.longestPause)
      }
    }
  }
}
