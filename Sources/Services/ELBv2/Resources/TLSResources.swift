// AWS::ElasticLoadBalancingV2::ListenerCertificate, ::TrustStore and ::TrustStoreRevocation for CloudFormation.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  /// Ref is the listener's ARN, with a number behind it: a listener may have several.
  var listenerCertificateProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElasticLoadBalancingV2::ListenerCertificate", properties: ["Certificates", "ListenerArn"],
      replacedBy: ["ListenerArn"],
      create: { properties, context in
        let listener = properties["ListenerArn"]?.text ?? ""
        try await Self.add(properties, listener, context.call)
        return ResourceHandle("\(listener)-\(context.call.ids.hex(8))")
      },
      update: { handle, old, new, context in
        let listener = new["ListenerArn"]?.text ?? ""
        let kept = try Self.list(ELBv2.Certificate.self, new["Certificates"]) ?? []
        let gone = (try Self.list(ELBv2.Certificate.self, old["Certificates"]) ?? []).filter { certificate in
          !kept.contains { $0.certificateArn == certificate.certificateArn }
        }
        try await Self.add(new, listener, context.call)
        try await Self.remove(gone, listener, context.call)
        return handle
      },
      delete: { _, properties, context in
        let listener = properties["ListenerArn"]?.text ?? ""
        let gone = try Self.list(ELBv2.Certificate.self, properties["Certificates"]) ?? []
        _ = try await Self.unlessGone(["ListenerNotFound"]) { try await Self.remove(gone, listener, context.call) }
      })
  }

  private static func add(_ properties: JSONValue, _ listener: String, _ call: CallContext) async throws {
    let certificates = try list(ELBv2.Certificate.self, properties["Certificates"]) ?? []
    _ = try await call.invoke(
      ELBv2.addListenerCertificates,
      .make {
        $0.listenerArn = listener
        $0.certificates = certificates
      })
  }

  private static func remove(_ certificates: [ELBv2.Certificate], _ listener: String, _ call: CallContext) async throws
  {
    guard !certificates.isEmpty else { return }
    _ = try await call.invoke(
      ELBv2.removeListenerCertificates,
      .make {
        $0.listenerArn = listener
        $0.certificates = certificates
      })
  }

  /// Ref is the ARN.
  var trustStoreProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElasticLoadBalancingV2::TrustStore",
      properties: [
        "CaCertificatesBundleS3Bucket", "CaCertificatesBundleS3Key", "CaCertificatesBundleS3ObjectVersion", "Name",
        "Tags",
      ],
      replacedBy: ["Name"],
      create: { properties, context in
        var input = try Self.mapper.input(ELBv2.createTrustStore, properties, ignoring: ["Name", "Tags"])
        input.name = properties["Name"]?.text ?? context.generatedName(maxLength: ELBv2Limits.nameLengthMax)
        input.tags = Self.tags(properties, context)
        let made = try await context.call.viaCloudFormation.invoke(ELBv2.createTrustStore, input).trustStores?.first
        guard let made, let arn = made.trustStoreArn else {
          throw AWSError("InternalFailure", "CreateTrustStore told no trust store.", status: 500)
        }
        return Self.handle(arn, made)
      },
      update: { handle, _, new, context in
        var input = try Self.mapper.input(ELBv2.modifyTrustStore, new, ignoring: ["Name", "Tags"])
        input.trustStoreArn = handle.physicalID
        let made = try await context.call.viaCloudFormation.invoke(ELBv2.modifyTrustStore, input).trustStores?.first
        try await Self.updateTags(handle.physicalID, new, context)
        return made.map { Self.handle(handle.physicalID, $0) } ?? handle
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(["TrustStoreNotFound"]) {
          _ = try await context.call.invoke(ELBv2.deleteTrustStore, .make { $0.trustStoreArn = handle.physicalID })
        }
      })
  }

  private static func handle(_ arn: String, _ store: ELBv2.TrustStore) -> ResourceHandle {
    ResourceHandle(
      arn,
      attributes: [
        "TrustStoreArn": .string(arn), "Status": .string(store.status ?? ""),
        "NumberOfCaCertificates": .number(Double(store.numberOfCaCertificates ?? 0)),
      ])
  }

  /// Ref is the trust store's ARN and the revocation's number.
  var trustStoreRevocationProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElasticLoadBalancingV2::TrustStoreRevocation", properties: ["RevocationContents", "TrustStoreArn"],
      replacedBy: ["RevocationContents", "TrustStoreArn"],
      create: { properties, context in
        let input = try Self.mapper.input(ELBv2.addTrustStoreRevocations, properties)
        let added = try await context.call.invoke(ELBv2.addTrustStoreRevocations, input).trustStoreRevocations ?? []
        let ids = added.compactMap(\.revocationId)
        return ResourceHandle(
          "\(input.trustStoreArn)|\(ids.map(String.init).joined(separator: ","))",
          attributes: ["RevocationId": .number(Double(ids.first ?? 0))])
      },
      delete: { handle, _, context in
        let parts = handle.physicalID.split(separator: "|")
        guard parts.count == 2 else { return }
        let ids = parts[1].split(separator: ",").compactMap { Int($0) }
        _ = try await Self.unlessGone(["TrustStoreNotFound", "RevocationIdNotFound"]) {
          _ = try await context.call.invoke(
            ELBv2.removeTrustStoreRevocations,
            .make {
              $0.trustStoreArn = String(parts[0])
              $0.revocationIds = ids
            })
        }
      })
  }
}
