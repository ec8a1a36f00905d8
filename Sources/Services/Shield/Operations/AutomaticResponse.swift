// The automatic application layer response of protections, and their health checks.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store
import WAFv2Model

extension ShieldService {
  func enableAutomaticResponse(
    _ input: Shield.EnableApplicationLayerAutomaticResponseRequest, _ call: CallContext
  ) async throws -> Shield.EnableApplicationLayerAutomaticResponseResponse {
    let action = try Self.action(input.action)
    guard ["APPLICATION_LOAD_BALANCER", "CLOUDFRONT_DISTRIBUTION"].contains(Self.resourceType(input.resourceArn)) else {
      throw ShieldError.operation("The automatic response is for application load balancers and distributions.")
    }
    let acl = try await requireWebACL(input.resourceArn, call)
    let before = try await change(input.resourceArn, call) { record in record.automaticResponse = action }
    guard let acl else { return .init() }
    do {
      try await setGroup(of: acl, isWanted: true, call.in(region: ARN(acl)?.region ?? call.region))
    } catch let error as AWSError {
      try await change(input.resourceArn, call) { record in record.automaticResponse = before }
      if error.code == "WAFLimitsExceededException" {
        throw ShieldError.limit("capacity units of the web ACL", MitigationGroup.webACLCapacityMax)
      }
      throw error
    }
    return .init()
  }

  func updateAutomaticResponse(
    _ input: Shield.UpdateApplicationLayerAutomaticResponseRequest, _ call: CallContext
  ) async throws -> Shield.UpdateApplicationLayerAutomaticResponseResponse {
    let action = try Self.action(input.action)
    try await change(input.resourceArn, call) { record in
      guard record.automaticResponse != nil else {
        throw ShieldError.operation("The automatic response is not enabled for the resource.")
      }
      record.automaticResponse = action
    }
    return .init()
  }

  func disableAutomaticResponse(
    _ input: Shield.DisableApplicationLayerAutomaticResponseRequest, _ call: CallContext
  ) async throws -> Shield.DisableApplicationLayerAutomaticResponseResponse {
    try await change(input.resourceArn, call) { record in record.automaticResponse = nil }
    try await placeGroups(near: input.resourceArn, call)
    return .init()
  }

  /// BLOCK or COUNT; exactly one is given.
  private static func action(_ action: Shield.ResponseAction) throws -> String {
    guard (action.block == nil) != (action.count == nil) else {
      throw ShieldError.parameter("Exactly one of Block and Count must be specified.")
    }
    return action.block == nil ? "COUNT" : "BLOCK"
  }

  /// The ARN of the resource's web ACL, into which Shield's rules go, so there must be one; nil for distributions.
  private func requireWebACL(_ resource: String, _ call: CallContext) async throws -> String? {
    guard Self.resourceType(resource) == "APPLICATION_LOAD_BALANCER" else { return nil }
    let found = try await call.acting(as: "shield.amazonaws.com").invoke(
      WAFv2.getWebACLForResource, .make { $0.resourceArn = resource })
    guard let arn = found.webACL?.arn else {
      throw ShieldError.operation("The resource is not associated with a web ACL of AWS WAF.")
    }
    return arn
  }

  /// Changes the protection of a resource; returns the automatic response that it had.
  @discardableResult
  private func change(
    _ resource: String, _ call: CallContext, _ body: @escaping @Sendable (inout ProtectionRecord) throws -> Void
  ) async throws -> String? {
    try await store.write { tx in
      guard
        var record = try tx.find(ProtectionRecord.self, call.globalScope, index: "resource", resource).first
      else { throw ShieldError.noProtection }
      let before = record.automaticResponse
      try body(&record)
      try tx.put(record, call.globalScope)
      return before
    }
  }

  // MARK: - Health checks

  func associateHealthCheck(
    _ input: Shield.AssociateHealthCheckRequest, _ call: CallContext
  ) async throws -> Shield.AssociateHealthCheckResponse {
    let id = try Self.healthCheck(input.healthCheckArn)
    try await store.write { tx in
      guard var record = try tx.get(ProtectionRecord.self, call.globalScope, input.protectionId) else {
        throw ShieldError.noProtection
      }
      var checks = record.healthChecks ?? []
      if checks.contains(id) { return }
      guard checks.count < ShieldLimits.healthChecksPerProtectionMax else {
        throw ShieldError.limit("health checks of a protection", ShieldLimits.healthChecksPerProtectionMax)
      }
      checks.append(id)
      record.healthChecks = checks
      try tx.put(record, call.globalScope)
    }
    return .init()
  }

  func disassociateHealthCheck(
    _ input: Shield.DisassociateHealthCheckRequest, _ call: CallContext
  ) async throws -> Shield.DisassociateHealthCheckResponse {
    let id = try Self.healthCheck(input.healthCheckArn)
    try await store.write { tx in
      guard var record = try tx.get(ProtectionRecord.self, call.globalScope, input.protectionId) else {
        throw ShieldError.noProtection
      }
      guard record.healthChecks?.contains(id) ?? false else { throw ShieldError.noHealthCheck }
      record.healthChecks?.removeAll { $0 == id }
      try tx.put(record, call.globalScope)
    }
    return .init()
  }

  /// The id in a health check's ARN, `arn:aws:route53:::healthcheck/ID`.
  private static func healthCheck(_ text: String) throws -> String {
    guard let arn = ARN(text), arn.service == "route53", arn.resource.hasPrefix("healthcheck/") else {
      throw ShieldError.unknownResource(text)
    }
    return String(arn.resource.dropFirst(12))
  }
}
