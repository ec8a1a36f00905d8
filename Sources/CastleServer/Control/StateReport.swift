// Puts the state together by the services' own operations, called as the owner: what the dashboard shows is what
// anybody would see through the APIs.

import AWSCore
import CloudFormationModel
import FoundationEssentials
import GateProtocol
import KMSModel
import S3Model
import SecretsManagerModel
import ServiceKit
import ShieldModel
import WAFv2Model

/// Looks at the castle. Keeps what takes two looks (rates) or never changes (task definitions).
actor StateReporter {
  let castle: Castle
  private var meter = TrafficMeter()
  /// By ARN; a task definition never changes once it is registered.
  var definitions: [String: Definition] = [:]
  private static let definitionsMax = 500
  private static let oldestMilliseconds: Int64 = 15_000

  init(_ castle: Castle) { self.castle = castle }

  /// What the report needs to know of a task definition.
  struct Definition: Sendable {
    /// `family:revision`.
    var name: String
    /// The values of the environment, and where its secrets come from.
    var values: [String]
    var logGroups: [String]
  }

  /// The state now.
  func report() async -> CastleState {
    let call = castle.ownerCall()
    var look = Look(call: call, now: call.now.milliseconds)
    let isGateThere = await lookAtGate(&look)
    look.labels = await section("stacks", &look) { try await labels(call) } ?? [:]
    var state = CastleState(
      time: look.now,
      castle: .init(
        endpoint: castle.environment.endpoint, region: call.region, account: call.account,
        admission: castle.configuration.admission.rawValue, ready: castle.ready, gate: isGateThere))
    state.stacks = await section("stacks", &look) { try await stacks(call) }
    state.frontDoor = await section("front door", &look) { try await frontDoor(call) }
    let traffic = look.traffic
    let balancers = await section("load balancers", &look) { try await loadBalancers(call, traffic) }
    state.loadBalancers = balancers?.loadBalancers
    look.targets = balancers?.targets ?? [:]
    let seen = look
    state.databases = await section("databases", &look) { try await databases(seen) }
    state.caches = await section("caches", &look) { try await caches(seen) }
    state.buckets = await section("buckets", &look) { try await buckets(seen) }
    state.secrets = await section("secrets", &look) { try await secrets(seen) }
    state.keys = await section("keys", &look) { try await keys(seen) }
    let names = Names(state)
    state.services = await section("services", &look) { try await services(seen, names) }
    state.errors = look.problems
    state.connect()
    state.list()
    return state
  }

  /// What one report knows on its way.
  struct Look: Sendable {
    let call: CallContext
    let now: Int64
    var traffic: Traffic?
    /// Where the Gate's endpoints are bound: id → address.
    var endpoints: [String: String] = [:]
    /// The name that a stack's template gives a resource, by physical id.
    var labels: [String: String] = [:]
    /// Target health by target group ARN and address.
    var targets: [String: Target] = [:]
    var problems: [CastleState.Problem] = []

    struct Target: Sendable {
      var state: String
      var reason: String?
      var port: Int
    }

    func label(_ id: String) -> String { labels[id] ?? id }
    func wasLately(_ time: Timestamp?) -> Bool {
      time.map { now - $0.milliseconds < StateReporter.oldestMilliseconds } ?? false
    }
  }

  /// A part of the state. What is not built is left out; what fails is told.
  func section<T>(_ name: String, _ look: inout Look, _ body: () async throws -> T) async -> T? {
    do {
      return try await body()
    } catch let error as AWSError where error.status == 501 {
      return nil
    } catch {
      let message = (error as? AWSError)?.message ?? "\(error)"
      let problem = CastleState.Problem(section: name, message: message)
      if !look.problems.contains(problem) { look.problems.append(problem) }
      return nil
    }
  }

  private func lookAtGate(_ look: inout Look) async -> Bool {
    do {
      meter.add(try await castle.gate.statistics())
      look.traffic = meter.traffic
      for binding in await castle.gate.currentStatus?.endpoints ?? [] {
        look.endpoints[binding.id] = binding.address
      }
      return true
    } catch {
      if castle.ready { look.problems.append(.init(section: "gate", message: "The Gate does not answer: \(error)")) }
      return false
    }
  }

  func remember(_ definition: Definition, as arn: String) {
    if definitions.count >= Self.definitionsMax { definitions = [:] }
    definitions[arn] = definition
  }

  // MARK: - Sections

  private func stacks(_ call: CallContext) async throws -> [CastleState.Stack] {
    let pages = try await Pages.all { token in
      try await call.invoke(CloudFormation.describeStacks, .make { $0.nextToken = token })
    } next: {
      $0.nextToken
    }
    return pages.flatMap { $0.stacks ?? [] }.map { stack in
      CastleState.Stack(
        name: stack.stackName ?? "", status: stack.stackStatus ?? "", reason: stack.stackStatusReason,
        health: CastleState.health(stack.stackStatus))
    }
  }

  /// Physical id → logical id, over all stacks.
  private func labels(_ call: CallContext) async throws -> [String: String] {
    var labels: [String: String] = [:]
    for stack in try await stacks(call) {
      let pages = try await Pages.all { token in
        try await call.invoke(
          CloudFormation.listStackResources,
          .make {
            $0.stackName = stack.name
            $0.nextToken = token
          })
      } next: {
        $0.nextToken
      }
      for resource in pages.flatMap({ $0.stackResourceSummaries ?? [] }) {
        guard let id = resource.physicalResourceId, let label = resource.logicalResourceId else { continue }
        labels[id] = label
      }
    }
    return labels
  }

  private func frontDoor(_ call: CallContext) async throws -> CastleState.FrontDoor {
    let summaries = try await call.invoke(WAFv2.listWebACLs, .make { $0.scope = "REGIONAL" }).webACLs ?? []
    var acls: [CastleState.WebACL] = []
    for summary in summaries {
      let acl = try await call.invoke(
        WAFv2.getWebACL,
        .make {
          $0.name = summary.name
          $0.id = summary.id
          $0.scope = "REGIONAL"
        }
      ).webACL
      let protects =
        try await call.invoke(
          WAFv2.listResourcesForWebACL,
          .make {
            $0.webACLArn = summary.arn ?? ""
            $0.resourceType = "APPLICATION_LOAD_BALANCER"
          }
        ).resourceArns ?? []
      let rules = (acl?.rules ?? []).map { rule in
        guard let rate = rule.statement.rateBasedStatement?.value else { return rule.name }
        return "\(rule.name): at most \(rate.limit) in \(rate.evaluationWindowSec ?? 300) s"
      }
      acls.append(.init(name: summary.name ?? "", rules: rules, protects: protects))
    }
    var shield: String?
    do {
      shield = try await call.invoke(Shield.getSubscriptionState, .init()).subscriptionState
    } catch let error as AWSError where error.status == 501 {
      // Shield is not built; the rest of the front door is.
    }
    return CastleState.FrontDoor(health: .healthy, webACLs: acls, shield: shield)
  }

  private func buckets(_ look: Look) async throws -> [CastleState.Holding] {
    let pages = try await Pages.all { token in
      try await look.call.invoke(S3.listBuckets, .make { $0.continuationToken = token })
    } next: {
      $0.continuationToken
    }
    return pages.flatMap { $0.buckets ?? [] }.map { bucket in
      let name = bucket.name ?? ""
      return CastleState.Holding(
        name: name, label: look.label(name), arn: "arn:aws:s3:::\(name)", health: .healthy,
        detail: bucket.bucketRegion ?? look.call.region)
    }
  }

  private func secrets(_ look: Look) async throws -> [CastleState.Holding] {
    let pages = try await Pages.all { token in
      try await look.call.invoke(SecretsManager.listSecrets, .make { $0.nextToken = token })
    } next: {
      $0.nextToken
    }
    return pages.flatMap { $0.secretList ?? [] }.map { secret in
      let name = secret.name ?? ""
      return CastleState.Holding(
        name: name, label: look.labels[secret.arn ?? ""] ?? name, arn: secret.arn,
        health: secret.deletedDate == nil ? .healthy : .stopping, detail: secret.description ?? "")
    }
  }

  private func keys(_ look: Look) async throws -> [CastleState.Holding] {
    let pages = try await Pages.all { token in
      try await look.call.invoke(KMS.listAliases, .make { $0.marker = token })
    } next: {
      $0.nextMarker
    }
    var keys: [CastleState.Holding] = []
    for alias in pages.flatMap({ $0.aliases ?? [] }) {
      guard let key = alias.targetKeyId, let name = alias.aliasName else { continue }
      let metadata = try await look.call.invoke(KMS.describeKey, .make { $0.keyId = key }).keyMetadata
      keys.append(
        CastleState.Holding(
          name: String(name.dropFirst("alias/".count)), label: String(name.dropFirst("alias/".count)),
          arn: metadata?.arn, health: CastleState.health(metadata?.keyState), detail: metadata?.description ?? ""))
    }
    return keys
  }
}

/// Reads lists to their end.
enum Pages {
  /// More pages than any castle has: an answer that repeats its token must not hold the dashboard for ever.
  private static let pagesMax = 100

  static func all<Page>(
    _ fetch: (_ token: String?) async throws -> Page, next: (Page) -> String?
  ) async throws -> [Page] {
    var pages: [Page] = []
    var token: String?
    repeat {
      let page = try await fetch(token)
      pages.append(page)
      token = next(page).flatMap { $0.isEmpty ? nil : $0 }
    } while token != nil && pages.count < pagesMax
    return pages
  }
}
