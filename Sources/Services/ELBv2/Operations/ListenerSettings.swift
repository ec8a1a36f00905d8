// Listeners: their attributes, and the certificates besides the default one.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func describeListenerAttributes(
    _ input: ELBv2.DescribeListenerAttributesInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeListenerAttributesOutput {
    let record = try await store.read { try $0.listener(input.listenerArn, call.scope) }
    return .make { $0.attributes = Self.attributes(record) }
  }

  func modifyListenerAttributes(
    _ input: ELBv2.ModifyListenerAttributesInput, _ call: CallContext
  ) async throws -> ELBv2.ModifyListenerAttributesOutput {
    let changes = input.attributes.map { (key: $0.key ?? "", value: $0.value ?? "") }
    let record = try await store.write { tx in
      var record = try tx.listener(input.listenerArn, call.scope)
      record.attributes = try AttributeTable.listener(record.wireProtocol).changed(record.attributes, by: changes)
      try tx.put(record, call.scope)
      return record
    }
    await reconciler.applyIfThere()
    return .make { $0.attributes = Self.attributes(record) }
  }

  private static func attributes(_ record: ListenerRecord) -> [ELBv2.ListenerAttribute] {
    AttributeTable.listener(record.wireProtocol).all(record.attributes).map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  // MARK: - Certificates

  /// - Throws: `ValidationError` for requests that say which one is the default.
  private static func arns(_ certificates: [ELBv2.Certificate]) throws -> [String] {
    guard !certificates.isEmpty else { throw ELBv2Error.validation("At least one certificate must be specified") }
    guard certificates.allSatisfy({ $0.isDefault == nil }) else {
      throw ELBv2Error.validation("The default certificate is not marked as such in requests")
    }
    return certificates.map { $0.certificateArn ?? "" }
  }

  func addListenerCertificates(
    _ input: ELBv2.AddListenerCertificatesInput, _ call: CallContext
  ) async throws -> ELBv2.AddListenerCertificatesOutput {
    let new = try Self.arns(input.certificates)
    _ = try await store.read { try $0.listener(input.listenerArn, call.scope) }
    try await requireCertificates(input.certificates)
    let record = try await store.write { tx in
      var record = try tx.listener(input.listenerArn, call.scope)
      guard var all = record.certificates else {
        throw ELBv2Error.validation("Certificates cannot be added to \(record.wireProtocol) listeners")
      }
      for arn in new where !all.contains(arn) { all.append(arn) }
      record.certificates = all
      try tx.put(record, call.scope)
      let used = try tx.listeners(of: record.loadBalancer, call.scope).flatMap { ($0.certificates ?? []).dropFirst() }
      guard Set(used).count <= ELBv2Limits.certificatesPerLoadBalancerMax else {
        throw AWSError(
          "TooManyCertificates",
          "The maximum number of certificates per load balancer is '\(ELBv2Limits.certificatesPerLoadBalancerMax)'")
      }
      return record
    }
    await reconciler.applyIfThere()
    return .make { $0.certificates = Self.certificates(record).filter { new.contains($0.certificateArn ?? "") } }
  }

  func removeListenerCertificates(
    _ input: ELBv2.RemoveListenerCertificatesInput, _ call: CallContext
  ) async throws -> ELBv2.RemoveListenerCertificatesOutput {
    let old = try Self.arns(input.certificates)
    try await store.write { tx in
      var record = try tx.listener(input.listenerArn, call.scope)
      guard let all = record.certificates else { return }
      if let first = all.first, old.contains(first) {
        throw ELBv2Error.notPermitted("Default certificate '\(first)' cannot be removed")
      }
      record.certificates = all.filter { !old.contains($0) }
      try tx.put(record, call.scope)
    }
    await reconciler.applyIfThere()
    return .init()
  }

  func describeListenerCertificates(
    _ input: ELBv2.DescribeListenerCertificatesInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeListenerCertificatesOutput {
    let record = try await store.read { try $0.listener(input.listenerArn, call.scope) }
    let page = try Page(Self.certificates(record), size: input.pageSize, marker: input.marker) {
      $0.certificateArn ?? ""
    }
    return .make {
      $0.certificates = page.items
      $0.nextMarker = page.next
    }
  }

  private static func certificates(_ record: ListenerRecord) -> [ELBv2.Certificate] {
    (record.certificates ?? []).enumerated().map { index, arn in
      .make {
        $0.certificateArn = arn
        $0.isDefault = index == 0
      }
    }
  }
}
