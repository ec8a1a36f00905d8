// One connection to PostgreSQL through libpq. Its calls block, so they are made on the pool's threads only.
import CPostgreSQL
import Glibc

/// What went wrong in the database or on the way to it.
struct PostgresError: Error, CustomStringConvertible {
  /// SQLSTATE, or nil when there was no connection to give one.
  let state: String?
  /// The server's or libpq's words.
  let description: String
  /// Whether the connection is of no more use.
  let connectionLost: Bool

  /// Whether the same transaction may succeed on a new connection, perhaps to a new writer.
  var mayPass: Bool {
    guard !connectionLost, let state else { return true }
    // 08 connection, 57P01-03 the server is stopping or starting, 25006 this is a reader now, 40 serialisation and deadlock.
    return state.hasPrefix("08") || state.hasPrefix("57P0") || state == "25006" || state.hasPrefix("40")
  }

  /// Whether the connection must not go back into the pool.
  var spoilsConnection: Bool { connectionLost || (mayPass && !(state?.hasPrefix("40") ?? false)) }
}

/// The rows that a statement returned, as text; SQL's NULL is nil.
struct Rows: Sendable {
  fileprivate let values: [[String?]]

  var count: Int { values.count }
  var isEmpty: Bool { values.isEmpty }

  /// Makes something of every row.
  func map<T>(_ transform: (Row) throws -> T) rethrows -> [T] { try values.map { try transform(Row(values: $0)) } }

  /// The first row, if there is one.
  var first: Row? { values.first.map(Row.init) }
}

/// One row; its columns are taken by position.
struct Row: Sendable {
  fileprivate let values: [String?]

  /// A text, or the empty text for NULL.
  subscript(column: Int) -> String { values[column] ?? "" }

  /// A whole number.
  /// - Throws: ``PostgresError`` when the column holds something else.
  func int(_ column: Int) throws -> Int {
    guard let text = values[column], let number = Int(text) else {
      throw PostgresError(state: "22023", description: "column \(column) is not a number", connectionLost: false)
    }
    return number
  }
}

// Unchecked: a connection is either in the pool's list or in the hands of the one thread that took it from there.
final class PostgresConnection: @unchecked Sendable {
  private let handle: OpaquePointer

  /// Connects; blocks until that worked or failed.
  /// - Parameter options: libpq's keywords and values.
  /// - Throws: ``PostgresError``.
  init(options: [(String, String)]) throws {
    let keywords = CStrings(options.map(\.0))
    let values = CStrings(options.map(\.1))
    defer {
      keywords.free()
      values.free()
    }
    // 1: a `dbname` that is a URL or a whole connection string is taken apart.
    guard let handle = PQconnectdbParams(keywords.pointers, values.pointers, 1) else {
      throw PostgresError(state: nil, description: "out of memory", connectionLost: true)
    }
    guard PQstatus(handle) == CONNECTION_OK else {
      let text = String(cString: PQerrorMessage(handle)).trimmingTail
      PQfinish(handle)
      throw PostgresError(state: nil, description: text, connectionLost: true)
    }
    // Notices ("relation exists, skipping") are not worth a line on standard error.
    _ = PQsetNoticeProcessor(handle, { _, _ in }, nil)
    self.handle = handle
  }

  deinit { PQfinish(handle) }

  /// Runs one statement with its parameters ($1, $2 …) and returns its rows.
  /// - Throws: ``PostgresError``.
  @discardableResult
  func run(_ statement: String, _ parameters: [String?] = []) throws -> Rows {
    let values = CStrings(parameters)
    defer { values.free() }
    let result = PQexecParams(
      handle, statement, Int32(parameters.count), nil, values.pointers, nil, nil, 0)
    defer { PQclear(result) }
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return rows(of: result)
    default: throw failure(of: result)
    }
  }

  /// Runs statements without parameters that stand in one text.
  /// - Throws: ``PostgresError``.
  func runScript(_ statements: String) throws {
    let result = PQexec(handle, statements)
    defer { PQclear(result) }
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
    default: throw failure(of: result)
    }
  }

  private func rows(of result: OpaquePointer?) -> Rows {
    let columns = PQnfields(result)
    return Rows(
      values: (0..<PQntuples(result)).map { row in
        (0..<columns).map { column in
          PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
        }
      })
  }

  private func failure(of result: OpaquePointer?) -> PostgresError {
    let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
    return PostgresError(
      state: state, description: String(cString: PQerrorMessage(handle)).trimmingTail,
      connectionLost: PQstatus(handle) != CONNECTION_OK)
  }
}

/// C strings that live until they are freed, and a list of pointers to them that ends with a null pointer.
private struct CStrings {
  let pointers: [UnsafePointer<CChar>?]

  init(_ texts: [String?]) {
    pointers = texts.map { text in text.flatMap { strdup($0) }.map { UnsafePointer($0) } } + [nil]
  }

  func free() {
    for pointer in pointers { Glibc.free(UnsafeMutablePointer(mutating: pointer)) }
  }
}

extension String {
  /// The text without the line break that libpq ends its messages with.
  fileprivate var trimmingTail: String {
    var result = self
    while result.last?.isWhitespace == true { result.removeLast() }
    return result
  }
}
