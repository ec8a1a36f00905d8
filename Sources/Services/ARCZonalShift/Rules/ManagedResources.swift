// Which load balancers can be shifted: those of the account whose attribute zonal_shift.config.enabled is true.

import AWSCore
import AWSWire
import EC2Model
import ELBv2Model
import ServiceKit

/// A load balancer that can be shifted.
struct ManagedResource: Sendable {
  struct Zone: Sendable {
    /// `use1-az1`.
    var id: String
    /// `us-east-1a`.
    var name: String
  }
  var arn: String
  var name: String
  var zones: [Zone]
}

/// Asks Elastic Load Balancing and EC2, for one account and region.
struct ManagedResources: Sendable {
  let call: CallContext

  /// - Parameter call: by the service itself.
  init(_ call: CallContext) { self.call = call }

  static func isLoadBalancer(_ arn: String) -> Bool {
    arn.contains(":loadbalancer/app/") || arn.contains(":loadbalancer/net/")
  }

  /// Whether a load balancer is there, and can be shifted.
  func isManaged(_ arn: String) async throws -> Bool {
    do {
      let told = try await call.invoke(ELBv2.describeLoadBalancerAttributes, .make { $0.loadBalancerArn = arn })
      return told.attributes?.contains { $0.key == "zonal_shift.config.enabled" && $0.value == "true" } ?? false
    } catch let error as AWSError where error.code == "LoadBalancerNotFound" {
      return false
    }
  }

  /// nil for what is not there, or cannot be shifted.
  func resource(_ arn: String) async throws -> ManagedResource? {
    guard Self.isLoadBalancer(arn), try await isManaged(arn) else { return nil }
    let found = try await call.invoke(ELBv2.describeLoadBalancers, .make { $0.loadBalancerArns = [arn] })
    let ids = try await zoneIDs()
    return found.loadBalancers?.first.map { Self.resource($0, ids) }
  }

  /// All of them, by their ARNs.
  func all() async throws -> [ManagedResource] {
    let ids = try await zoneIDs()
    var found: [ManagedResource] = []
    var marker: String?
    repeat {
      let from = marker
      let page = try await call.invoke(ELBv2.describeLoadBalancers, .make { $0.marker = from })
      for balancer in page.loadBalancers ?? [] {
        guard let arn = balancer.loadBalancerArn, try await isManaged(arn) else { continue }
        found.append(Self.resource(balancer, ids))
      }
      marker = page.nextMarker
    } while marker != nil
    return found.ordered(by: \.arn)
  }

  private static func resource(_ balancer: ELBv2.LoadBalancer, _ ids: [String: String]) -> ManagedResource {
    let names = (balancer.availabilityZones ?? []).compactMap(\.zoneName)
    return ManagedResource(
      arn: balancer.loadBalancerArn ?? "", name: balancer.loadBalancerName ?? "",
      zones: names.map { .init(id: ids[$0] ?? $0, name: $0) }.ordered(by: \.id))
  }

  /// The region's zones: ids by name.
  func zoneIDs() async throws -> [String: String] {
    let zones = try await call.invoke(EC2.describeAvailabilityZones, .make { _ in }).availabilityZones ?? []
    return Dictionary(zones.map { ($0.zoneName ?? "", $0.zoneId ?? "") }) { $1 }
  }
}
