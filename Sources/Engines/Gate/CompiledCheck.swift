// What a client must prove before a rule's action is done, ready to be checked.
import GateProtocol
import GateTokens
import HTTPWire

enum CompiledCheck {
  case token(TokenCheck)
  case signIn(SignInCheck)

  init(_ check: GateSnapshot.Check) {
    switch check {
    case .jwtValidation(let validation): self = .token(TokenCheck(validation))
    case .authenticateOIDC(let oidc): self = .signIn(SignInCheck(oidc))
    }
  }
}

/// A bearer token in `Authorization` (RFC 6750). Tokens found good are remembered until they expire, so that a client's
/// token costs one verification in each loop and not one for each request.
final class TokenCheck {
  private static let rememberedMax = 4096

  private let validator: TokenValidator
  private let keySetID: String?
  private var remembered: [[UInt8]: Double] = [:]
  /// The second in which newer keys were asked for last.
  private var asked: UInt64 = 0

  init(_ description: GateSnapshot.JWTValidation) {
    keySetID = description.keySetID
    validator = TokenValidator(
      issuer: description.issuer, keySet: description.keySet,
      claims: description.claims.map { claim in
        let format: TokenClaim.Format =
          switch claim.format {
          case .singleString: .singleString
          case .stringArray: .stringArray
          case .spaceSeparated: .spaceSeparated
          }
        return TokenClaim(name: claim.name, format: format, values: claim.values)
      })
  }

  /// nil when the request's token is good.
  /// - Parameters:
  ///   - now: seconds since 1970.
  ///   - askForKeys: called at most once a second when a newer key set may know the token's key.
  func problem(
    _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>, now: UInt64, askForKeys: (String) -> Void
  ) -> TokenProblem? {
    guard let token = Self.token(head, bytes) else { return .notPresent }
    let time = Double(now)
    if let expires = remembered[token], expires > time { return nil }
    let outcome = Result { () throws(TokenProblem) in try validator.validate(token, now: time) }
    switch outcome {
    case .success(let expires):
      if remembered.count >= Self.rememberedMax { remembered = [:] }
      remembered[token] = expires
      return nil
    case .failure(let problem):
      if problem == .badSignature || problem == .noKeys, asked != now, let keySetID, validator.wantsOtherKeys(token) {
        asked = now
        askForKeys(keySetID)
      }
      return problem
    }
  }

  /// The token of `Authorization: Bearer TOKEN`; nil without one.
  private static func token(_ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>) -> [UInt8]? {
    for index in 0..<head.fieldCount {
      let field = head.fields[index]
      guard Token.matches(bytes + Int(field.start), Int(field.nameLength), "authorization") else { continue }
      let value = bytes + Int(field.valueStart)
      let count = Int(field.valueLength)
      guard count > 7, Token.equals(value, "bearer ", 7) else { continue }
      return Array(UnsafeBufferPointer(start: value + 7, count: count - 7))
    }
    return nil
  }
}
