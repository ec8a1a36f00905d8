// Listeners: create, modify, delete, describe.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func createListener(_ input: ELBv2.CreateListenerInput, _ call: CallContext) async throws
    -> ELBv2.CreateListenerOutput
  {
    try Self.checkBuilt(
      input.protocol ?? "", certificates: input.certificates, policy: input.sslPolicy, alpn: input.alpnPolicy,
      mutual: input.mutualAuthentication)
    guard let port = input.port, (1...65_535).contains(port) else {
      throw ELBv2Error.validation("A listener port between '1' and '65535' must be specified")
    }
    let action = try ActionRules.read(input.defaultActions)
    let tags = try Tags.read(input.tags, call)
    let id = call.ids.hex(16)
    let ruleID = call.ids.hex(16)
    let (record, isNew) = try await store.write { tx in
      let balancer = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      let present = try tx.listeners(of: balancer.arn, call.scope)
      if let existing = present.first(where: { $0.port == port }) {
        guard existing.defaultAction == action, existing.tags == tags else {
          throw AWSError(
            "DuplicateListener", "A listener already exists on this port for this load balancer '\(balancer.arn)'")
        }
        return (existing, false)
      }
      guard present.count < ELBv2Limits.listenersPerLoadBalancerMax else {
        throw AWSError(
          "TooManyListeners",
          "The maximum number of listeners per load balancer is '\(ELBv2Limits.listenersPerLoadBalancerMax)'")
      }
      try Self.checkTargetGroups(action, balancer, tx, call.scope)
      let path = "\(Names.fullName(loadBalancer: balancer.arn))/\(id)"
      let record = ListenerRecord(
        arn: call.arn("elasticloadbalancing", "listener/\(path)"), loadBalancer: balancer.arn, port: port,
        defaultAction: action, defaultRule: call.arn("elasticloadbalancing", "listener-rule/\(path)/\(ruleID)"),
        tags: tags)
      try tx.put(record, call.scope)
      return (record, true)
    }
    if isNew, try await reconciler.bind(record.arn, within: bindWait) == nil {
      call.logger.warning("the gate is away: a listener waits to be bound", metadata: ["listener": "\(record.arn)"])
    }
    return .make { $0.listeners = [Self.answer(record)] }
  }

  /// - Throws: 501 for what the Gate cannot do, `UnsupportedProtocol` and `ValidationError` for what AWS refuses.
  private static func checkBuilt(
    _ name: String, certificates: [ELBv2.Certificate]?, policy: String?, alpn: [String]?,
    mutual: ELBv2.MutualAuthenticationAttributes?
  ) throws {
    switch name {
    case "HTTP": break
    case "HTTPS": throw AWSError.notImplemented("HTTPS listeners (the Gate does not end TLS)")
    case "": throw ELBv2Error.validation("A listener protocol must be specified")
    default:
      throw AWSError("UnsupportedProtocol", "Protocol '\(name)' is not supported on Application Load Balancers")
    }
    if let certificates, !certificates.isEmpty {
      throw ELBv2Error.validation("Certificates cannot be specified for HTTP listeners")
    }
    if let policy, !policy.isEmpty {
      throw ELBv2Error.validation("An SSL policy cannot be specified for HTTP listeners")
    }
    if let alpn, !alpn.isEmpty, alpn != ["None"] {
      throw ELBv2Error.validation("ALPN policies are only supported on TLS listeners")
    }
    if let mode = mutual?.mode, mode != "off" { throw AWSError.notImplemented("mutual authentication of listeners") }
  }

  /// Whether a load balancer may forward to an action's target groups.
  /// - Throws: `TargetGroupNotFound`, `TargetGroupAssociationLimit`, `InvalidConfigurationRequest`.
  static func checkTargetGroups(
    _ action: ActionRecord, _ balancer: LoadBalancerRecord, _ tx: Transaction, _ scope: Scope
  ) throws {
    guard !action.targetGroups.isEmpty else { return }
    let users = try tx.usersOfTargetGroups(scope)
    for arn in action.targetGroups {
      let group = try tx.targetGroup(arn, scope)
      guard (users[arn] ?? []).isSubset(of: [balancer.arn]) else {
        throw AWSError(
          "TargetGroupAssociationLimit",
          "The following target groups cannot be associated with more than one load balancer: \(arn)")
      }
      guard group.vpc == balancer.vpc else {
        throw ELBv2Error.invalidConfiguration(
          "The following target groups are in a different VPC than load balancer '\(balancer.arn)': \(arn)")
      }
    }
  }

  func modifyListener(_ input: ELBv2.ModifyListenerInput, _ call: CallContext) async throws
    -> ELBv2.ModifyListenerOutput
  {
    try Self.checkBuilt(
      input.protocol ?? "HTTP", certificates: input.certificates, policy: input.sslPolicy, alpn: input.alpnPolicy,
      mutual: input.mutualAuthentication)
    let action = try input.defaultActions.flatMap { $0.isEmpty ? nil : try ActionRules.read($0) }
    let (record, hasMoved) = try await store.write { tx in
      var record = try tx.listener(input.listenerArn, call.scope)
      let balancer = try tx.loadBalancer(record.loadBalancer, call.scope)
      let old = record.port
      if let port = input.port, port != old {
        guard try !tx.listeners(of: balancer.arn, call.scope).contains(where: { $0.port == port }) else {
          throw AWSError(
            "DuplicateListener", "A listener already exists on this port for this load balancer '\(balancer.arn)'")
        }
        record.port = port
        record.bound = nil
      }
      if let action {
        try Self.checkTargetGroups(action, balancer, tx, call.scope)
        record.defaultAction = action
      }
      try tx.put(record, call.scope)
      return (record, record.port != old)
    }
    if hasMoved {
      _ = try await reconciler.bind(record.arn, within: bindWait)
    } else {
      await reconciler.applyIfThere()
    }
    return .make { $0.listeners = [Self.answer(record)] }
  }

  func deleteListener(_ input: ELBv2.DeleteListenerInput, _ call: CallContext) async throws
    -> ELBv2.DeleteListenerOutput
  {
    try await store.write { tx in
      try Self.remove(tx.listener(input.listenerArn, call.scope), tx, call.scope)
    }
    await reconciler.applyIfThere()
    return .init()
  }

  func describeListeners(
    _ input: ELBv2.DescribeListenersInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeListenersOutput {
    let arns = input.listenerArns ?? []
    let records = try await store.read { snapshot in
      if !arns.isEmpty {
        return try arns.map { arn in
          guard arn.contains(":listener/") else { throw ELBv2Error.invalidARN(arn, "listener") }
          guard let found = try snapshot.get(ListenerRecord.self, call.scope, arn) else {
            throw AWSError("ListenerNotFound", "One or more listeners not found")
          }
          return found
        }
      }
      guard let balancer = input.loadBalancerArn else {
        throw ELBv2Error.validation("You must specify either listener ARNs or a load balancer ARN")
      }
      return try snapshot.listeners(of: snapshot.loadBalancer(balancer, call.scope).arn, call.scope)
    }
    let page = try Page(records, size: input.pageSize, marker: input.marker, id: \.arn)
    return .make {
      $0.listeners = page.items.map(Self.answer)
      $0.nextMarker = page.next
    }
  }

  static func answer(_ record: ListenerRecord) -> ELBv2.Listener {
    .make {
      $0.listenerArn = record.arn
      $0.loadBalancerArn = record.loadBalancer
      $0.port = record.port
      $0.protocol = "HTTP"
      $0.defaultActions = [ActionRules.answer(record.defaultAction)]
    }
  }

  // MARK: - Attributes

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
      record.attributes = try AttributeTable.listener.changed(record.attributes, by: changes)
      try tx.put(record, call.scope)
      return record
    }
    return .make { $0.attributes = Self.attributes(record) }
  }

  private static func attributes(_ record: ListenerRecord) -> [ELBv2.ListenerAttribute] {
    AttributeTable.listener.all(record.attributes).map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  // MARK: - Certificates: only HTTPS listeners have some

  func addListenerCertificates(
    _ input: ELBv2.AddListenerCertificatesInput, _ call: CallContext
  ) async throws -> ELBv2.AddListenerCertificatesOutput {
    _ = try await store.read { try $0.listener(input.listenerArn, call.scope) }
    throw AWSError.notImplemented("certificates of listeners (the Gate does not end TLS)")
  }

  func removeListenerCertificates(
    _ input: ELBv2.RemoveListenerCertificatesInput, _ call: CallContext
  ) async throws -> ELBv2.RemoveListenerCertificatesOutput {
    // No listener has a certificate, so there is nothing to remove.
    _ = try await store.read { try $0.listener(input.listenerArn, call.scope) }
    return .init()
  }

  func describeListenerCertificates(
    _ input: ELBv2.DescribeListenerCertificatesInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeListenerCertificatesOutput {
    _ = try await store.read { try $0.listener(input.listenerArn, call.scope) }
    return .make { $0.certificates = [] }
  }
}
