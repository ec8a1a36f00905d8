// Target groups: create, modify, delete, describe, and their attributes.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func createTargetGroup(
    _ input: ELBv2.CreateTargetGroupInput, _ call: CallContext
  ) async throws -> ELBv2.CreateTargetGroupOutput {
    try Names.check(input.name, "Target group")
    let type = input.targetType ?? "instance"
    let (name, version) = try Self.protocols(input, type)
    guard let port = input.port, (1...65_535).contains(port) else {
      throw ELBv2Error.validation("A port between '1' and '65535' must be specified")
    }
    guard let vpc = input.vpcId, !vpc.isEmpty else { throw ELBv2Error.validation("A VPC ID must be specified") }
    let healthCheck = try Self.healthCheck(input).applied(
      to: HealthCheckInput.standard(protocolName: name, version: version, targetType: type), targetType: type,
      protocolName: name, version: version)
    let tags = try Tags.read(input.tags, call)
    try await requireVPC(vpc, call)
    let record = TargetGroupRecord(
      arn: call.arn("elasticloadbalancing", "targetgroup/\(input.name)/\(call.ids.hex(16))"), name: input.name,
      targetType: type, protocolName: name, protocolVersion: version, port: port, vpc: vpc, healthCheck: healthCheck,
      tags: tags)
    let (made, users) = try await store.write { tx in
      if let existing = try tx.find(TargetGroupRecord.self, call.scope, index: "name", record.name).first {
        guard existing.targetType == record.targetType, existing.port == record.port, existing.vpc == record.vpc,
          existing.protocolName == record.protocolName, existing.protocolVersion == record.protocolVersion,
          existing.healthCheck == record.healthCheck, existing.tags == record.tags
        else { throw ELBv2Error.duplicate("DuplicateTargetGroupName", "target group", record.name) }
        return (existing, try tx.usersOfTargetGroups(call.scope)[existing.arn] ?? [])
      }
      guard try tx.count(TargetGroupRecord.self, call.scope) < ELBv2Limits.targetGroupsMax else {
        throw AWSError("TooManyTargetGroups", "The maximum number of target groups has been reached on this account")
      }
      try tx.put(record, call.scope)
      return (record, [])
    }
    await reconciler.applyIfThere()
    return .make { $0.targetGroups = [Self.answer(made, users)] }
  }

  private static func healthCheck(_ input: ELBv2.CreateTargetGroupInput) -> HealthCheckInput {
    HealthCheckInput(
      enabled: input.healthCheckEnabled, protocolName: input.healthCheckProtocol, path: input.healthCheckPath,
      port: input.healthCheckPort, interval: input.healthCheckIntervalSeconds, timeout: input.healthCheckTimeoutSeconds,
      healthyThreshold: input.healthyThresholdCount, unhealthyThreshold: input.unhealthyThresholdCount,
      matcher: input.matcher?.httpCode, grpcMatcher: input.matcher?.grpcCode)
  }

  /// Protocol and version of a new target group; the version is empty for network load balancers'.
  /// - Throws: `ValidationError`, 501 for Lambda functions, appliances, QUIC and IPv6.
  private static func protocols(_ input: ELBv2.CreateTargetGroupInput, _ type: String) throws -> (String, String) {
    guard ["instance", "ip", "alb", "lambda"].contains(type) else {
      throw ELBv2Error.validation("Target type '\(type)' must be one of '[instance, ip, lambda, alb]'")
    }
    if type == "lambda" { throw AWSError.notImplemented("target groups of type lambda (there are no functions)") }
    if input.ipAddressType == "ipv6" { throw AWSError.notImplemented("IPv6 target groups") }
    if input.targetControlPort != nil { throw AWSError.notImplemented("TargetControlPort of target groups") }
    guard let name = input.protocol, !name.isEmpty else { throw ELBv2Error.validation("A protocol must be specified") }
    if ["GENEVE", "QUIC", "TCP_QUIC"].contains(name) {
      throw AWSError.notImplemented("target groups of protocol \(name)")
    }
    guard LoadBalancerKind.application.protocols.contains(name) || LoadBalancerKind.network.protocols.contains(name)
    else {
      throw ELBv2Error.validation("Protocol '\(name)' must be one of '[HTTP, HTTPS, TCP, TLS, UDP, TCP_UDP]'")
    }
    if type == "alb", name != "TCP" {
      throw ELBv2Error.validation("Protocol '\(name)' is not supported for target groups with target type 'alb'")
    }
    // Terraform sends an empty version where none is said.
    let version = input.protocolVersion.flatMap { $0.isEmpty ? nil : $0 }
    guard LoadBalancerKind.application.protocols.contains(name) else {
      guard version == nil else {
        throw ELBv2Error.validation("Protocol version cannot be specified for target groups of protocol '\(name)'")
      }
      return (name, "")
    }
    guard ["HTTP1", "HTTP2", "GRPC"].contains(version ?? "HTTP1") else {
      throw ELBv2Error.validation("Protocol version '\(version ?? "")' must be one of '[HTTP1, HTTP2, GRPC]'")
    }
    return (name, version ?? "HTTP1")
  }

  func modifyTargetGroup(
    _ input: ELBv2.ModifyTargetGroupInput, _ call: CallContext
  ) async throws -> ELBv2.ModifyTargetGroupOutput {
    let check = HealthCheckInput(
      enabled: input.healthCheckEnabled, protocolName: input.healthCheckProtocol, path: input.healthCheckPath,
      port: input.healthCheckPort, interval: input.healthCheckIntervalSeconds, timeout: input.healthCheckTimeoutSeconds,
      healthyThreshold: input.healthyThresholdCount, unhealthyThreshold: input.unhealthyThresholdCount,
      matcher: input.matcher?.httpCode, grpcMatcher: input.matcher?.grpcCode)
    let (record, users) = try await store.write { tx in
      var record = try tx.targetGroup(input.targetGroupArn, call.scope)
      record.healthCheck = try check.applied(
        to: record.healthCheck, targetType: record.targetType, protocolName: record.protocolName,
        version: record.protocolVersion)
      try tx.put(record, call.scope)
      return (record, try tx.usersOfTargetGroups(call.scope)[record.arn] ?? [])
    }
    await reconciler.applyIfThere()
    return .make { $0.targetGroups = [Self.answer(record, users)] }
  }

  func deleteTargetGroup(
    _ input: ELBv2.DeleteTargetGroupInput, _ call: CallContext
  ) async throws -> ELBv2.DeleteTargetGroupOutput {
    let arn = input.targetGroupArn
    guard arn.contains(":targetgroup/") else { throw ELBv2Error.invalidARN(arn, "target group") }
    try await store.write { tx in
      guard try tx.usersOfTargetGroups(call.scope)[arn] == nil else {
        throw AWSError("ResourceInUse", "Target group '\(arn)' is currently in use by a listener or a rule")
      }
      // Deleting what is not there succeeds.
      try tx.delete(TargetGroupRecord.self, call.scope, arn)
    }
    await reconciler.applyIfThere()
    return .init()
  }

  func describeTargetGroups(
    _ input: ELBv2.DescribeTargetGroupsInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeTargetGroupsOutput {
    let arns = input.targetGroupArns ?? []
    let names = input.names ?? []
    guard [!arns.isEmpty, !names.isEmpty, input.loadBalancerArn != nil].filter({ $0 }).count <= 1 else {
      throw ELBv2Error.validation(
        "Target group names, target group ARNs and a load balancer ARN cannot be specified at the same time")
    }
    let (all, users) = try await store.read { snapshot in
      if let balancer = input.loadBalancerArn { _ = try snapshot.loadBalancer(balancer, call.scope) }
      return (try snapshot.list(TargetGroupRecord.self, call.scope), try snapshot.usersOfTargetGroups(call.scope))
    }
    var kept = all
    let missing = AWSError("TargetGroupNotFound", "One or more target groups not found")
    if !arns.isEmpty {
      kept = try arns.map { arn in
        guard arn.contains(":targetgroup/") else { throw ELBv2Error.invalidARN(arn, "target group") }
        guard let found = all.first(where: { $0.arn == arn }) else { throw missing }
        return found
      }
    } else if !names.isEmpty {
      for name in names where !all.contains(where: { $0.name == name }) { throw missing }
      kept = all.filter { names.contains($0.name) }
    } else if let balancer = input.loadBalancerArn {
      kept = all.filter { users[$0.arn]?.contains(balancer) == true }
    }
    let page = try Page(kept, size: input.pageSize, marker: input.marker, id: \.arn)
    return .make {
      $0.targetGroups = page.items.map { Self.answer($0, users[$0.arn] ?? []) }
      $0.nextMarker = page.next
    }
  }

  static func answer(_ record: TargetGroupRecord, _ users: Set<String>) -> ELBv2.TargetGroup {
    .make {
      $0.targetGroupArn = record.arn
      $0.targetGroupName = record.name
      $0.targetType = record.targetType
      $0.protocol = record.protocolName
      $0.protocolVersion = record.protocolVersion.isEmpty ? nil : record.protocolVersion
      $0.port = record.port
      $0.vpcId = record.vpc
      $0.ipAddressType = record.ipAddressType ?? "ipv4"
      $0.loadBalancerArns = users.sorted()
      let check = record.healthCheck
      $0.healthCheckEnabled = true
      $0.healthCheckProtocol = check.wireProtocol
      $0.healthCheckPort = check.port
      $0.healthCheckIntervalSeconds = check.interval
      $0.healthCheckTimeoutSeconds = check.timeout
      $0.healthyThresholdCount = check.healthyThreshold
      $0.unhealthyThresholdCount = check.unhealthyThreshold
      guard check.wireProtocol != "TCP" else { return }
      $0.healthCheckPath = check.path
      $0.matcher = .make {
        if let codes = check.grpcMatcher { $0.grpcCode = codes } else { $0.httpCode = check.matcher }
      }
    }
  }

  // MARK: - Attributes

  func describeTargetGroupAttributes(
    _ input: ELBv2.DescribeTargetGroupAttributesInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeTargetGroupAttributesOutput {
    let record = try await store.read { try $0.targetGroup(input.targetGroupArn, call.scope) }
    return .make { $0.attributes = Self.attributes(record) }
  }

  func modifyTargetGroupAttributes(
    _ input: ELBv2.ModifyTargetGroupAttributesInput, _ call: CallContext
  ) async throws -> ELBv2.ModifyTargetGroupAttributesOutput {
    let changes = input.attributes.map { (key: $0.key ?? "", value: $0.value ?? "") }
    let record = try await store.write { tx in
      var record = try tx.targetGroup(input.targetGroupArn, call.scope)
      let table = AttributeTable.targetGroup(record)
      record.attributes = try table.changed(record.attributes, by: changes)
      try AttributeChecks.targetGroup(record.attributes, table)
      try tx.put(record, call.scope)
      try Self.checkShift(ofUsersOf: record, tx, call.scope)
      return record
    }
    await reconciler.applyIfThere()
    return .make { $0.attributes = Self.attributes(record) }
  }

  private static func attributes(_ record: TargetGroupRecord) -> [ELBv2.TargetGroupAttribute] {
    AttributeTable.targetGroup(record).all(record.attributes).map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
