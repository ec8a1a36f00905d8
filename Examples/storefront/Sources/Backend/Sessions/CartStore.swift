// Sessions and carts in Redis. Each change is one script, so it happens whole, and happens once however often it is sent.
import Crypto
import FoundationEssentials
import StorefrontKit

/// A visitor's session: the cookie's token, and the key under which things are kept (never the token itself).
struct Session: Sendable, Equatable {
  /// Hexadecimal SHA-256 of the token.
  let key: String

  /// The session of a token of 32 to 64 letters and digits, or nil.
  init?(token: String) {
    guard (32...64).contains(token.utf8.count),
      token.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || (0x41...0x5A).contains($0) })
    else { return nil }
    key = hex(SHA256.hash(data: Data(token.utf8)))
  }
}

struct CartStore: Sendable {
  /// Most of one product in a cart.
  static let quantityMax = 99
  /// Sessions and carts are forgotten after 30 days without a visit.
  static let keepSeconds = 30 * 86_400
  /// An operation that comes again after this is a new one.
  static let operationSeconds = 3_600

  let redis: RedisClient

  /// KEYS: session, cart. ARGV: now, seconds to keep.
  private static let look = """
    redis.call('HSETNX', KEYS[1], 'since', ARGV[1])
    redis.call('HSET', KEYS[1], 'seen', ARGV[1])
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    return redis.call('HGETALL', KEYS[2])
    """

  /// KEYS: cart, operation. ARGV: product, how many more, most, seconds to keep, seconds an operation is known.
  private static let add = """
    if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[5]) then
      if redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2]) > tonumber(ARGV[3]) then
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
      end
      redis.call('EXPIRE', KEYS[1], ARGV[4])
    end
    return redis.call('HGET', KEYS[1], ARGV[1])
    """

  // The braces keep a session's keys in one slot of a cluster.
  private func sessionKey(_ session: Session) -> String { "storefront:{\(session.key)}:session" }
  private func cartKey(_ session: Session) -> String { "storefront:{\(session.key)}:cart" }
  private func operationKey(_ session: Session, _ operation: String) -> String {
    "storefront:{\(session.key)}:done:\(operation)"
  }

  /// Quantities by product id; also notes that the session was seen at `now`.
  func quantities(_ session: Session, now: Date) async throws -> [String: Int] {
    let answer = try await redis.run([
      "EVAL", Self.look, "2", sessionKey(session), cartKey(session), now.formatted(.iso8601),
      String(Self.keepSeconds),
    ])
    var quantities: [String: Int] = [:]
    let fields = answer.elements ?? []
    for index in stride(from: 0, to: fields.count - 1, by: 2) {
      if let product = fields[index].string, let quantity = fields[index + 1].string.flatMap(Int.init), quantity > 0 {
        quantities[product] = quantity
      }
    }
    return quantities
  }

  /// Puts `quantity` more of a product into the cart, once for each `operation`.
  func add(_ session: Session, product: String, quantity: Int, operation: String) async throws {
    try await redis.run([
      "EVAL", Self.add, "2", cartKey(session), operationKey(session, operation), product, String(quantity),
      String(Self.quantityMax), String(Self.keepSeconds), String(Self.operationSeconds),
    ])
  }

  /// Sets how many of a product there are; zero takes it out.
  func set(_ session: Session, product: String, quantity: Int) async throws {
    if quantity == 0 {
      try await redis.run(["HDEL", cartKey(session), product])
    } else {
      try await redis.run(["HSET", cartKey(session), product, String(quantity)])
      try await redis.run(["EXPIRE", cartKey(session), String(Self.keepSeconds)])
    }
  }

  /// Forgets the cart.
  func empty(_ session: Session) async throws {
    try await redis.run(["DEL", cartKey(session)])
  }
}
