// A connection to one server, speaking RESP2 over a plain socket on a thread of its own, with a deadline for everything.

import CLinux
import Glibc
import Supervisor

/// A reply of the protocol.
enum RedisReply: Sendable, Hashable {
  case text(String)
  case integer(Int64)
  case array([RedisReply])
  case none

  var string: String? {
    switch self {
    case .text(let text): text
    case .integer(let number): String(number)
    default: nil
    }
  }
}

/// Connects when first used, and again after a failure.
final class RedisClient: Sendable {
  struct Target: Sendable, Hashable {
    var address: String
    var port: Int
    var user: String?
    var password: String?
  }

  /// The socket and what was read beyond a reply. @unchecked: touched on `queue` alone, and in deinit.
  private final class Connection: @unchecked Sendable {
    var fd: Int32 = -1
    var buffer: [UInt8] = []
    var position = 0
    func reset() {
      if fd >= 0 { Glibc.close(fd) }
      fd = -1
      buffer = []
      position = 0
    }
    deinit { if fd >= 0 { Glibc.close(fd) } }
  }

  let target: Target
  private let queue = BlockingQueue("redis")
  private let connection = Connection()

  init(_ target: Target) { self.target = target }

  /// Sends one command and returns its reply.
  /// - Throws: `RedisError.reply` for an error reply, `.connection` (the next call connects anew).
  @discardableResult
  func command(_ words: [String], timeout: Double = 5) async throws -> RedisReply {
    try await queue.run { [connection, target] in
      let end = ContinuousClock.now + .seconds(timeout)
      do {
        if connection.fd < 0 { try Self.connect(connection, target, end) }
        return try Self.exchange(connection, words, end)
      } catch {
        if case RedisError.reply = error { throw error }
        connection.reset()
        throw error
      }
    }
  }

  func close() async { await queue.run { [connection] in connection.reset() } }

  // MARK: On the queue

  private static func milliseconds(_ end: ContinuousClock.Instant) -> Int32 {
    let left = ContinuousClock.now.duration(to: end)
    return max(0, Int32(clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000))
  }

  private static func connect(_ connection: Connection, _ target: Target, _ end: ContinuousClock.Instant) throws {
    let fd = castle_tcp_connect(target.address, UInt16(clamping: target.port), milliseconds(end))
    guard fd >= 0 else { throw RedisError.connection(errorText(-fd)) }
    connection.reset()
    connection.fd = fd
    if let password = target.password {
      do { _ = try exchange(connection, ["AUTH"] + (target.user.map { [$0] } ?? []) + [password], end) } catch {
        connection.reset()
        throw error
      }
    }
  }

  private static func exchange(
    _ connection: Connection, _ words: [String], _ end: ContinuousClock.Instant
  ) throws -> RedisReply {
    var out = Array("*\(words.count)\r\n".utf8)
    for word in words { out += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    var sent = 0
    while sent < out.count {
      let n = out.withUnsafeBytes { bytes in
        bytes.baseAddress.map { send(connection.fd, $0 + sent, out.count - sent, Int32(MSG_NOSIGNAL)) } ?? 0
      }
      if n > 0 {
        sent += n
      } else if errno == EAGAIN {
        try wait(connection.fd, 2, end)
      } else if errno != EINTR {
        throw RedisError.connection(errorText(errno))
      }
    }
    return try reply(connection, end)
  }

  private static func wait(_ fd: Int32, _ events: Int32, _ end: ContinuousClock.Instant) throws {
    let ready = castle_poll(fd, events, milliseconds(end))
    if ready <= 0 { throw RedisError.connection(ready == 0 ? "no answer in time" : errorText(-ready)) }
  }

  private static func more(_ connection: Connection, _ end: ContinuousClock.Instant) throws {
    try wait(connection.fd, 1, end)
    var chunk = [UInt8](repeating: 0, count: 16_384)
    let n = recv(connection.fd, &chunk, chunk.count, 0)
    if n == 0 { throw RedisError.connection("closed by the server") }
    if n < 0 {
      if errno == EAGAIN || errno == EINTR { return }
      throw RedisError.connection(errorText(errno))
    }
    connection.buffer.removeFirst(connection.position)
    connection.position = 0
    connection.buffer += chunk[..<n]
  }

  private static func line(_ connection: Connection, _ end: ContinuousClock.Instant) throws -> String {
    while true {
      let unread = connection.buffer[connection.position...]
      if let stop = unread.firstIndex(of: 13), stop + 1 < connection.buffer.count {
        connection.position = stop + 2
        return String(decoding: unread[..<stop], as: UTF8.self)
      }
      try more(connection, end)
    }
  }

  private static func reply(
    _ connection: Connection, _ end: ContinuousClock.Instant, depth: Int = 0
  ) throws -> RedisReply {
    let line = try line(connection, end)
    let rest = line.dropFirst()
    switch line.first {
    case "+": return .text(String(rest))
    case "-": throw RedisError.reply(String(rest))
    case ":": return .integer(Int64(rest) ?? 0)
    case "$":
      guard let count = Int(rest), count >= 0 else { return .none }
      while connection.buffer.count - connection.position < count + 2 { try more(connection, end) }
      let bytes = connection.buffer[connection.position..<connection.position + count]
      connection.position += count + 2
      return .text(String(decoding: bytes, as: UTF8.self))
    case "*":
      guard let count = Int(rest), count >= 0, depth < 8 else { return .none }
      return .array(try (0..<count).map { _ in try reply(connection, end, depth: depth + 1) })
    default: throw RedisError.connection("not the Redis protocol")
    }
  }
}

/// The fields of an INFO section.
func redisInfo(_ reply: RedisReply) -> [String: String] {
  var fields: [String: String] = [:]
  for line in (reply.string ?? "").split(whereSeparator: \.isNewline) {
    let parts = line.split(separator: ":", maxSplits: 1)
    if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
  }
  return fields
}
