// The messages of the authorization code flow (OpenID Connect Core 1.0, section 3.1): what is asked of a provider, and
// what its answers say. No sockets.
import AWSCore
import FoundationEssentials

/// Why a user could not be signed in. Raw values are the error reasons of access logs.
public enum SignInProblem: String, Error, Sendable {
  case missingCode = "AuthMissingCodeParam"
  case missingState = "AuthMissingStateParam"
  case invalidState = "AuthInvalidStateParam"
  case invalidCookie = "AuthInvalidCookie"
  case missingHost = "AuthMissingHostHeader"
  /// The provider refused the code.
  case invalidGrant = "AuthInvalidGrantError"
  case tokenRequestFailed = "AuthTokenEpRequestFailed"
  case tokenRequestTimeout = "AuthTokenEpRequestTimeout"
  case invalidTokenResponse = "AuthInvalidTokenResponse"
  case invalidIDToken = "AuthInvalidIdToken"
  case userInfoRequestFailed = "AuthUserinfoEpRequestFailed"
  case userInfoRequestTimeout = "AuthUserinfoEpRequestTimeout"
  case invalidUserInfo = "AuthInvalidUserinfoResponse"
  case userInfoTooLarge = "AuthUserinfoResponseSizeExceeded"
  case unhandled = "AuthUnhandledException"

  /// What the client is answered.
  public var status: Int {
    switch self {
    case .invalidGrant: 561
    case .missingCode, .missingState, .invalidState, .invalidCookie, .missingHost: 401
    default: 500
    }
  }
}

public enum OIDCProtocol {
  /// The path to which providers send users back.
  public static let callbackPath = "/oauth2/idpresponse"

  /// Where the user is sent to sign in.
  public static func authorizationURL(
    endpoint: String, clientID: String, redirectURI: String, scope: String, state: String, extra: [String: String]
  ) -> String {
    var fields = extra
    fields["client_id"] = clientID
    fields["redirect_uri"] = redirectURI
    fields["response_type"] = "code"
    fields["scope"] = scope
    fields["state"] = state
    return endpoint + (endpoint.contains("?") ? "&" : "?") + form(fields)
  }

  /// The body of the request that trades a code for tokens.
  public static func tokenRequest(code: String, redirectURI: String) -> String {
    form(["grant_type": "authorization_code", "code": code, "redirect_uri": redirectURI])
  }

  /// The body of the request that trades a refresh token for another access token (RFC 6749, section 6).
  public static func refreshRequest(token: String) -> String {
    form(["grant_type": "refresh_token", "refresh_token": token])
  }

  /// The value of `Authorization` for the token endpoint (RFC 6749, section 2.3.1).
  public static func basicCredentials(clientID: String, secret: String) -> String {
    "Basic " + Data("\(encoded(clientID)):\(encoded(secret))".utf8).base64EncodedString()
  }

  public struct Tokens: Sendable {
    public var accessToken: String
    /// Seconds.
    public var expiresIn: Double?
    public var refreshToken: String?
    public var subject: String
  }

  /// Reads a token endpoint's answer. The ID token came over the provider's own connection, which vouches for it
  /// (section 3.1.3.7); its issuer, audience and time are checked.
  /// - Parameter subject: whose tokens are refreshed; nil for a user who signs in. An ID token may be missing then, and
  ///   must not be somebody else's (section 12.2).
  public static func tokens(
    status: Int, body: [UInt8], issuer: String, clientID: String, now: Double, refreshing subject: String? = nil
  ) -> Result<Tokens, SignInProblem> {
    guard let answer = json(body), let object = answer.object else {
      return .failure(status == 200 ? .invalidTokenResponse : .tokenRequestFailed)
    }
    if object["error"] != nil { return .failure(.invalidGrant) }
    guard status == 200 else { return .failure(.tokenRequestFailed) }
    guard case .string(let accessToken)? = object["access_token"], isSafe(accessToken) else {
      return .failure(.invalidTokenResponse)
    }
    let seconds = object["expires_in"]?.integer.map(Double.init)
    func tokens(of subject: String) -> Result<Tokens, SignInProblem> {
      .success(
        Tokens(
          accessToken: accessToken, expiresIn: seconds, refreshToken: object["refresh_token"]?.text, subject: subject))
    }
    guard case .string(let identity)? = object["id_token"] else {
      return subject.map(tokens) ?? .failure(.invalidTokenResponse)
    }
    let parts = Array(identity.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let payload = Base64URL.decode(parts[1]).flatMap({ json($0) }),
      case .string(let owner)? = payload["sub"], isSafe(owner), owner == subject ?? owner,
      payload["iss"]?.text == issuer, isFor(clientID, payload["aud"]), let expires = payload["exp"]?.integer,
      Double(expires) > now
    else { return .failure(.invalidIDToken) }
    return tokens(of: owner)
  }

  /// Reads a user info endpoint's answer: the claims as JSON.
  public static func userInfo(status: Int, body: [UInt8], subject: String) -> Result<String, SignInProblem> {
    guard status == 200 else { return .failure(.userInfoRequestFailed) }
    guard let claims = json(body), claims.object != nil, claims["sub"]?.text == subject else {
      return .failure(.invalidUserInfo)
    }
    return .success(String(decoding: body, as: UTF8.self))
  }

  private static func json(_ bytes: [UInt8]) -> JSONValue? {
    try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))
  }

  private static func isFor(_ client: String, _ audience: JSONValue?) -> Bool {
    switch audience {
    case .string(let text): text == client
    case .array(let items): items.contains(.string(client))
    default: false
    }
  }

  /// Whether a text can stand in a header.
  private static func isSafe(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }

  // MARK: - Forms

  /// `a=b&c=d`, in the order of the names.
  static func form(_ fields: [String: String]) -> String {
    fields.sorted { $0.key < $1.key }.map { "\(encoded($0.key))=\(encoded($0.value))" }.joined(separator: "&")
  }

  static func encoded(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: result.unicodeScalars.append(.init(byte))
      default:
        let digits = Array("0123456789ABCDEF")
        result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
      }
    }
    return result
  }

  /// The fields of a query; the first of each name counts.
  public static func fields(_ query: some Sequence<UInt8>) -> [String: String] {
    var result: [String: String] = [:]
    for pair in Array(query).split(separator: UInt8(ascii: "&")) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let name = decoded(parts[0])
      if result[name] == nil { result[name] = parts.count > 1 ? decoded(parts[1]) : "" }
    }
    return result
  }

  private static func decoded(_ text: ArraySlice<UInt8>) -> String {
    var bytes: [UInt8] = []
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == UInt8(ascii: "%"), index + 2 < text.endIndex,
        let value = UInt8(String(decoding: text[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        index += 3
      } else {
        bytes.append(text[index] == UInt8(ascii: "+") ? 0x20 : text[index])
        index += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
