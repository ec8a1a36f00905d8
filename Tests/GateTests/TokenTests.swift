// JSON Web Tokens and sealed texts, without sockets.
import Crypto
import CryptoExtras
import Testing

@testable import GateTokens

@Suite("Tokens")
struct TokenTests {
  let signer = TokenSigner.shared

  @Test("a token of the issuer is good until it expires")
  func good() throws {
    let validator = TokenValidator(issuer: "https://idp.test", keySet: signer.keySet, claims: [])
    let token = try signer.token(#"{"iss":"https://idp.test","exp":2000,"nbf":900,"iat":900}"#)
    #expect(try validator.validate(token, now: 1000) == 2000)
    #expect(throws: TokenProblem.claimValue) { try validator.validate(token, now: 2000) }
    #expect(throws: TokenProblem.claimValue) { try validator.validate(token, now: 800) }
  }

  @Test("forged, foreign and broken tokens are refused, each for its reason")
  func refused() throws {
    let validator = TokenValidator(issuer: "i", keySet: signer.keySet, claims: [])
    let good = try signer.token(#"{"iss":"i","exp":2000}"#)
    var forged = good
    forged[good.count - 5] = forged[good.count - 5] == 65 ? 66 : 65
    #expect(throws: TokenProblem.badSignature) { try validator.validate(forged, now: 1) }
    // ES256 is good with many, not with Application Load Balancers.
    let elliptic = try signer.token(#"{"iss":"i","exp":2000}"#, algorithm: "ES256")
    #expect(throws: TokenProblem.badSignature) { try validator.validate(elliptic, now: 1) }
    let other = try TokenSigner().token(#"{"iss":"i","exp":2000}"#)
    #expect(throws: TokenProblem.badSignature) { try validator.validate(other, now: 1) }
    let unsigned = Array(
      "\(Base64URL.encode(Array(#"{"alg":"none"}"#.utf8))).\(Base64URL.encode(Array(#"{"iss":"i","exp":2000}"#.utf8)))."
        .utf8)
    #expect(throws: TokenProblem.badSignature) { try validator.validate(unsigned, now: 1) }
    for text in ["", "a.b", "a.b.c.d", "....", "{}.{}.{}"] {
      #expect(throws: TokenProblem.badFormat) { try validator.validate(Array(text.utf8), now: 1) }
    }
    for (payload, problem) in [
      (#"{"iss":"i"}"#, TokenProblem.claimNotPresent), (#"{"exp":2000}"#, .claimNotPresent),
      (#"{"iss":"j","exp":2000}"#, .claimValue), (#"{"iss":"i","exp":"2000"}"#, .claimFormat), ("[]", .badFormat),
    ] {
      let token = try signer.token(payload)
      #expect(throws: problem) { try validator.validate(token, now: 1) }
    }
    let keyless = TokenValidator(issuer: "i", keySet: nil, claims: [])
    #expect(throws: TokenProblem.noKeys) { try keyless.validate(good, now: 1) }
  }

  @Test("newer keys are wanted for tokens that name a key that is not known, and for no other")
  func wanted() throws {
    let validator = TokenValidator(issuer: "i", keySet: signer.keySet, claims: [])
    func token(_ header: String) -> [UInt8] { Array("\(Base64URL.encode(Array(header.utf8))).e30.AAAA".utf8) }
    #expect(validator.wantsOtherKeys(token(#"{"alg":"RS256","kid":"new"}"#)))
    for header in [#"{"alg":"RS256","kid":"r"}"#, #"{"alg":"RS256"}"#, #"{"alg":"none","kid":"new"}"#, "", "x"] {
      #expect(!validator.wantsOtherKeys(token(header)), "\(header)")
    }
    #expect(TokenValidator(issuer: "i", keySet: nil, claims: []).wantsOtherKeys([]))
  }

  @Test("additional claims are checked in their three formats")
  func claims() throws {
    let validator = TokenValidator(
      issuer: "i", keySet: signer.keySet,
      claims: [
        TokenClaim(name: "aud", format: .singleString, values: ["a", "b"]),
        TokenClaim(name: "roles", format: .stringArray, values: ["x", "y"]),
        TokenClaim(name: "scope", format: .spaceSeparated, values: ["read"]),
      ])
    func outcome(_ claims: String) throws -> TokenProblem? {
      let token = try signer.token(#"{"iss":"i","exp":2000,\#(claims)}"#)
      do throws(TokenProblem) {
        try validator.validate(token, now: 1)
        return nil
      } catch {
        return error
      }
    }
    #expect(try outcome(#""aud":"b","roles":["y","z","x"],"scope":"write read""#) == nil)
    #expect(try outcome(#""aud":"c","roles":["y","z","x"],"scope":"write read""#) == .claimValue)
    #expect(try outcome(#""aud":"b","roles":["y"],"scope":"read""#) == .claimValue)
    #expect(try outcome(#""aud":"b","roles":"x y","scope":"read""#) == .claimFormat)
    #expect(try outcome(#""aud":"b","roles":["x","y"]"#) == .claimNotPresent)
  }

  @Test("a sealed text opens with its key and purpose only")
  func seals() throws {
    let made = TokenSeal(key: Array(repeating: 7, count: 32))
    let seal = try #require(made)
    let sealed = seal.seal([1, 2, 3], purpose: "a")
    let text = try #require(sealed)
    func open(_ seal: TokenSeal, _ text: String, _ purpose: String) -> [UInt8]? {
      Array(text.utf8).withUnsafeBufferPointer { seal.open($0, purpose: purpose) }
    }
    #expect(open(seal, text, "a") == [1, 2, 3])
    #expect(open(seal, text, "b") == nil)
    #expect(open(TokenSeal(), text, "a") == nil)
    #expect(open(seal, "A" + text.dropFirst(), "a") == nil || text.hasPrefix("A"))
    for garbage in ["", "x", "AAAA", String(repeating: "A", count: 100)] { #expect(open(seal, garbage, "a") == nil) }
    #expect(TokenSeal(key: [1]) == nil)
  }
}

/// An issuer of tokens.
struct TokenSigner: Sendable {
  private let rsa: _RSA.Signing.PrivateKey
  private let p256 = P256.Signing.PrivateKey()

  /// Making keys takes its time, so most tests share these.
  static let shared = TokenSigner()

  init() {
    guard let key = try? _RSA.Signing.PrivateKey(keySize: .bits2048) else { fatalError("no RSA key") }
    rsa = key
  }

  /// Both public keys as a JSON Web Key Set.
  var keySet: String {
    let point = [UInt8](p256.publicKey.rawRepresentation)
    let numbers = try? rsa.publicKey.getKeyPrimitives()
    return """
      {"keys":[{"kty":"RSA","kid":"r","alg":"RS256","use":"sig","n":"\(Base64URL.encode(numbers?.modulus ?? .init()))",
      "e":"\(Base64URL.encode(numbers?.publicExponent ?? .init()))"},
      {"kty":"EC","kid":"e","crv":"P-256","x":"\(Base64URL.encode(point[..<32]))","y":"\(Base64URL.encode(point[32...]))"},
      {"kty":"oct","k":"AAAA"}]}
      """
  }

  func token(_ payload: String, algorithm: String = "RS256") throws -> [UInt8] {
    let kid = algorithm == "RS256" ? "r" : "e"
    let head = Base64URL.encode(Array(#"{"alg":"\#(algorithm)","kid":"\#(kid)"}"#.utf8))
    let signed = Array("\(head).\(Base64URL.encode(Array(payload.utf8)))".utf8)
    let digest = SHA256.hash(data: signed)
    let signature =
      algorithm == "RS256"
      ? Array(try rsa.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation)
      : Array(try p256.signature(for: digest).rawRepresentation)
    return signed + Array(".\(Base64URL.encode(signature))".utf8)
  }
}
