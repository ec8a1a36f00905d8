// A connection to one server through libpq, on a thread of its own, with a deadline for everything.

import CLinux
import CPostgreSQL
import Supervisor

/// Connects when first used, and again after a failure.
final class PostgresClient: Sendable {
  struct Target: Sendable, Hashable {
    var address: String
    var port: Int
    var user: String
    var password: String
    var database: String
  }

  /// The libpq connection. @unchecked: touched on `queue` alone, and in deinit, when nobody else can.
  private final class Connection: @unchecked Sendable {
    var pointer: OpaquePointer?
    deinit { if let pointer { PQfinish(pointer) } }
  }

  let target: Target
  private let queue = BlockingQueue("postgres")
  private let connection = Connection()

  init(_ target: Target) { self.target = target }

  /// Runs one statement with text parameters.
  /// - Returns: rows of texts, `nil` for NULL.
  /// - Throws: `PostgresError.connection` (the next call connects anew), `.statement`.
  @discardableResult
  func query(_ sql: String, _ arguments: [String?] = [], timeout: Double = 5) async throws -> [[String?]] {
    try await queue.run { [connection, target] in
      let deadline = Deadline(timeout)
      let pointer = try connection.pointer ?? Self.connect(target, deadline)
      connection.pointer = pointer
      do { return try Self.query(pointer, sql, arguments, deadline) } catch {
        // A statement that was refused leaves the connection usable; all else does not.
        if case PostgresError.statement = error, PQstatus(pointer) == CONNECTION_OK { throw error }
        PQfinish(pointer)
        connection.pointer = nil
        throw error
      }
    }
  }

  /// The SCRAM verifier of a password (RFC 5803), so that the password itself is in no statement and no log.
  func verifier(user: String, password: String, timeout: Double = 5) async throws -> String {
    try await query("SELECT 1", timeout: timeout)
    return try await queue.run { [connection] in
      guard let pointer = connection.pointer, let text = PQencryptPasswordConn(pointer, password, user, "scram-sha-256")
      else { throw PostgresError.connection("no verifier") }
      defer { PQfreemem(text) }
      return String(cString: text)
    }
  }

  /// Closes the connection; the next query opens another one.
  func close() async {
    await queue.run { [connection] in
      if let pointer = connection.pointer { PQfinish(pointer) }
      connection.pointer = nil
    }
  }

  // MARK: libpq, on the queue

  private struct Deadline {
    let end: ContinuousClock.Instant
    init(_ seconds: Double) { end = ContinuousClock.now + .seconds(seconds) }
    var milliseconds: Int32 {
      let left = ContinuousClock.now.duration(to: end)
      return Int32(clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000)
    }
    /// Waits on a socket; throws when the time is over.
    func wait(_ pointer: OpaquePointer, _ events: Int32) throws {
      let ready = castle_poll(PQsocket(pointer), events, max(0, milliseconds))
      if ready <= 0 { throw PostgresError.connection(ready == 0 ? "no answer in time" : errorText(-ready)) }
    }
  }

  private static func connect(_ target: Target, _ deadline: Deadline) throws -> OpaquePointer {
    var settings = [
      ("hostaddr", target.address), ("port", String(target.port)), ("user", target.user), ("password", target.password),
      ("dbname", target.database), ("sslmode", "disable"), ("gssencmode", "disable"), ("application_name", "castle"),
      ("client_encoding", "UTF8"),
    ]
    // The engine's own statements must get through when commits wait for replicas that are gone.
    if target.user == PostgresConfiguration.administrator {
      settings.append(("options", "-c synchronous_commit=local"))
    }
    let pointer = withCStrings(settings.map(\.0)) { names in
      withCStrings(settings.map(\.1)) { values in PQconnectStartParams(names, values, 0) }
    }
    guard let pointer else { throw PostgresError.connection("out of memory") }
    do {
      var state = PGRES_POLLING_WRITING
      while true {
        if PQstatus(pointer) == CONNECTION_BAD || state == PGRES_POLLING_FAILED { throw failure(pointer) }
        if state == PGRES_POLLING_OK { break }
        try deadline.wait(pointer, state == PGRES_POLLING_READING ? 1 : 2)
        state = PQconnectPoll(pointer)
      }
    } catch {
      PQfinish(pointer)
      throw error
    }
    PQsetnonblocking(pointer, 0)
    return pointer
  }

  private static func failure(_ pointer: OpaquePointer) -> PostgresError {
    let message = PQerrorMessage(pointer).map { String(cString: $0) } ?? ""
    return .connection(message.split(separator: "\n").joined(separator: " "))
  }

  private static func query(
    _ pointer: OpaquePointer, _ sql: String, _ arguments: [String?], _ deadline: Deadline
  ) throws -> [[String?]] {
    let isSent = withCStrings(arguments) { values in
      arguments.isEmpty
        ? PQsendQuery(pointer, sql)
        : PQsendQueryParams(pointer, sql, Int32(arguments.count), nil, values, nil, nil, 0)
    }
    guard isSent == 1 else { throw failure(pointer) }
    var rows: [[String?]] = []
    var refused: PostgresError?
    while true {
      while PQisBusy(pointer) == 1 {
        try deadline.wait(pointer, 1)
        if PQconsumeInput(pointer) == 0 { throw failure(pointer) }
      }
      guard let result = PQgetResult(pointer) else { break }
      defer { PQclear(result) }
      switch PQresultStatus(result) {
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: rows = read(result)
      default:
        if PQstatus(pointer) != CONNECTION_OK { throw failure(pointer) }
        let field = Int32(UInt8(ascii: "C"))  // PG_DIAG_SQLSTATE
        refused = .statement(
          state: PQresultErrorField(result, field).map { String(cString: $0) } ?? "XX000",
          message: String(cString: PQresultErrorMessage(result)).split(separator: "\n").joined(separator: " "))
      }
    }
    if let refused { throw refused }
    return rows
  }

  private static func read(_ result: OpaquePointer) -> [[String?]] {
    (0..<PQntuples(result)).map { row in
      (0..<PQnfields(result)).map { column in
        PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
      }
    }
  }

  /// Calls a body with a NULL-terminated array of C strings.
  private static func withCStrings<R>(
    _ texts: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>) throws -> R
  ) rethrows -> R {
    let copies = texts.map { text -> [CChar]? in text.map { Array($0.utf8CString) } }
    var pointers: [UnsafePointer<CChar>?] = []
    func next(_ index: Int) throws -> R {
      if index == copies.count {
        pointers.append(nil)
        return try pointers.withUnsafeBufferPointer { buffer in
          guard let base = buffer.baseAddress else { preconditionFailure("an array with an element has an address") }
          return try body(base)
        }
      }
      guard let copy = copies[index] else {
        pointers.append(nil)
        return try next(index + 1)
      }
      return try copy.withUnsafeBufferPointer { buffer in
        pointers.append(buffer.baseAddress)
        return try next(index + 1)
      }
    }
    return try next(0)
  }
}

/// A position in the write-ahead log, as PostgreSQL prints it (`0/16B3748`).
func logPosition(_ text: String?) -> UInt64? {
  guard let parts = text?.split(separator: "/"), parts.count == 2, let high = UInt64(parts[0], radix: 16),
    let low = UInt64(parts[1], radix: 16)
  else { return nil }
  return high << 32 | low
}
