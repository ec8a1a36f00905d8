// Who may do what: the port through which IAM answers.

import AWSCore

/// Keys that sign requests.
public struct AccessKey: Sendable {
  public var id: String
  public var secret: String
  public var sessionToken: String?
  public var principal: Principal
  /// Nil for keys that do not run out.
  public var expires: Timestamp?
  public var isActive: Bool

  public init(
    id: String, secret: String, sessionToken: String? = nil, principal: Principal, expires: Timestamp? = nil,
    isActive: Bool = true
  ) {
    self.id = id
    self.secret = secret
    self.sessionToken = sessionToken
    self.principal = principal
    self.expires = expires
    self.isActive = isActive
  }
}

/// IAM, as the request chain sees it.
public protocol Authority: Sendable {
  /// The key with this id; nil when nobody made it.
  func accessKey(_ id: String) async throws -> AccessKey?
  /// - Throws: `AWSError.accessDenied` with the reason.
  func authorize(_ call: CallContext, action: String, access: ResourceAccess) async throws
}

/// Lets everyone do everything: for tests of a service alone.
public struct OpenAuthority: Authority {
  public init() {}
  public func accessKey(_ id: String) async throws -> AccessKey? { nil }
  public func authorize(_ call: CallContext, action: String, access: ResourceAccess) async throws {}
}
