// What a client may put into cookies and the Authorization header, and an identity provider into its answers.
import GateTokens

enum TokenChecks {
  private static let seal = TokenSeal()
  private static let keySet = """
    {"keys":[{"kty":"EC","crv":"P-256","kid":"one","alg":"ES256","use":"sig",\
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}
    """
  private static let validator = TokenValidator(
    issuer: "https://issuer.test", keySet: keySet,
    claims: [TokenClaim(name: "scope", format: .spaceSeparated, values: ["read"])])

  static func run(_ bytes: [UInt8]) {
    let isValid = (try? validator.validate(bytes, now: 0)) != nil
    precondition(!isValid, "a token without the key's signature is valid")
    let isOpen = bytes.withUnsafeBufferPointer { seal.open($0, purpose: "cookie") } != nil
    precondition(!isOpen, "a cookie without the key's seal opens")
    if let decoded = Base64URL.decode(bytes) {
      precondition(Base64URL.decode(Array(Base64URL.encode(decoded).utf8)) == decoded)
    }
    _ = JSONWebKeys(json: String(decoding: bytes, as: UTF8.self))
    _ = OIDCProtocol.fields(bytes)
    _ = OIDCProtocol.userInfo(status: 200, body: bytes, subject: "me")
  }
}
