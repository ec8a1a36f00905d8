// Whether a request belongs to a user who signed in, as one rule of one loop sees it.
import GateProtocol
import GateTokens
import HTTPWire

/// A rule's sign-in. Sessions that were opened are remembered for a while: opening the cookies and signing the token for
/// the target happens once a minute for each user, not for each request.
final class SignInCheck {
  /// The cookies that hold a session, at most.
  static let shardsMax = 4
  /// Bytes in one cookie; browsers take four thousand.
  static let shardSize = 3_900
  static let sessionPurpose = "session"
  static let statePurpose = "state"
  static let nonceCookie = "AWSALBAuthNonce"

  private static let rememberedMax = 1024
  /// Seconds for which a token for the target is used again, and for which it is good.
  private static let tokenAge: UInt64 = 60
  private static let tokenLifetime: UInt64 = 120

  let oidc: GateSnapshot.OIDC
  private var remembered: [[UInt8]: (lines: [UInt8], until: UInt64)] = [:]

  init(_ oidc: GateSnapshot.OIDC) { self.oidc = oidc }

  /// What a request's cookies hold.
  enum Found {
    /// No session that is good.
    case nothing
    /// The header lines that tell the target of the user.
    case session(lines: [UInt8])
    /// A session whose access token has ended and can be had anew.
    case stale(SignInSession)
  }

  func session(
    _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>, seal: TokenSeal, signer: IdentitySigner?,
    balancer: String, second: UInt64
  ) -> Found {
    guard let text = sessionText(head, bytes) else { return .nothing }
    if let known = remembered[text], known.until > second { return .session(lines: known.lines) }
    let now = Double(second)
    guard let session = seal.openValue(SignInSession.self, text, purpose: Self.sessionPurpose + oidc.sessionCookieName),
      session.expires > now
    else { return .nothing }
    if session.isStale(at: now) { return .stale(session) }
    guard let lines = lines(of: session, signer: signer, balancer: balancer, second: second) else { return .nothing }
    if remembered.count >= Self.rememberedMax { remembered = [:] }
    let end = session.refreshToken == nil ? session.expires : min(session.expires, session.accessExpires ?? .infinity)
    remembered[text] = (lines, min(second + Self.tokenAge, UInt64(end)))
    return .session(lines: lines)
  }

  /// The header lines that tell the target of a session's user.
  func lines(of session: SignInSession, signer: IdentitySigner?, balancer: String, second: UInt64) -> [UInt8]? {
    guard let signer,
      let token = signer.token(
        session, issuer: oidc.issuer, client: oidc.clientID, signer: balancer,
        expires: Int(second + Self.tokenLifetime))
    else { return nil }
    return Array(
      ("x-amzn-oidc-accesstoken: \(session.accessToken)\r\nx-amzn-oidc-identity: \(session.subject)\r\n"
        + "x-amzn-oidc-data: \(token)\r\n").utf8)
  }

  private func shard(_ index: Int) -> [UInt8] { Array("\(oidc.sessionCookieName)-\(index)".utf8) }

  /// How many cookies of a session the request brings.
  func shards(_ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>) -> Int {
    var count = 0
    while count < Self.shardsMax, CookieJar.cookie(named: shard(count), head, bytes) != nil { count += 1 }
    return count
  }

  private func sessionText(_ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>) -> [UInt8]? {
    var text: [UInt8] = []
    for shard in 0..<Self.shardsMax {
      guard let part = CookieJar.cookie(named: self.shard(shard), head, bytes) else { break }
      text += part
    }
    return text.isEmpty ? nil : text
  }

  /// The Set-Cookie values of a session; nil when it is too large for cookies.
  /// - Parameter before: how many cookies the browser had of another session: those that are not written anew must go,
  ///   else they would be read as this one's end.
  func cookies(_ session: SignInSession, seal: TokenSeal, isSecure: Bool, replacing before: Int) -> [String]? {
    guard let text = seal.sealValue(session, purpose: Self.sessionPurpose + oidc.sessionCookieName),
      text.utf8.count <= Self.shardsMax * Self.shardSize
    else { return nil }
    var rest = text[...]
    var result: [String] = []
    while !rest.isEmpty || result.count < before {
      let part = rest.prefix(Self.shardSize)
      let expires = HTTPDate.text(secondsSince1970: part.isEmpty ? 0 : Int(session.expires))
      rest = rest.dropFirst(Self.shardSize)
      result.append(
        "\(oidc.sessionCookieName)-\(result.count)=\(part); Expires=\(expires); Path=/; HttpOnly"
          + (isSecure ? "; Secure; SameSite=None" : ""))
    }
    return result
  }
}
