// Actions that come before the last one: sign-in and tokens.

import AWSCore
import AWSWire
import ELBv2Model
import Store

enum CheckRules {
  static let types = ["authenticate-cognito", "authenticate-oidc", "jwt-validation"]

  /// - Parameters:
  ///   - old: the checks of the listener or rule before, whose client secrets `UseExistingClientSecret` keeps.
  /// - Throws: `ValidationError`, `InvalidLoadBalancerAction`, 501 for Cognito, `StoreError`.
  static func read(_ action: ELBv2.Action, old: [CheckRecord], sealer: Sealer) throws -> CheckRecord {
    switch action.type {
    case "authenticate-oidc": .oidc(try oidc(action, old, sealer))
    case "jwt-validation": .jwt(try jwt(action))
    default: throw AWSError.notImplemented("listener actions of type \(action.type) (there are no user pools)")
    }
  }

  private static func oidc(_ action: ELBv2.Action, _ old: [CheckRecord], _ sealer: Sealer) throws -> OIDCRecord {
    guard let config = action.authenticateOidcConfig else {
      throw ELBv2Error.validation("An OIDC configuration must be specified for an authenticate-oidc action")
    }
    for (name, text) in [
      ("Issuer", config.issuer), ("AuthorizationEndpoint", config.authorizationEndpoint),
      ("TokenEndpoint", config.tokenEndpoint), ("UserInfoEndpoint", config.userInfoEndpoint),
    ] where !isEndpoint(text) {
      throw ELBv2Error.validation("\(name) '\(text)' must be a full URL, including the HTTPS protocol and the domain")
    }
    guard !config.clientId.isEmpty else { throw ELBv2Error.validation("A client ID must be specified") }
    try check(config)
    var secret: SealedBytes
    if let text = config.clientSecret, !text.isEmpty {
      guard config.useExistingClientSecret != true else {
        throw ELBv2Error.validation("A client secret cannot be specified together with UseExistingClientSecret")
      }
      secret = try SealedBytes(
        Array(text.utf8), sealer: sealer, context: OIDCRecord.secretContext(config.clientId))
    } else {
      let known = old.compactMap { check -> OIDCRecord? in
        if case .oidc(let record) = check { return record }
        return nil
      }
      guard config.useExistingClientSecret == true, let found = known.first(where: { $0.clientID == config.clientId })
      else { throw ELBv2Error.validation("A client secret must be specified") }
      secret = found.clientSecret
    }
    return OIDCRecord(
      issuer: config.issuer, authorizationEndpoint: config.authorizationEndpoint, tokenEndpoint: config.tokenEndpoint,
      userInfoEndpoint: config.userInfoEndpoint, clientID: config.clientId, clientSecret: secret,
      sessionCookieName: config.sessionCookieName, scope: config.scope, sessionTimeout: config.sessionTimeout,
      extraParameters: config.authenticationRequestExtraParams, onUnauthenticated: config.onUnauthenticatedRequest,
      order: action.order)
  }

  private static func check(_ config: ELBv2.AuthenticateOidcActionConfig) throws {
    if let timeout = config.sessionTimeout, !(1...604_800).contains(timeout) {
      throw ELBv2Error.validation("Session timeout '\(timeout)' must be between '1' and '604800' seconds")
    }
    if let mode = config.onUnauthenticatedRequest, !["deny", "allow", "authenticate"].contains(mode) {
      throw ELBv2Error.validation("OnUnauthenticatedRequest '\(mode)' must be one of 'deny, allow, authenticate'")
    }
    guard (config.authenticationRequestExtraParams ?? [:]).count <= 10 else {
      throw ELBv2Error.validation("At most '10' extra parameters can be specified")
    }
  }

  /// AWS takes HTTPS only. A provider on this machine may go without.
  static func isEndpoint(_ text: String) -> Bool {
    for prefix in ["https://", "http://127.", "http://localhost"] where text.hasPrefix(prefix) {
      return text.utf8.count > prefix.utf8.count && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
    return false
  }

  private static func jwt(_ action: ELBv2.Action) throws -> JWTRecord {
    guard let config = action.jwtValidationConfig else {
      throw ELBv2Error.validation("A JWT validation configuration must be specified for a jwt-validation action")
    }
    guard isEndpoint(config.jwksEndpoint), config.jwksEndpoint.utf8.count <= 256 else {
      throw ELBv2Error.validation(
        "JwksEndpoint '\(config.jwksEndpoint)' must be a full URL of at most 256 characters, including the HTTPS "
          + "protocol and the domain")
    }
    guard !config.issuer.isEmpty, config.issuer.utf8.count <= 256 else {
      throw ELBv2Error.validation("The issuer must have between '1' and '256' characters")
    }
    let claims = config.additionalClaims ?? []
    guard claims.count <= 10 else { throw ELBv2Error.validation("At most '10' additional claims can be specified") }
    for claim in claims {
      guard !["exp", "iss", "nbf", "iat"].contains(claim.name) else {
        throw ELBv2Error.validation("The claim '\(claim.name)' is checked always and cannot be specified")
      }
      guard ["single-string", "string-array", "space-separated-values"].contains(claim.format) else {
        throw ELBv2Error.validation(
          "Claim format '\(claim.format)' must be one of 'single-string, string-array, space-separated-values'")
      }
      guard !claim.values.isEmpty, claim.values.count <= (claim.format == "single-string" ? 1 : 10) else {
        throw ELBv2Error.validation("The claim '\(claim.name)' has too many values, or none")
      }
      for value in claim.values {
        guard (1...256).contains(value.utf8.count), claim.format != "space-separated-values" || !value.contains(" ")
        else { throw ELBv2Error.validation("'\(value)' is not valid as a value of the claim '\(claim.name)'") }
      }
    }
    return JWTRecord(
      issuer: config.issuer, endpoint: config.jwksEndpoint,
      claims: claims.isEmpty ? nil : claims.map { .init(name: $0.name, format: $0.format, values: $0.values) },
      order: action.order)
  }

  /// As the Describe operations tell it: without the client's secret.
  static func answer(_ record: CheckRecord) -> ELBv2.Action {
    .make {
      switch record {
      case .oidc(let oidc):
        $0.type = "authenticate-oidc"
        $0.order = oidc.order
        $0.authenticateOidcConfig = .make {
          $0.issuer = oidc.issuer
          $0.authorizationEndpoint = oidc.authorizationEndpoint
          $0.tokenEndpoint = oidc.tokenEndpoint
          $0.userInfoEndpoint = oidc.userInfoEndpoint
          $0.clientId = oidc.clientID
          $0.sessionCookieName = oidc.sessionCookieName ?? "AWSELBAuthSessionCookie"
          $0.scope = oidc.scope ?? "openid"
          $0.sessionTimeout = oidc.sessionTimeout ?? 604_800
          $0.authenticationRequestExtraParams = oidc.extraParameters
          $0.onUnauthenticatedRequest = oidc.onUnauthenticated ?? "authenticate"
        }
      case .jwt(let jwt):
        $0.type = "jwt-validation"
        $0.order = jwt.order
        $0.jwtValidationConfig = .make {
          $0.issuer = jwt.issuer
          $0.jwksEndpoint = jwt.endpoint
          $0.additionalClaims = jwt.claims?.map { claim in
            .make {
              $0.name = claim.name
              $0.format = claim.format
              $0.values = claim.values
            }
          }
        }
      }
    }
  }
}
