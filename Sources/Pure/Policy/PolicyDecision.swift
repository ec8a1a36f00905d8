// The answer, with its reason in AWS's words.

import AWSCore

/// Whether a request is allowed, and why.
public struct PolicyDecision: Sendable, Hashable {
  /// The kinds of policies, as AWS's messages name them.
  public enum Source: String, Sendable, Hashable {
    case identity = "identity-based policy"
    case resource = "resource-based policy"
    case boundary = "permissions boundary"
    case session = "session policy"
  }

  /// The statement that decided.
  public struct Deciding: Sendable, Hashable {
    public var source: Source
    /// The policy's name or ARN, where it has one.
    public var policy: String?
    public var sid: String?
    /// The statement's position in its policy, from 0.
    public var index: Int
  }

  public enum Outcome: Sendable, Hashable {
    /// Allowed; by nothing in particular when the account's root asks.
    case allowed(by: Deciding?)
    case explicitDeny(Deciding)
    /// No policy of this kind allows it.
    case implicitDeny(missing: Source)
  }

  public var outcome: Outcome

  public var isAllowed: Bool {
    if case .allowed = outcome { return true }
    return false
  }

  /// Whether a statement says no; a grant (KMS) cannot help then.
  public var isExplicitDeny: Bool {
    if case .explicitDeny = outcome { return true }
    return false
  }

  /// The end of AWS's message: `because no identity-based policy allows the kms:Decrypt action`, or `with an explicit
  /// deny in a resource-based policy`. Empty when allowed.
  public func reason(action: String) -> String {
    switch outcome {
    case .allowed: ""
    case .explicitDeny(let deciding):
      "with an explicit deny in \(deciding.source == .identity ? "an" : "a") \(deciding.source.rawValue)"
    case .implicitDeny(let source): "because no \(source.rawValue) allows the \(action) action"
    }
  }

  /// The error for a request that is not allowed: `AccessDenied`, 403. JSON services have another code and status.
  public func accessDenied(_ request: PolicyRequest, code: String = "AccessDenied", status: Int = 403) -> AWSError {
    AWSError(
      code,
      "User: \(request.principal.arn) is not authorized to perform: \(request.action) on resource: \(request.resource) "
        + reason(action: request.action), status: status)
  }
}
