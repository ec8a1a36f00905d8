// What a client may put into cookies and the Authorization header, and an identity provider into its answers.
import GateTokens

enum TokenChecks {
  private static let seal = TokenSeal()
  private static let keySet = """
    {"keys":[{"kty":"RSA","kid":"one","alg":"RS256","use":"sig","e":"AQAB","n":\
    "oVxlVG02rjEO5NQi_kabj957wzH-eUqj_RKx_nLkcEPcvwMdn5kqY6rpxZeYn9q5GDmeZu4yidpNQbmG4pciP1nZAr\
    7JOIXicIyd56d-meEza5jvavCI_u97Trh8RwkOKqvvsU07NzQqoSNBSw1XlYrDtthDjcnTq0zAOSP3pUSvQMRNTcnC\
    LqJP-Drely6v-a908LXdW7uQtO8yO6ZUZB7PGR0XGZMfi28R7OO6gw4IFuHkXrqkmT9FoIDd01wI16CXY8WQ5cd8It\
    -YoeHzixIjjtUXxVSKR3pwUXYzDcRdPoZDpqmzObPsSbDR1p77UsRKXb8q_CRaLPENWTg73w"}]}
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
