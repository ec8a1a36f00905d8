// Who is let in: which keys are known, and what becomes of those that are not.

import AWSCore
import ServiceKit
import SigV4

/// Turns a request's signature into a principal.
public struct Admission: Sendable {
  /// Keys that nobody made are taken as the owner's without checking their signature.
  public var isPermissive: Bool
  public var ownerAccount: String
  public let authority: any Authority
  private let verifier = SigV4.Verifier()

  public init(isPermissive: Bool, ownerAccount: String, authority: any Authority) {
    self.isPermissive = isPermissive
    self.ownerAccount = ownerAccount
    self.authority = authority
  }

  /// What a request turned out to be.
  struct Identity: Sendable {
    var principal: Principal
    var account: String
    /// Nil for requests without a signature that was checked.
    var verified: SigV4.Verified?
    var authorization: SigV4.ParsedAuthorization?
    /// The body's hash decides: the signature of services other than S3 covers it, so it is checked once it is read.
    var secret: String?
  }

  /// The key behind a request; its signature is checked by `verify`.
  func identify(
    _ authorization: Result<SigV4.ParsedAuthorization, SigV4.Failure>, style: SigV4.ErrorStyle, isOpen: Bool,
    now: Timestamp
  ) async throws -> Identity {
    let parsed: SigV4.ParsedAuthorization
    switch authorization {
    case .success(let found): parsed = found
    case .failure(.missingAuthenticationToken) where isPermissive || isOpen || style == .s3:
      // S3 lets nobody in particular ask; the bucket's policy decides. On a permissive castle it is the owner.
      let principal =
        isPermissive
        ? Principal.root(account: ownerAccount)
        : Principal(kind: .user, account: "", arn: "anonymous", userID: "anonymous")
      return Identity(principal: principal, account: ownerAccount)
    case .failure(let failure): throw failure.awsError(style)
    }
    if let key = try await authority.accessKey(parsed.accessKeyID) {
      guard key.isActive else { throw SigV4.Failure.unknownAccessKey(parsed.accessKeyID).awsError(style) }
      if let expires = key.expires, now > expires {
        throw SigV4.Failure.expiredToken(parsed.sessionToken ?? "").awsError(style)
      }
      if let wanted = key.sessionToken, !SigV4.constantTimeEquals(wanted, parsed.sessionToken ?? "") {
        throw SigV4.Failure.invalidToken(parsed.sessionToken ?? "").awsError(style)
      }
      return Identity(
        principal: key.principal, account: key.principal.account, authorization: parsed, secret: key.secret)
    }
    guard isPermissive else { throw SigV4.Failure.unknownAccessKey(parsed.accessKeyID).awsError(style) }
    // A throw-away key is the owner's; one of twelve digits names the account.
    let isAccount = parsed.accessKeyID.utf8.count == 12 && parsed.accessKeyID.utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
    let account = isAccount ? parsed.accessKeyID : ownerAccount
    return Identity(principal: .root(account: account), account: account, authorization: parsed)
  }

  /// Checks the signature of a request whose key is known. Requests of throw-away keys pass unchecked.
  func verify(
    _ identity: inout Identity, _ request: SigV4.Request, style: SigV4.ErrorStyle, now: Timestamp, payloadHash: String?
  ) throws {
    guard let authorization = identity.authorization, let secret = identity.secret else { return }
    do {
      identity.verified = try verifier.verify(
        request, authorization, secretAccessKey: secret, style: style, now: now, payloadHash: payloadHash)
    } catch {
      throw error.awsError(style)
    }
  }
}
