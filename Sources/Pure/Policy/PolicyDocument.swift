// A policy, parsed and compiled.

import AWSCore

/// A policy document of the IAM policy language (IAM User Guide, "IAM JSON policy elements reference"). Immutable; make
/// it once and evaluate it as often as needed.
public struct PolicyDocument: Sendable, Hashable {
  /// Where a policy hangs, which decides the elements it must and must not have.
  public enum Kind: Sendable, Hashable {
    /// On a user, group or role, as a permissions boundary, or for a session: no `Principal`.
    case identity
    /// On a bucket, key or secret: `Principal` and `Resource`.
    case resource
    /// On something that the policy cannot name (ECR repositories): `Principal`, `Resource` optional.
    case resourceImplied
    /// A role's trust policy: `Principal`, no `Resource`.
    case trust
  }

  public enum Effect: String, Sendable, Hashable {
    case allow = "Allow"
    case deny = "Deny"
  }

  /// One statement.
  public struct Statement: Sendable, Hashable {
    public let sid: String?
    public let effect: Effect
    /// Nil when the statement has neither `Principal` nor `NotPrincipal`.
    let principals: [PrincipalPattern]?
    let negatesPrincipals: Bool
    let actions: [Pattern]
    let negatesActions: Bool
    /// Nil when the statement has neither `Resource` nor `NotResource`.
    let resources: [ARNPattern]?
    let negatesResources: Bool
    let conditions: [Condition]
  }

  /// The text it was made from.
  public let text: String
  public let kind: Kind
  /// `2012-10-17` or `2008-10-17` (which has no policy variables).
  public let version: String
  public let id: String?
  public let statements: [Statement]

  /// Parses and compiles a policy.
  /// - Throws: `MalformedPolicy`, whose `awsError` says it in a service's words.
  public init(_ text: String, kind: Kind) throws(MalformedPolicy) {
    let parser = PolicyParser(kind: kind)
    let parsed = try parser.parse(text)
    self.text = text
    self.kind = kind
    version = parsed.version
    id = parsed.id
    statements = parsed.statements
  }

  /// Whether some statement lets everyone in, without a condition that pins down who they are or where they come from
  /// (Amazon S3 User Guide, "The meaning of public").
  public var isPublic: Bool {
    statements.contains { statement in
      statement.effect == .allow
        && (statement.negatesPrincipals || statement.principals?.contains(.everyone) == true)
        && !statement.conditions.contains { $0.narrowsPrincipal }
    }
  }
}

extension Condition {
  private static let narrowing: Set<String> = [
    "aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:sourcearn",
    "aws:sourceaccount", "aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "aws:username",
    "aws:principalservicename", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
  ]

  fileprivate var narrowsPrincipal: Bool {
    guard Self.narrowing.contains(key), !negated, !ifExists, quantifier != .forAll, kind != .null else { return false }
    return !values.contains {
      switch $0 {
      case .pattern(let pattern): pattern.isEverything
      case .range(let range): range.prefix < (range.address.count == 4 ? 8 : 32)
      case .arn(let pattern): pattern == ARNPattern("*", variables: false)
      default: false
      }
    }
  }
}

/// Why a text is not a policy.
public struct MalformedPolicy: Error, Sendable, Hashable {
  /// The services whose words differ.
  public enum Style: Sendable, Hashable { case iam, kms, secretsManager, s3, ecr }

  /// IAM's message.
  public let message: String
  /// The text is not even JSON; then also where, in bytes.
  public let jsonOffset: Int?

  init(_ message: String, jsonOffset: Int? = nil) {
    self.message = message
    self.jsonOffset = jsonOffset
  }

  /// The error to answer with.
  public func awsError(_ style: Style) -> AWSError {
    switch style {
    case .iam: AWSError("MalformedPolicyDocument", message)
    case .kms: AWSError("MalformedPolicyDocumentException", message)
    case .secretsManager:
      AWSError(
        "MalformedPolicyDocumentException",
        jsonOffset == nil ? message : "This resource policy contains a syntax error.")
    case .s3:
      AWSError(
        "MalformedPolicy",
        jsonOffset == nil ? message : "Policies must be valid JSON and the first byte must be '{'")
    case .ecr:
      AWSError(
        "InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: '\(message)'")
    }
  }
}
