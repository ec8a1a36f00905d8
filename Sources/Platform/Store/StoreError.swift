// What can go wrong with the store itself, in sentences for the log.

/// An error of the store. Errors of SQLite come through as GRDB's `DatabaseError`.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of error it is.
  public enum Code: String, Hashable, Sendable {
    case invalidCollection
    case unknownCollection
    case invalidRecord
    case undecodable
    case unencodable
    case alreadyOpen
    case newerFormat
    case rootKeyMissing
    case rootKeyMalformed
    case rootKeyExposed
    case rootKeyWrong
    case sealBroken
    case transactionAborted
    case system
  }

  public var code: Code
  /// One sentence that names the file, collection or document.
  public var message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
