// The automatic response's rule groups: each web ACL of a load balancer whose protection has the response refers to
// one. Shield puts the reference there and takes it away; what the group holds is WAF's to evaluate.
// https://docs.aws.amazon.com/waf/latest/developerguide/ddos-automatic-app-layer-response-rg.html

import AWSCore
import AWSWire
import Logging
import ServiceKit
import ShieldModel
import Store
import WAFv2Model

enum MitigationGroup {
  /// The account that owns the groups, as in AWS.
  static let account = "153427709519"
  static let namePrefix = "ShieldMitigationRuleGroup_"
  /// Behind whatever else is in the web ACL.
  static let priority = 10_000_000
  /// How often a web ACL that others change at the same time is tried again.
  static let attempts = 10
  static let webACLCapacityMax = 5000
  static let stale = "WAFOptimisticLockException"
  static let gone = "WAFNonexistentItemException"

  static func isReference(_ rule: WAFv2.Rule) -> Bool {
    let arn = (rule.statement.ruleGroupReferenceStatement?.arn).flatMap { ARN($0) }
    return arn?.account == account && rule.name.hasPrefix(namePrefix)
  }

  /// The rule that refers to a new group.
  static func reference(_ acl: WAFv2.WebACL, _ rules: [WAFv2.Rule], _ call: CallContext) -> WAFv2.Rule {
    let name = "\(namePrefix)\(call.account)_\(acl.id ?? "")_\(call.ids.uuid())"
    let group = "arn:aws:wafv2:\(call.region):\(account):regional/rulegroup/\(name)/\(call.ids.uuid())"
    let isFree = !rules.contains { $0.priority == priority }
    return .make {
      $0.name = name
      $0.priority = isFree ? priority : (rules.map(\.priority).max() ?? priority) + 1
      $0.statement.ruleGroupReferenceStatement = .make { $0.arn = group }
      $0.overrideAction = .make { $0.none = .init() }
      $0.visibilityConfig = .make {
        $0.sampledRequestsEnabled = true
        $0.cloudWatchMetricsEnabled = true
        $0.metricName = name
      }
    }
  }
}

extension ShieldService {
  /// Keeps groups where they belong when protections and associations of web ACLs change, until the task is cancelled.
  func keepGroups() async {
    let changes = store.changes(in: [ProtectionRecord.collection, "wafv2.association"])
    // Where protections were: a web ACL may have a group though the last one is gone.
    var places: Set<Scope> = []
    func place() async {
      do {
        for (scope, record) in try await store.read({ try $0.list(ProtectionRecord.self) }) {
          guard Self.resourceType(record.resource) == "APPLICATION_LOAD_BALANCER", let arn = ARN(record.resource) else {
            continue
          }
          places.insert(Scope(account: scope.account, region: arn.region))
        }
        for place in places {
          let principal = AttackRecorder.servicePrincipal
          try await placeGroups(environment.call(as: principal, account: place.account, region: place.region))
        }
      } catch {
        environment.logger.error("rule groups of web ACLs could not be placed", metadata: ["error": "\(error)"])
      }
    }
    await place()
    for await _ in changes { await place() }
  }

  /// Brings the web ACLs in a resource's region to what the account's protections say.
  func placeGroups(near resource: String, _ call: CallContext) async throws {
    guard Self.resourceType(resource) == "APPLICATION_LOAD_BALANCER", let arn = ARN(resource) else { return }
    try await placeGroups(call.in(region: arn.region))
  }

  /// Brings the web ACLs of the call's account and region to what the account's protections say.
  private func placeGroups(_ call: CallContext) async throws {
    let call = call.acting(as: AttackRecorder.servicePrincipal)
    let wanted = try await webACLsWithResponse(call)
    var marker: String?
    repeat {
      let next = marker
      let page = try await call.invoke(
        WAFv2.listWebACLs,
        .make {
          $0.scope = "REGIONAL"
          $0.nextMarker = next
        })
      for acl in page.webACLs ?? [] {
        guard let arn = acl.arn else { continue }
        do {
          try await setGroup(of: arn, isWanted: wanted.contains(arn), call)
        } catch let error as AWSError where error.code == "WAFLimitsExceededException" {
          environment.logger.warning("a web ACL has no room for Shield's rule group", metadata: ["webACL": "\(arn)"])
        }
      }
      marker = page.nextMarker
    } while marker != nil
  }

  /// The web ACLs of the region's load balancers whose protections have an automatic response.
  private func webACLsWithResponse(_ call: CallContext) async throws -> Set<String> {
    let protections = try await store.read { try $0.list(ProtectionRecord.self, call.globalScope) }
    var found: Set<String> = []
    for record in protections where record.automaticResponse != nil {
      guard Self.resourceType(record.resource) == "APPLICATION_LOAD_BALANCER",
        ARN(record.resource)?.region == call.region
      else { continue }
      let acl = try await call.invoke(WAFv2.getWebACLForResource, .make { $0.resourceArn = record.resource }).webACL
      if let arn = acl?.arn { found.insert(arn) }
    }
    return found
  }

  /// Puts a group into a web ACL, or takes it out. A web ACL that is gone has none.
  /// - Throws: `WAFLimitsExceededException` when it has no room.
  func setGroup(of arn: String, isWanted: Bool, _ call: CallContext) async throws {
    let call = call.acting(as: AttackRecorder.servicePrincipal)
    for attempt in 1...MitigationGroup.attempts {
      do {
        let found = try await call.invoke(WAFv2.getWebACL, .make { $0.arn = arn })
        guard let acl = found.webACL else { return }
        var rules = acl.rules ?? []
        if rules.contains(where: MitigationGroup.isReference) == isWanted { return }
        if isWanted {
          rules.append(MitigationGroup.reference(acl, rules, call))
        } else {
          rules.removeAll(where: MitigationGroup.isReference)
        }
        _ = try await call.invoke(WAFv2.updateWebACL, Self.update(acl, rules, found.lockToken))
        return
      } catch let error as AWSError where error.code == MitigationGroup.gone {
        return
      } catch let error as AWSError where error.code == MitigationGroup.stale && attempt < MitigationGroup.attempts {
        // Somebody changed it between reading and writing.
        continue
      }
    }
  }

  /// The web ACL as it is, with other rules.
  private static func update(
    _ acl: WAFv2.WebACL, _ rules: [WAFv2.Rule], _ token: String?
  ) -> WAFv2.UpdateWebACLRequest {
    .make {
      $0.name = acl.name ?? ""
      $0.id = acl.id ?? ""
      $0.scope = "REGIONAL"
      $0.lockToken = token ?? ""
      $0.description = acl.description
      $0.defaultAction = acl.defaultAction ?? .init()
      $0.rules = rules
      $0.visibilityConfig = acl.visibilityConfig ?? .init()
      $0.captchaConfig = acl.captchaConfig
      $0.challengeConfig = acl.challengeConfig
      $0.customResponseBodies = acl.customResponseBodies
      $0.tokenDomains = acl.tokenDomains
      $0.associationConfig = acl.associationConfig
      $0.dataProtectionConfig = acl.dataProtectionConfig
      $0.onSourceDDoSProtectionConfig = acl.onSourceDDoSProtectionConfig
      $0.applicationConfig = acl.applicationConfig
    }
  }
}
