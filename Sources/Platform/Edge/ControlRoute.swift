// Castle's own paths under `/_castle/`: health, reset, task credentials, the dashboard.

import AWSCore
import ServiceKit

/// A request to one of Castle's own paths.
public struct ControlRequest: Sendable {
  public var method: String
  /// The path behind `/_castle`, such as `/health`.
  public var path: String
  public var query: [String: String]
  /// Header fields, lower-case names.
  public var headers: [String: String]
  public var body: [UInt8]
}

/// An answer to it.
public struct ControlResponse: Sendable {
  public var status: Int
  public var headers: [(String, String)]
  public var body: [UInt8]
  /// A body without end (server-sent events), instead of `body`.
  public var stream: (@Sendable (_ write: ([UInt8]) async throws -> Void) async throws -> Void)?
  /// What happens once the answer is written: stopping the castle must not cut off its own answer.
  public var afterwards: (@Sendable () -> Void)?

  public init(
    status: Int = 200, contentType: String = "text/plain; charset=utf-8", headers: [(String, String)] = [],
    body: [UInt8] = [],
    stream: (@Sendable (_ write: ([UInt8]) async throws -> Void) async throws -> Void)? = nil
  ) {
    self.status = status
    self.headers = [("content-type", contentType)] + headers
    self.body = body
    self.stream = stream
  }

  public static func json(_ value: JSONValue, status: Int = 200) -> ControlResponse {
    ControlResponse(status: status, contentType: "application/json", body: Array(value.description.utf8))
  }
}

/// One of Castle's own paths: a method, a path or the start of one, and what answers.
public struct ControlRoute: Sendable {
  /// Who may call.
  public enum Access: Sendable {
    /// Anyone on this machine who is not a foreign web page.
    case open
    /// Whoever holds the castle's token (the dashboard's link, the command).
    case token
  }
  public var method: String
  /// `/health`; one that ends in `/` takes everything below it.
  public var path: String
  public var access: Access
  /// The beginning of a host's name of AWS's whose paths stand below `path`; nil for none.
  public var host: String?
  public var handler: @Sendable (ControlRequest) async throws -> ControlResponse

  public init(
    _ method: String, _ path: String, access: Access, host: String? = nil,
    _ handler: @escaping @Sendable (ControlRequest) async throws -> ControlResponse
  ) {
    self.method = method
    self.path = path
    self.access = access
    self.host = host
    self.handler = handler
  }

  func matches(_ method: String, _ path: String) -> Bool {
    guard method == self.method || (method == "HEAD" && self.method == "GET") else { return false }
    return self.path.hasSuffix("/") ? path.hasPrefix(self.path) : path == self.path
  }
}
