// Decision tables: who may, who may not, and why.

import AWSCore
import Testing

@testable import Policy

@Suite("Policy evaluation")
struct EvaluationTests {
  private let secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf"
  private let key = "arn:aws:kms:us-east-1:111122223333:key/1234"

  private func request(
    _ principal: PolicyPrincipal, _ action: String = "secretsmanager:GetSecretValue", _ resource: String? = nil
  ) -> PolicyRequest { PolicyRequest(principal: principal, action: action, resource: resource ?? secret) }

  /// The decision in few words: `allow`, `deny identity-based policy`, `no session policy`.
  private func outcome(_ set: PolicySet, _ request: PolicyRequest) -> String {
    switch set.decide(request).outcome {
    case .allowed: "allow"
    case .explicitDeny(let deciding): "deny \(deciding.source.rawValue)"
    case .implicitDeny(let source): "no \(source.rawValue)"
    }
  }

  private func aws(_ arn: String) -> String { #"{"AWS":"\#(arn)"}"# }
  private let annARN = "arn:aws:iam::111122223333:user/team/ann"
  private let roleARN = "arn:aws:iam::111122223333:role/app/task"
  private let sessionARN = "arn:aws:sts::111122223333:assumed-role/task/s1"

  @Test("in one account either an identity policy or the resource's is enough")
  func sameAccount() throws {
    let allow = try Make.identity(Make.statement("Allow", "secretsmanager:Get*"))
    #expect(outcome(PolicySet(), request(People.ann)) == "no identity-based policy")
    #expect(outcome(PolicySet(identity: [allow]), request(People.ann)) == "allow")
    for (principal, expected) in [
      (aws(annARN), "allow"), (#""*""#, "allow"), (aws("*"), "allow"), (aws(annARN + "x"), "no identity-based policy"),
      // The account alone leaves it to the account's policies.
      (aws(People.account), "no identity-based policy"),
      (aws("arn:aws:iam::111122223333:root"), "no identity-based policy"),
    ] {
      let set = PolicySet(resource: try Make.resource(Make.statement(principal: principal)))
      #expect(outcome(set, request(People.ann)) == expected, "\(principal)")
    }
  }

  @Test("a session is known by its role's ARN, its own, and the role's id")
  func sessions() throws {
    for name in [roleARN, sessionARN, "AROAEXAMPLETASK00000"] {
      let set = PolicySet(resource: try Make.resource(Make.statement(principal: aws(name))))
      #expect(outcome(set, request(People.session)) == "allow", "\(name)")
    }
    let wrong = try Make.resource(Make.statement(principal: aws("arn:aws:iam::111122223333:role/task")))
    #expect(outcome(PolicySet(resource: wrong), request(People.session)) == "no identity-based policy")
  }

  @Test("across accounts both sides must allow")
  func crossAccount() throws {
    let identity = try Make.identity(Make.statement())
    let named = try Make.resource(Make.statement(principal: aws("arn:aws:iam::444455556666:role/guest")))
    let account = try Make.resource(Make.statement(principal: aws(People.other)))
    let guest = request(People.stranger)
    #expect(outcome(PolicySet(identity: [identity]), guest) == "no resource-based policy")
    #expect(outcome(PolicySet(resource: named), guest) == "no identity-based policy")
    #expect(outcome(PolicySet(identity: [identity], resource: named), guest) == "allow")
    #expect(outcome(PolicySet(identity: [identity], resource: account), guest) == "allow")
    let root = request(.root(account: People.other))
    #expect(outcome(PolicySet(), root) == "no resource-based policy")
    #expect(outcome(PolicySet(resource: account), root) == "allow")
  }

  @Test("an explicit deny anywhere wins")
  func explicitDeny() throws {
    let allow = try Make.identity(Make.statement())
    let deny = try Make.identity(Make.statement("Deny", "secretsmanager:*", sid: "Never"))
    let resource = try Make.resource(Make.statement("Deny", principal: aws(People.account)))
    let ann = request(People.ann)
    #expect(outcome(PolicySet(identity: [allow, deny]), ann) == "deny identity-based policy")
    #expect(outcome(PolicySet(identity: [allow], boundary: deny), ann) == "deny permissions boundary")
    #expect(outcome(PolicySet(identity: [allow], session: [deny]), ann) == "deny session policy")
    #expect(outcome(PolicySet(identity: [allow], resource: resource), ann) == "deny resource-based policy")
    #expect(outcome(PolicySet(resource: resource), request(People.root)) == "deny resource-based policy")
    let decision = PolicySet(identity: [allow, deny]).decide(ann)
    #expect(decision.outcome == .explicitDeny(.init(source: .identity, policy: nil, sid: "Never", index: 0)))
  }

  @Test("boundaries and session policies limit, but not what names the user or session itself")
  func limits() throws {
    let all = try Make.identity(Make.statement())
    let none = try Make.identity(Make.statement("Allow", "s3:*"))
    let (ann, session) = (request(People.ann), request(People.session))
    #expect(outcome(PolicySet(identity: [all], boundary: none), ann) == "no permissions boundary")
    #expect(outcome(PolicySet(identity: [all], boundary: all), ann) == "allow")
    #expect(outcome(PolicySet(identity: [none], boundary: all), ann) == "no identity-based policy")
    #expect(outcome(PolicySet(identity: [all], session: [none]), session) == "no session policy")
    #expect(outcome(PolicySet(identity: [all], session: [all, none]), session) == "no session policy")
    #expect(outcome(PolicySet(identity: [all], session: [all]), session) == "allow")
    let byUser = try Make.resource(Make.statement(principal: aws(annARN)))
    let byRole = try Make.resource(Make.statement(principal: aws(roleARN)))
    let bySession = try Make.resource(Make.statement(principal: aws(sessionARN)))
    #expect(outcome(PolicySet(boundary: none, resource: byUser), ann) == "allow")
    #expect(outcome(PolicySet(boundary: none, resource: byRole), session) == "no permissions boundary")
    #expect(outcome(PolicySet(session: [none], resource: byRole), session) == "no session policy")
    #expect(outcome(PolicySet(boundary: none, session: [none], resource: bySession), session) == "allow")
  }

  @Test("a key's policy must take part, and lets identity policies count only by naming the account")
  func keys() throws {
    let identity = try Make.identity(Make.statement("Allow", "kms:Decrypt"))
    let delegating = try Make.resource(
      Make.statement("Allow", "kms:*", principal: aws("arn:aws:iam::111122223333:root")))
    let direct = try Make.resource(Make.statement("Allow", "kms:Decrypt", principal: aws(roleARN)))
    func decide(_ p: PolicyPrincipal, _ identity: [PolicySet.Named], _ policy: PolicySet.Named?) -> String {
      outcome(
        PolicySet(identity: identity, resource: policy, resourceRule: .required), request(p, "kms:Decrypt", key))
    }
    #expect(decide(People.session, [identity], nil) == "no resource-based policy")
    #expect(decide(People.session, [identity], delegating) == "allow")
    #expect(decide(People.session, [], delegating) == "no identity-based policy")
    #expect(decide(People.session, [], direct) == "allow")
    #expect(decide(People.ann, [identity], direct) == "no resource-based policy")
    #expect(decide(People.root, [], delegating) == "allow")
    #expect(decide(People.root, [], direct) == "no resource-based policy")
  }

  @Test("a trust policy lets in whom it names: services, users, roles, accounts, identity providers")
  func trust() throws {
    func decide(_ principal: String, _ who: PolicyPrincipal, _ identity: [PolicySet.Named] = []) throws -> String {
      let policy = try Make.named(
        Make.policy(Make.statement("Allow", "sts:AssumeRole", nil, principal: principal)), .trust)
      let set = PolicySet(identity: identity, resource: policy, resourceRule: .required)
      return outcome(set, request(who, "sts:AssumeRole", roleARN))
    }
    let ecs = PolicyPrincipal.service("ecs-tasks.amazonaws.com")
    #expect(try decide(#"{"Service":"ecs-tasks.amazonaws.com"}"#, ecs) == "allow")
    #expect(try decide(#"{"Service":["ec2.amazonaws.com"]}"#, ecs) == "no resource-based policy")
    #expect(try decide(aws(annARN), People.ann) == "allow")
    #expect(try decide(aws(People.account), People.ann) == "no identity-based policy")
    let identity = try Make.identity(Make.statement("Allow", "sts:AssumeRole"))
    #expect(try decide(aws(People.account), People.ann, [identity]) == "allow")
    #expect(try decide(aws(People.other), People.ann, [identity]) == "no resource-based policy")
    let provider = "arn:aws:iam::111122223333:oidc-provider/id.example"
    #expect(try decide(#"{"Federated":"\#(provider)"}"#, .webIdentity(provider: provider)) == "allow")
    #expect(try decide(#"{"AWS":"*"}"#, .anonymous) == "allow")
  }

  @Test("the reasons are told in AWS's words")
  func reasons() throws {
    let set = PolicySet(identity: [try Make.identity(Make.statement("Allow", "s3:*"))])
    let request = request(People.session, "kms:Decrypt", key)
    let error = set.decide(request).accessDenied(request)
    #expect(
      error.message
        == "User: arn:aws:sts::111122223333:assumed-role/task/s1 is not authorized to perform: kms:Decrypt on "
        + "resource: arn:aws:kms:us-east-1:111122223333:key/1234 because no identity-based policy "
        + "allows the kms:Decrypt action")
    #expect(error.status == 403 && error.code == "AccessDenied")
    let deny = PolicySet(resource: try Make.resource(Make.statement("Deny", principal: #""*""#)))
    #expect(
      deny.decide(request).accessDenied(request).message.hasSuffix(
        "key/1234 with an explicit deny in a resource-based policy"))
  }

  @Test("NotAction, NotResource and NotPrincipal turn their lists round")
  func negations() throws {
    func identity(_ body: String) throws -> PolicySet {
      PolicySet(identity: [try Make.named(#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",\#(body)}}"#)])
    }
    let ann = request(People.ann)
    #expect(outcome(try identity(#""NotAction":"iam:*","Resource":"*""#), ann) == "allow")
    #expect(outcome(try identity(#""NotAction":["secretsmanager:get*"],"Resource":"*""#), ann) != "allow")
    #expect(outcome(try identity(#""Action":"*","NotResource":"arn:aws:s3:::*""#), ann) == "allow")
    #expect(outcome(try identity(#""Action":"*","NotResource":"\#(secret)""#), ann) != "allow")
    let text = #"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"\#(annARN)"},"Action":"*","Resource":"*"}}"#
    let all = try Make.identity(Make.statement())
    let set = PolicySet(identity: [all], resource: try Make.named(text, .resource))
    #expect(outcome(set, ann) == "allow")
    #expect(outcome(set, request(People.session)) == "deny resource-based policy")
  }

  @Test(
    "actions match in any case, with wildcards",
    arguments: [
      ("kms:Decrypt", true), ("KMS:decrypt", true), ("kms:*", true), ("*", true), ("kms:De?rypt", true),
      ("*:Decrypt", true), ("kms:Decryp", false), ("kms:Decrypt?", false), ("kms:*Encrypt", false), ("s3:*", false),
    ])
  func actions(_ pattern: String, _ expected: Bool) throws {
    guard pattern != "*:Decrypt" else {
      // A vendor cannot be a wildcard.
      #expect(throws: MalformedPolicy.self) { try Make.identity(Make.statement("Allow", pattern)) }
      return
    }
    let set = PolicySet(identity: [try Make.identity(Make.statement("Allow", pattern))])
    #expect(set.decide(request(People.ann, "kms:Decrypt", key)).isAllowed == expected)
  }

  @Test(
    "resources match part by part of the ARN",
    arguments: [
      ("*", true), ("arn:aws:s3:::b/k/1", true), ("arn:aws:s3:::b/*", true), ("arn:aws:s3:::b*", true),
      ("arn:*:s3:::b/?/1", true), ("arn:aws:s3:*:*:b/k/1", true), ("arn:aws:s3:::*1", true), ("arn:aws:s3*", true),
      ("arn:aws:s3:::B/*", false), ("arn:aws:s3:::b", false), ("arn:aws:*b/k/1", false), ("arn:aws:s3:x::b/*", false),
      ("arn:aws:s3:::b/??/1", false),
    ])
  func resources(_ pattern: String, _ expected: Bool) throws {
    let set = PolicySet(identity: [try Make.identity(Make.statement("Allow", "s3:*", pattern))])
    let decision = set.decide(request(People.ann, "s3:GetObject", "arn:aws:s3:::b/k/1"))
    // `arn:aws:*b/k/1` is an ARN of three parts, the rest being open, so its service is what fails.
    #expect(decision.isAllowed == expected)
  }

  @Test("an operation without a resource needs a star")
  func star() throws {
    let list = request(People.ann, "kms:ListKeys", "*")
    #expect(PolicySet(identity: [try Make.identity(Make.statement("Allow", "kms:*"))]).decide(list).isAllowed)
    let narrow = try Make.identity(Make.statement("Allow", "kms:*", "arn:aws:kms:*:*:*"))
    #expect(!PolicySet(identity: [narrow]).decide(list).isAllowed)
  }

  @Test("policy variables stand for the request's values, never for wildcards")
  func variables() throws {
    func may(_ resource: String, _ key: String, _ who: PolicyPrincipal = People.ann, version: String = "2012-10-17")
      throws -> Bool
    {
      let policy = Make.policy(
        Make.statement("Allow", "s3:*", resource, principal: aws("*")), version: version)
      let set = PolicySet(resource: try Make.named(policy, .resource))
      return set.decide(request(who, "s3:GetObject", "arn:aws:s3:::b/\(key)")).isAllowed
    }
    #expect(try may("arn:aws:s3:::b/${aws:username}/*", "ann/x"))
    #expect(try !may("arn:aws:s3:::b/${aws:username}/*", "bob/x"))
    #expect(try may("arn:aws:s3:::b/${aws:PrincipalTag/team}/*", "blue/x"))
    #expect(try !may("arn:aws:s3:::b/${aws:username}/*", "ann/x", People.session))
    #expect(try may("arn:aws:s3:::b/${aws:username, 'none'}/*", "none/x", People.session))
    #expect(try may("arn:aws:s3:::b/${*}", "*"))
    #expect(try !may("arn:aws:s3:::b/${*}", "x"))
    #expect(try may("arn:aws:s3:::b/${$}${?}", "$?"))
    #expect(try may("arn:aws:s3:::b/${aws:username}", "${aws:username}", version: "2008-10-17"))
    var wild = People.ann
    wild.name = "*"
    #expect(try !may("arn:aws:s3:::b/${aws:username}/x", "bob/x", wild))
  }

  @Test("many stars do not make matching slow")
  func backtracking() throws {
    let pattern = "arn:aws:s3:::" + String(repeating: "a*", count: 40) + "b"
    let set = PolicySet(identity: [try Make.identity(Make.statement("Allow", "s3:*", pattern))])
    let key = "arn:aws:s3:::" + String(repeating: "a", count: 1000)
    #expect(!set.decide(request(People.ann, "s3:GetObject", key)).isAllowed)
  }
}
