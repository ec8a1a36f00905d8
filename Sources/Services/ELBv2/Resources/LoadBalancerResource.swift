// AWS::ElasticLoadBalancingV2::LoadBalancer for CloudFormation.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  private static let handledApart: Set<String> = ["LoadBalancerAttributes", "Name", "Tags"]

  /// Ref is the ARN.
  var loadBalancerProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElasticLoadBalancingV2::LoadBalancer",
      properties: [
        "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic", "IpAddressType", "LoadBalancerAttributes", "Name",
        "Scheme", "SecurityGroups", "SubnetMappings", "Subnets", "Tags", "Type",
      ],
      replacedBy: ["Name", "Scheme", "Type"],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(
          ELBv2.createLoadBalancer, properties,
          ignoring: Self.handledApart.union(["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"]))
        input.name = properties["Name"]?.text ?? context.generatedName(maxLength: ELBv2Limits.nameLengthMax)
        input.tags = Self.tags(properties, context)
        let made = try await call.invoke(ELBv2.createLoadBalancer, input)
        guard let arn = made.loadBalancers?.first?.loadBalancerArn else {
          throw AWSError("InternalFailure", "CreateLoadBalancer told no load balancer.", status: 500)
        }
        try await Self.setAttributes(arn, old: nil, properties, call)
        try await self.untilActive(arn, call)
        return try await Self.loadBalancerHandle(arn, call)
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        let arn = handle.physicalID
        if let subnets = new["Subnets"] ?? new["SubnetMappings"], subnets != old["Subnets"] ?? old["SubnetMappings"] {
          let plain = new["Subnets"]?.array?.compactMap(\.text)
          let mappings = try Self.list(ELBv2.SubnetMapping.self, new["SubnetMappings"])
          _ = try await call.invoke(
            ELBv2.setSubnets,
            .make {
              $0.loadBalancerArn = arn
              $0.subnets = plain
              $0.subnetMappings = mappings
            })
        }
        if let groups = new["SecurityGroups"]?.array, groups != old["SecurityGroups"]?.array {
          _ = try await call.invoke(
            ELBv2.setSecurityGroups,
            .make {
              $0.loadBalancerArn = arn
              $0.securityGroups = groups.compactMap(\.text)
            })
        }
        if let type = new["IpAddressType"]?.text, type != old["IpAddressType"]?.text {
          _ = try await call.invoke(
            ELBv2.setIpAddressType,
            .make {
              $0.loadBalancerArn = arn
              $0.ipAddressType = type
            })
        }
        try await Self.setAttributes(arn, old: old, new, call)
        try await Self.updateTags(arn, new, context)
        return try await Self.loadBalancerHandle(arn, call)
      },
      delete: { handle, _, context in
        _ = try await context.call.viaCloudFormation.invoke(
          ELBv2.deleteLoadBalancer, .make { $0.loadBalancerArn = handle.physicalID })
      })
  }

  private static func setAttributes(
    _ arn: String, old: JSONValue?, _ new: JSONValue, _ call: CallContext
  ) async throws {
    let changes = attributes(
      old?["LoadBalancerAttributes"], new["LoadBalancerAttributes"],
      .loadBalancer(new["Type"]?.text == "network" ? .network : .application))
    guard !changes.isEmpty else { return }
    _ = try await call.invoke(
      ELBv2.modifyLoadBalancerAttributes,
      .make {
        $0.loadBalancerArn = arn
        $0.attributes = changes.map { key, value in
          .make {
            $0.key = key
            $0.value = value
          }
        }
      })
  }

  /// Returns when the Gate has the load balancer.
  private func untilActive(_ arn: String, _ call: CallContext) async throws {
    let changes = store.changes(in: [LoadBalancerRecord.collection])
    if try await isActive(arn, call) { return }
    for await _ in changes where try await isActive(arn, call) { return }
    try Task.checkCancellation()
  }

  private func isActive(_ arn: String, _ call: CallContext) async throws -> Bool {
    let found = try await call.invoke(ELBv2.describeLoadBalancers, .make { $0.loadBalancerArns = [arn] })
    return found.loadBalancers?.first?.state?.code != "provisioning"
  }

  private static func loadBalancerHandle(_ arn: String, _ call: CallContext) async throws -> ResourceHandle {
    let found = try await call.invoke(ELBv2.describeLoadBalancers, .make { $0.loadBalancerArns = [arn] })
    let balancer = found.loadBalancers?.first
    return ResourceHandle(
      arn,
      attributes: [
        "LoadBalancerArn": .string(arn), "DNSName": .string(balancer?.dnsName ?? ""),
        "LoadBalancerFullName": .string(Names.fullName(loadBalancer: arn)),
        "LoadBalancerName": .string(balancer?.loadBalancerName ?? ""),
        "CanonicalHostedZoneID": .string(balancer?.canonicalHostedZoneId ?? ""),
        "SecurityGroups": .array((balancer?.securityGroups ?? []).map(JSONValue.string)),
      ])
  }
}
