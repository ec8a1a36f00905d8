// Evaluation: everything that has a say in one request, weighed as AWS does it.

/// The policies that have a say (IAM User Guide, "Policy evaluation logic").
public struct PolicySet: Sendable {
  /// A policy and what it is called.
  public struct Named: Sendable, Hashable {
    public var name: String?
    public var document: PolicyDocument

    public init(_ document: PolicyDocument, name: String? = nil) {
      self.name = name
      self.document = document
    }
  }

  /// How the resource's policy takes part.
  public enum ResourceRule: Sendable, Hashable {
    /// It adds to what identity policies allow (S3, Secrets Manager, ECR).
    case additional
    /// Nothing goes without it: KMS keys and roles' trust policies. Identity policies count only as far as it delegates
    /// to the account.
    case required
  }

  public var identity: [Named]
  public var boundary: Named?
  /// Session policies; each must allow. Empty when the session has none.
  public var session: [Named]
  public var resource: Named?
  public var resourceRule: ResourceRule

  public init(
    identity: [Named] = [], boundary: Named? = nil, session: [Named] = [], resource: Named? = nil,
    resourceRule: ResourceRule = .additional
  ) {
    self.identity = identity
    self.boundary = boundary
    self.session = session
    self.resource = resource
    self.resourceRule = resourceRule
  }

  /// Decides one request.
  public func decide(_ request: PolicyRequest) -> PolicyDecision {
    var tally = Tally()
    for policy in identity { tally.identity.take(policy, .identity, request) }
    if let boundary { tally.boundary.take(boundary, .boundary, request) }
    var sessionAllows = true
    for policy in session {
      var one = Votes()
      one.take(policy, .session, request)
      tally.session.deny = tally.session.deny ?? one.deny
      sessionAllows = sessionAllows && one.allow != nil
    }
    if let resource { tally.resource.take(resource, .resource, request) }
    if let deny = tally.identity.deny ?? tally.boundary.deny ?? tally.session.deny ?? tally.resource.deny {
      return PolicyDecision(outcome: .explicitDeny(deny))
    }
    return PolicyDecision(outcome: weigh(request, tally, sessionAllows: sessionAllows))
  }

  private struct Tally {
    var identity = Votes()
    var boundary = Votes()
    var session = Votes()
    var resource = Votes()
  }

  private func weigh(_ request: PolicyRequest, _ tally: Tally, sessionAllows: Bool) -> PolicyDecision.Outcome {
    let principal = request.principal
    let match = tally.resource.match
    switch principal.kind {
    case .anonymous, .service, .webIdentity:
      // Nobody's account stands behind them: the resource alone decides.
      return match >= .direct ? .allowed(by: tally.resource.allow) : .implicitDeny(missing: .resource)
    case .root, .user, .assumedRole, .federatedUser: break
    }
    let isOwner = principal.kind == .root
    let isSameAccount = principal.account == request.resourceAccount
    let identityAllows = isOwner || tally.identity.allow != nil
    if !isSameAccount || resourceRule == .required {
      guard match > .none else { return .implicitDeny(missing: .resource) }
    }
    let isGrantedByResource = isSameAccount && match >= .direct
    guard identityAllows || isGrantedByResource else { return .implicitDeny(missing: .identity) }
    // A user or session that the resource names itself is not held back by what its boundary does not mention.
    let isNamed = isSameAccount && match == .exact
    if boundary != nil, tally.boundary.allow == nil, !isOwner, !isNamed {
      return .implicitDeny(missing: .boundary)
    }
    if !sessionAllows, !(isNamed && principal.kind == .assumedRole) { return .implicitDeny(missing: .session) }
    return .allowed(by: isGrantedByResource ? tally.resource.allow : tally.identity.allow ?? tally.resource.allow)
  }
}

/// What one kind of policies says of a request.
private struct Votes {
  var allow: PolicyDecision.Deciding?
  var deny: PolicyDecision.Deciding?
  /// How closely the allowing statements of a resource's policy name the principal.
  var match = PrincipalPattern.Match.none

  mutating func take(_ policy: PolicySet.Named, _ source: PolicyDecision.Source, _ request: PolicyRequest) {
    for (index, statement) in policy.document.statements.enumerated() {
      if statement.effect == .allow, allow != nil, source != .resource || match == .exact { continue }
      let match = statement.applies(request)
      guard match > .none else { continue }
      let deciding = PolicyDecision.Deciding(source: source, policy: policy.name, sid: statement.sid, index: index)
      switch statement.effect {
      case .deny:
        deny = deciding
        return
      case .allow:
        if match > self.match {
          self.match = match
          allow = deciding
        }
      }
    }
  }
}

extension PolicyDocument.Statement {
  /// Whether the statement speaks of this request, and how closely it names the principal (`direct` in policies that
  /// name nobody).
  func applies(_ request: PolicyRequest) -> PrincipalPattern.Match {
    guard actions.contains(where: { $0.matches(request.actionBytes) { _ in nil } }) != negatesActions else {
      return .none
    }
    let match = principalMatch(request.principal)
    guard match > .none else { return .none }
    if let resources,
      resources.contains(where: { $0.matches(request.resourceParts, request.variable) }) == negatesResources
    {
      return .none
    }
    for condition in conditions where !condition.holds(request) { return .none }
    return match
  }

  private func principalMatch(_ principal: PolicyPrincipal) -> PrincipalPattern.Match {
    guard let principals else { return .direct }
    var best = PrincipalPattern.Match.none
    for pattern in principals { best = max(best, pattern.match(principal)) }
    return negatesPrincipals ? (best == .none ? .direct : .none) : best
  }
}
