// What ACM asks of its neighbours: Route 53 for the records that prove names, Elastic Load Balancing for who uses what.

import AWSCore
import AWSWire
import ELBv2Model
import Route53Model
import ServiceKit

extension ACMService {
  /// The proofs with whether their records are in this account's public zones now.
  func looked(_ proofs: [CertificateRecord.Proof], _ call: CallContext) async throws -> [CertificateRecord.Proof] {
    let dns = call.acting(as: Self.servicePrincipal)
    let zones = try await publicZones(dns)
    var known: [String: Bool] = [:]
    var looked = proofs
    for index in looked.indices {
      let name = Proofs.normal(looked[index].name)
      if known[name] == nil { known[name] = try await isThere(looked[index], zones, dns) }
      looked[index].isProven = known[name]
    }
    return looked
  }

  private func publicZones(_ call: CallContext) async throws -> [(id: String, name: String)] {
    var zones: [(id: String, name: String)] = []
    var marker: String?
    repeat {
      let from = marker
      let page: Route53.ListHostedZonesResponse
      do {
        page = try await call.invoke(Route53.listHostedZones, .make { $0.marker = from })
      } catch let error as AWSError where error.status == 501 {
        return []
      }
      for zone in page.hostedZones ?? [] where zone.config?.privateZone != true {
        zones.append((id: zone.id ?? "", name: Proofs.normal(zone.name ?? "")))
      }
      marker = page.isTruncated == true ? page.nextMarker : nil
    } while marker != nil
    return zones
  }

  /// A name is answered by the zone with the longest name above it.
  private func isThere(
    _ proof: CertificateRecord.Proof, _ zones: [(id: String, name: String)], _ call: CallContext
  ) async throws -> Bool {
    let name = Proofs.normal(proof.name)
    let above = zones.filter { name.hasSuffix(".\($0.name)") }
    guard let longest = above.map(\.name.count).max() else { return false }
    for zone in above where zone.name.count == longest {
      let found = try await call.invoke(
        Route53.listResourceRecordSets,
        .make {
          $0.hostedZoneId = zone.id
          $0.startRecordName = proof.name
          $0.startRecordType = "CNAME"
          $0.maxItems = "1"
        })
      guard let set = found.resourceRecordSets?.first, set.type == "CNAME", Proofs.normal(set.name) == name else {
        continue
      }
      if (set.resourceRecords ?? []).contains(where: { Proofs.normal($0.value) == Proofs.normal(proof.value) }) {
        return true
      }
    }
    return false
  }

  /// Certificate → load balancers that use it, by ARN.
  func users(_ call: CallContext) async throws -> [String: [String]] {
    let elb = call.acting(as: Self.servicePrincipal)
    var users: [String: Set<String>] = [:]
    var marker: String?
    repeat {
      let from = marker
      let page: ELBv2.DescribeLoadBalancersOutput
      do {
        page = try await elb.invoke(ELBv2.describeLoadBalancers, .make { $0.marker = from })
      } catch let error as AWSError where error.status == 501 {
        return [:]
      }
      for balancer in (page.loadBalancers ?? []).compactMap(\.loadBalancerArn) {
        for arn in try await certificates(of: balancer, elb) { users[arn, default: []].insert(balancer) }
      }
      marker = page.nextMarker
    } while marker != nil
    return users.mapValues { $0.sorted() }
  }

  private func certificates(of balancer: String, _ elb: CallContext) async throws -> Set<String> {
    var all: Set<String> = []
    do {
      let listeners = try await elb.invoke(ELBv2.describeListeners, .make { $0.loadBalancerArn = balancer }).listeners
      for listener in listeners ?? [] where !(listener.certificates ?? []).isEmpty {
        let found = try await elb.invoke(
          ELBv2.describeListenerCertificates, .make { $0.listenerArn = listener.listenerArn ?? "" })
        all.formUnion((found.certificates ?? []).compactMap(\.certificateArn))
      }
    } catch let error as AWSError where ["LoadBalancerNotFound", "ListenerNotFound"].contains(error.code) {
      // Gone in the meantime: it uses nothing.
    }
    return all
  }
}
