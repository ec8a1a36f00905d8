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

  /// The header lines that tell the target of the user; nil without a session that is good.
  func identityLines(
    _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>, seal: TokenSeal, signer: IdentitySigner?,
    balancer: String, second: UInt64
  ) -> [UInt8]? {
    guard let text = sessionText(head, bytes) else { return nil }
    if let known = remembered[text], known.until > second { return known.lines }
    guard let session = seal.openValue(SignInSession.self, text, purpose: Self.sessionPurpose + oidc.sessionCookieName),
      session.expires > Double(second), let signer,
      let token = signer.token(
        session, issuer: oidc.issuer, client: oidc.clientID, signer: balancer,
        expires: Int(second + Self.tokenLifetime))
    else { return nil }
    let lines = Array(
      ("x-amzn-oidc-accesstoken: \(session.accessToken)\r\nx-amzn-oidc-identity: \(session.subject)\r\n"
        + "x-amzn-oidc-data: \(token)\r\n").utf8)
    if remembered.count >= Self.rememberedMax { remembered = [:] }
    remembered[text] = (lines, min(second + Self.tokenAge, UInt64(session.expires)))
    return lines
  }

  private func sessionText(_ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>) -> [UInt8]? {
    var text: [UInt8] = []
    for shard in 0..<Self.shardsMax {
      guard let part = CookieJar.cookie(named: Array("\(oidc.sessionCookieName)-\(shard)".utf8), head, bytes) else {
        break
      }
      text += part
    }
    return text.isEmpty ? nil : text
  }

  /// The Set-Cookie values of a session; nil when it is too large for cookies.
  func cookies(_ session: SignInSession, seal: TokenSeal, isSecure: Bool, second: UInt64) -> [String]? {
    guard let text = seal.sealValue(session, purpose: Self.sessionPurpose + oidc.sessionCookieName),
      text.utf8.count <= Self.shardsMax * Self.shardSize
    else { return nil }
    let expires = HTTPDate.text(secondsSince1970: Int(second) + Int(oidc.sessionTimeout))
    var rest = text[...]
    var result: [String] = []
    while !rest.isEmpty {
      let part = rest.prefix(Self.shardSize)
      rest = rest.dropFirst(Self.shardSize)
      result.append(
        "\(oidc.sessionCookieName)-\(result.count)=\(part); Expires=\(expires); Path=/; HttpOnly"
          + (isSecure ? "; Secure; SameSite=None" : ""))
    }
    return result
  }
}
