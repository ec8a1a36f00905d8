// What Shield says of attacks and of the automatic responses to them, for the rules that come from it.

import AWSCore
import AWSWire
import Logging
import ServiceKit
import ShieldModel

extension WAFv2Service {
  /// How Shield answers attacks, by the ARNs of the web ACLs that have one of its groups; what was known last when it
  /// cannot be asked.
  func responses(_ desired: DesiredWebACLs) async -> [String: ShieldResponse] {
    do {
      var found: [String: ShieldResponse] = [:]
      let acls = desired.acls.filter { !ShieldGroups.groups(Self.answer($0).rules ?? []).isEmpty }
      for account in Set(acls.compactMap { ARN($0.arn)?.account }).sorted() {
        let call = environment.call(as: Self.servicePrincipal, account: account)
        let actions = try await automaticResponses(call)
        for acl in acls where ARN(acl.arn)?.account == account {
          let resources = desired.associations.filter { $0.webACL == acl.arn && actions[$0.resource] != nil }
            .map(\.resource).sorted()
          // One group serves all of them: nobody's requests are refused because somebody else said so.
          let blocks = !resources.isEmpty && resources.allSatisfy { actions[$0] == true }
          found[acl.arn] = ShieldResponse(blocks: blocks, attacks: try await running(resources, call))
        }
      }
      addresses.responses = found
    } catch {
      environment.logger.error("automatic responses could not be listed", metadata: ["error": "\(error)"])
    }
    return addresses.responses
  }

  /// The protected resources with an automatic response, and whether it blocks.
  private func automaticResponses(_ call: CallContext) async throws -> [String: Bool] {
    var actions: [String: Bool] = [:]
    var token: String?
    repeat {
      let next = token
      let page = try await call.invoke(Shield.listProtections, .make { $0.nextToken = next })
      for protection in page.protections ?? [] {
        guard let config = protection.applicationLayerAutomaticResponseConfiguration, config.status == "ENABLED",
          let resource = protection.resourceArn
        else { continue }
        actions[resource] = config.action?.block != nil
      }
      token = page.nextToken
    } while token != nil
    return actions
  }

  /// The attacks on some resources that go on. One that began long ago and has no end was forgotten rather than won.
  private func running(_ resources: [String], _ call: CallContext) async throws -> [ShieldResponse.Attack] {
    if resources.isEmpty { return [] }
    let oldest = call.now.adding(seconds: -Double(WAFLimits.attackerMemorySeconds))
    let recent = try await attacks(call) {
      $0.resourceArns = resources
      $0.startTime = .make { $0.fromInclusive = oldest }
    }
    var found: [ShieldResponse.Attack] = []
    for attack in recent where attack.endTime == nil {
      guard let id = attack.attackId else { continue }
      found.append(ShieldResponse.Attack(id: id, sources: try await sources(of: id, call).sorted()))
    }
    return found.sorted { $0.id < $1.id }
  }

  /// All attacks that Shield finds.
  func attacks(
    _ call: CallContext, _ question: (inout Shield.ListAttacksRequest) -> Void
  ) async throws -> [Shield.AttackSummary] {
    var request = Shield.ListAttacksRequest.make(question)
    var found: [Shield.AttackSummary] = []
    repeat {
      let page = try await call.invoke(Shield.listAttacks, request)
      found += page.attackSummaries ?? []
      request.nextToken = page.nextToken
    } while request.nextToken != nil
    return found
  }

  /// The heaviest sources of an attack.
  func sources(of attack: String, _ call: CallContext) async throws -> [String] {
    let told = try await call.invoke(Shield.describeAttack, .make { $0.attackId = attack })
    let properties = (told.attack?.attackProperties ?? []).filter {
      $0.attackPropertyIdentifier == "SOURCE_IP_ADDRESS"
    }
    return properties.flatMap { $0.topContributors ?? [] }.compactMap(\.name)
  }
}
