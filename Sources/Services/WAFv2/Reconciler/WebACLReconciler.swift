// Keeps the Gate's web ACLs at what the store says, and takes in what the Gate tells of the requests that it judged.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import Logging
import ServiceKit
import Store
import WAFv2Model
import WebACL

extension WAFv2Service {
  /// The name of WAF's part at the controller.
  static let partName = "wafv2"
  /// ELBv2's records of load balancers: their attributes tell who fails open.
  private static let loadBalancers = "elbv2.load-balancer"
  /// Shield's records of attacks, and of protections with their automatic responses.
  private static let attacks: Set<String> = ["shield.attack", "shield.protection"]

  /// Applies at the start and whenever the store or the Gate has news, until the task is cancelled.
  public func run() async throws {
    let own: Set<String> = [
      WebACLRecord.collection, RuleGroupRecord.collection, IPSetRecord.collection, PatternSetRecord.collection,
      AssociationRecord.collection, LoggingRecord.collection, Self.loadBalancers,
    ]
    let changes = store.changes(in: own)
    let attacks = store.changes(in: Self.attacks)
    let events = await gate.events()
    await apply()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in changes { await self.apply() } }
      group.addTask { for await _ in attacks where self.addresses.usesAttackers { await self.apply() } }
      group.addTask { for await event in events { await self.take(event) } }
      await group.next()
      group.cancelAll()
    }
  }

  /// Brings the Gate to the store's state; a Gate that is away is told when it comes back.
  func apply() async {
    do {
      _ = try await gate.set(try await part(), for: Self.partName)
    } catch GateError.disconnected {
      environment.logger.debug("the gate is away; web ACLs are applied when it comes back")
    } catch {
      environment.logger.error("web ACLs could not be applied", metadata: ["error": "\(error)"])
    }
  }

  func part() async throws -> GateController.Part {
    var desired = try await store.read { try DesiredWebACLs($0) }
    desired.failOpen = await failOpen(desired.associations.map(\.resource))
    desired.addressSources = addressFiles()
    if desired.hasShieldGroups { desired.responses = await responses(desired) }
    var part = desired.gatePart()
    let usesAttackers = part.webACLs.contains { acl in
      acl.ruleGroups.contains { $0.id == ManagedRules.reputation.content.id || ShieldGroups.isGroup($0.id) }
    }
    addresses.note(desired.addressSources, usesAttackers: usesAttackers, at: environment.clock.now)
    if usesAttackers {
      part.addressSources?.attackers = await attackers(Set(desired.acls.compactMap { ARN($0.arn)?.account }))
    }
    return part
  }

  private func failOpen(_ resources: [String]) async -> Set<String> {
    var open: Set<String> = []
    for arn in resources {
      guard let parsed = ARN(arn) else { continue }
      let call = environment.call(as: Self.servicePrincipal, account: parsed.account, region: parsed.region)
      // A load balancer that is gone has no attributes, and no requests either.
      let attributes = try? await call.invoke(ELBv2.describeLoadBalancerAttributes, .make { $0.loadBalancerArn = arn })
      let isOpen = attributes?.attributes?.contains { $0.key == "waf.fail_open.enabled" && $0.value == "true" }
      if isOpen ?? false { open.insert(arn) }
    }
    return open
  }

  private func take(_ event: GateEvent) async {
    switch event {
    case .webACL(let records):
      feed.add(records.samples)
      deliver(records)
    case .statistics(let statistics):
      if addresses.areOld(addressFiles(), at: environment.clock.now) { await apply() }
      await publish(statistics)
      await flushLines()
    case .applied: await apply()
    default: break
    }
  }
}
