// Statements that every write runs, by SQLite's own calls: no copies of rows, no lists of columns and arguments.
//
// GRDB's requests spend several times what SQLite itself does on one small row, all of it on the one thread that
// writes. What it watches besides (observers, changes of the schema) has no part in these.

import FoundationEssentials
import GRDB
import GRDBSQLite

/// A value bound to a statement's parameter.
public enum SQLiteValue: Sendable {
  case null
  case integer(Int)
  case text(String)
  case bytes([UInt8])
  case data(Data)
}

/// The row that a running statement stands on. Only good inside the call that it is given to.
public struct SQLiteRow {
  fileprivate let statement: OpaquePointer

  public func isNull(_ column: Int) -> Bool { sqlite3_column_type(statement, CInt(column)) == SQLITE_NULL }

  public func integer(_ column: Int) -> Int { Int(sqlite3_column_int64(statement, CInt(column))) }

  /// Empty where the column is null.
  public func text(_ column: Int) -> String { String(decoding: raw(column), as: UTF8.self) }

  /// Empty where the column is null.
  public func bytes(_ column: Int) -> [UInt8] { Array(raw(column)) }

  private func raw(_ column: Int) -> UnsafeRawBufferPointer {
    // The pointer first: asking for it may convert the value, and the length is that of the result.
    let start = sqlite3_column_blob(statement, CInt(column))
    return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, CInt(column))))
  }
}

extension Database {
  /// Runs a statement, prepared once for each connection, to its end.
  /// - Parameters:
  ///   - sql: one statement; GRDB's own functions must not be given the same text.
  ///   - values: for its parameters, in order.
  ///   - read: makes something of the first row.
  /// - Returns: what `read` gave; nil when there was no row.
  /// - Throws: `DatabaseError`, and what `read` throws.
  public func quick<T>(_ sql: String, _ values: [SQLiteValue], _ read: (SQLiteRow) throws -> T) throws -> T? {
    let prepared = try cachedStatement(sql: sql)
    return try withExtendedLifetime(prepared) {
      let statement = prepared.sqliteStatement
      defer {
        sqlite3_reset(statement)
        // Contents of objects are not to stay behind in memory.
        sqlite3_clear_bindings(statement)
      }
      for (index, value) in values.enumerated() { try check(Self.bind(statement, CInt(index + 1), value), sql) }
      var result: T?
      while true {
        let code = sqlite3_step(statement)
        if code == SQLITE_DONE { return result }
        guard code == SQLITE_ROW else { throw failure(code, sql) }
        if result == nil { result = try read(SQLiteRow(statement: statement)) }
      }
    }
  }

  /// Runs a statement that gives no rows.
  public func quick(_ sql: String, _ values: [SQLiteValue]) throws {
    _ = try quick(sql, values) { _ in }
  }

  private func check(_ code: CInt, _ sql: String) throws {
    if code != SQLITE_OK { throw failure(code, sql) }
  }

  private func failure(_ code: CInt, _ sql: String) -> DatabaseError {
    let message = sqliteConnection.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) }
    return DatabaseError(resultCode: ResultCode(rawValue: code), message: message, sql: sql)
  }

  private static func bind(_ statement: OpaquePointer, _ index: CInt, _ value: SQLiteValue) -> CInt {
    switch value {
    case .null: sqlite3_bind_null(statement, index)
    case .integer(let number): sqlite3_bind_int64(statement, index, Int64(number))
    case .text(let text):
      text.utf8.withContiguousStorageIfAvailable { bindText(statement, index, $0) }
        ?? Array(text.utf8).withUnsafeBufferPointer { bindText(statement, index, $0) }
    case .bytes(let bytes): bytes.withUnsafeBytes { bindBlob(statement, index, $0) }
    case .data(let data): data.withUnsafeBytes { bindBlob(statement, index, $0) }
    }
  }

  /// SQLite's word for "copy it", which C spells as a pointer cast that Swift does not import.
  private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

  private static func bindText(_ statement: OpaquePointer, _ index: CInt, _ text: UnsafeBufferPointer<UInt8>) -> CInt {
    text.withMemoryRebound(to: CChar.self) {
      // A null pointer would mean NULL rather than the empty text.
      guard let start = $0.baseAddress else { return sqlite3_bind_text(statement, index, "", 0, copied) }
      return sqlite3_bind_text(statement, index, start, CInt($0.count), copied)
    }
  }

  private static func bindBlob(_ statement: OpaquePointer, _ index: CInt, _ bytes: UnsafeRawBufferPointer) -> CInt {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return sqlite3_bind_zeroblob(statement, index, 0) }
    return sqlite3_bind_blob(statement, index, start, CInt(bytes.count), copied)
  }
}
