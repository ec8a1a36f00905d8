// Whether this task can serve.
//
// A load balancer that takes out every task during a failover of the database, and ECS then killing them all, would turn
// a moment into an outage. So a dependency that has just gone away is reported, and only one that stays away fails the check.
import FoundationEssentials
import Hummingbird
import Logging
import StorefrontKit

actor Health {
  /// A dependency that is away for longer fails the check.
  static let tolerance = Duration.seconds(15)
  /// Checks that come more often than this get the last result.
  static let freshness = Duration.seconds(1)
  /// A dependency that takes longer to answer is away.
  static let patience = Duration.seconds(2)

  /// What `/healthz` says.
  struct Report: Codable, Sendable, ResponseEncodable {
    /// `starting`, `ok`, `degraded` or `failing`.
    let status: String
    let orders: String
    let sessions: String

    var isHealthy: Bool { status == "ok" || status == "degraded" }
  }

  private let pool: PostgresPool
  private let redis: RedisClient
  private var isReady = false
  private var lastReport: (report: Report, at: ContinuousClock.Instant)?
  private var awaySince: ContinuousClock.Instant?

  init(pool: PostgresPool, redis: RedisClient) {
    self.pool = pool
    self.redis = redis
  }

  /// The schema, the goods and the pictures are there: this task may have visitors.
  func becomeReady() {
    isReady = true
  }

  /// How things are.
  func report() async -> Report {
    guard isReady else { return Report(status: "starting", orders: "unknown", sessions: "unknown") }
    if let lastReport, ContinuousClock.now - lastReport.at < Self.freshness { return lastReport.report }
    let pool = pool
    let redis = redis
    async let orders = Self.answers { try await pool.once { try $0.run("SELECT 1").count == 1 } }
    async let sessions = Self.answers { try await redis.once(["PING"]).string == "PONG" }
    let (ordersThere, sessionsThere) = await (orders, sessions)
    let now = ContinuousClock.now
    var status = "ok"
    if ordersThere && sessionsThere {
      awaySince = nil
    } else {
      let since = awaySince ?? now
      awaySince = since
      status = now - since > Self.tolerance ? "failing" : "degraded"
    }
    let report = Report(
      status: status, orders: ordersThere ? "ok" : "unreachable", sessions: sessionsThere ? "ok" : "unreachable")
    lastReport = (report, now)
    return report
  }

  private static func answers(_ question: @escaping @Sendable () async throws -> Bool) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        // Any error is the answer "no"; the request that meets it logs it.
        (try? await question()) ?? false
      }
      group.addTask {
        try? await Task.sleep(for: patience)
        return false
      }
      let first = await group.next() ?? false
      group.cancelAll()
      return first
    }
  }
}
