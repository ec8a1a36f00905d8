// Which load balancer has which web ACL.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store
import WAFv2Model

extension WAFv2Service {
  func associateWebACL(
    _ input: WAFv2.AssociateWebACLRequest, _ call: CallContext
  ) async throws -> WAFv2.AssociateWebACLResponse {
    try Self.requireLoadBalancer(input.resourceArn)
    guard try await isThere(input.resourceArn, call) else {
      throw AWSError(
        "WAFUnavailableEntityException",
        "AWS WAF couldn’t retrieve the resource that you requested. Retry your request.")
    }
    try await store.write { tx in
      guard try !tx.find(WebACLRecord.self, call.scope, index: "arn", input.webACLArn).isEmpty else {
        throw WAFError.notFound
      }
      try tx.put(AssociationRecord(resource: input.resourceArn, webACL: input.webACLArn), call.scope)
    }
    return .init()
  }

  private static func requireLoadBalancer(_ arn: String) throws {
    guard let parsed = ARN(arn) else {
      throw WAFError.invalid("The ARN isn't valid", field: "RESOURCE_ARN", parameter: arn)
    }
    guard parsed.service == "elasticloadbalancing", parsed.resource.hasPrefix("loadbalancer/app/") else {
      throw AWSError.notImplemented("web ACLs of resources other than application load balancers (\(arn))")
    }
  }

  private func isThere(_ balancer: String, _ call: CallContext) async throws -> Bool {
    do {
      let found = try await call.acting(as: Self.servicePrincipal).invoke(
        ELBv2.describeLoadBalancers, .make { $0.loadBalancerArns = [balancer] })
      return found.loadBalancers?.isEmpty == false
    } catch let error as AWSError where error.code == "LoadBalancerNotFound" {
      return false
    }
  }

  /// A load balancer that is gone has taken its association with it.
  func dropStaleAssociations(_ webACL: String, _ call: CallContext) async throws {
    let held = try await store.read { try $0.find(AssociationRecord.self, call.scope, index: "webACL", webACL) }
    for association in held where try await !isThere(association.resource, call) {
      try await store.write { try $0.delete(AssociationRecord.self, call.scope, association.resource) }
    }
  }

  func disassociateWebACL(
    _ input: WAFv2.DisassociateWebACLRequest, _ call: CallContext
  ) async throws -> WAFv2.DisassociateWebACLResponse {
    try Self.requireLoadBalancer(input.resourceArn)
    try await store.write { try $0.delete(AssociationRecord.self, call.scope, input.resourceArn) }
    return .init()
  }

  func getWebACLForResource(
    _ input: WAFv2.GetWebACLForResourceRequest, _ call: CallContext
  ) async throws -> WAFv2.GetWebACLForResourceResponse {
    let record = try await store.read { snapshot in
      try snapshot.get(AssociationRecord.self, call.scope, input.resourceArn).flatMap {
        try snapshot.find(WebACLRecord.self, call.scope, index: "arn", $0.webACL).first
      }
    }
    return .make { $0.webACL = record.map(Self.answer) }
  }

  func listResourcesForWebACL(
    _ input: WAFv2.ListResourcesForWebACLRequest, _ call: CallContext
  ) async throws -> WAFv2.ListResourcesForWebACLResponse {
    try await dropStaleAssociations(input.webACLArn, call)
    let (isKnown, held) = try await store.read { snapshot in
      (
        try !snapshot.find(WebACLRecord.self, call.scope, index: "arn", input.webACLArn).isEmpty,
        try snapshot.find(AssociationRecord.self, call.scope, index: "webACL", input.webACLArn)
      )
    }
    guard isKnown else { throw WAFError.notFound }
    let isWanted = input.resourceType == nil || input.resourceType == "APPLICATION_LOAD_BALANCER"
    return .make { $0.resourceArns = isWanted ? held.map(\.resource) : [] }
  }
}
