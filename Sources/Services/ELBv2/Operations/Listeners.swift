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
    guard let port = input.port, (1...65_535).contains(port) else {
      throw ELBv2Error.validation("A listener port between '1' and '65535' must be specified")
    }
    guard let name = input.protocol, !name.isEmpty else {
      throw ELBv2Error.validation("A listener protocol must be specified")
    }
    let transport = TransportInput(
      protocolName: name, certificates: input.certificates, policy: input.sslPolicy, alpn: input.alpnPolicy,
      mutual: input.mutualAuthentication)
    let tags = try Tags.read(input.tags, call)
    let sealer = store.sealer
    try await requireCertificates(input.certificates)
    let ids = (listener: call.ids.hex(16), rule: call.ids.hex(16))
    let (record, isNew) = try await store.write { tx in
      let balancer = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      let present = try tx.listeners(of: balancer.arn, call.scope)
      let path = "\(Names.fullName(loadBalancer: balancer.arn))/\(ids.listener)"
      var record = ListenerRecord(
        arn: call.arn("elasticloadbalancing", "listener/\(path)"), loadBalancer: balancer.arn, port: port,
        defaultAction: .forward(.init(groups: [])),
        defaultRule: call.arn("elasticloadbalancing", "listener-rule/\(path)/\(ids.rule)"), tags: tags)
      try transport.apply(to: &record, kind: balancer.kind, tx, call.scope)
      let list = try ActionRules.read(input.defaultActions, on: name, sealer: sealer)
      record.defaultAction = list.action
      record.defaultChecks = list.checks.isEmpty ? nil : list.checks
      if let existing = present.first(where: { Self.conflict($0, record) }) {
        guard existing.isSame(record) else {
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
      try Self.checkTargetGroups(list.action, on: record, balancer, tx, call.scope)
      try tx.put(record, call.scope)
      try Self.checkShift(of: balancer, tx, call.scope)
      return (record, true)
    }
    await keySets.settle(record.defaultChecks)
    if isNew, try await reconciler.bind(record.arn, within: bindWait) == nil {
      call.logger.warning("the gate is away: a listener waits to be bound", metadata: ["listener": "\(record.arn)"])
    }
    return .make { $0.listeners = [Self.answer(record)] }
  }

  /// Whether two listeners would be on one port: TCP and UDP ports are apart.
  private static func conflict(_ one: ListenerRecord, _ other: ListenerRecord) -> Bool {
    func transports(_ name: String) -> Set<String> {
      switch name {
      case "UDP": ["UDP"]
      case "TCP_UDP": ["TCP", "UDP"]
      default: ["TCP"]
      }
    }
    return one.port == other.port
      && !transports(one.wireProtocol).isDisjoint(with: transports(other.wireProtocol))
  }

  /// - Throws: `CertificateNotFound` for certificates that no vault has, or that were not issued.
  func requireCertificates(_ certificates: [ELBv2.Certificate]?) async throws {
    for arn in (certificates ?? []).compactMap(\.certificateArn) where try await keyedCertificate(arn) == nil {
      throw ELBv2Error.certificateNotFound(arn)
    }
  }

  func keyedCertificate(_ arn: String) async throws -> KeyedCertificate? {
    for vault in certificates {
      if let found = try await vault.keyedCertificate(arn) { return found }
    }
    return nil
  }

  /// Whether a load balancer may forward to an action's target groups.
  /// - Throws: `TargetGroupNotFound`, `TargetGroupAssociationLimit`, `IncompatibleProtocols`,
  ///   `InvalidConfigurationRequest`, `TooManyUniqueTargetGroupsPerLoadBalancer`.
  static func checkTargetGroups(
    _ action: ActionRecord, on listener: ListenerRecord, _ balancer: LoadBalancerRecord, _ tx: Transaction,
    _ scope: Scope
  ) throws {
    guard !action.targetGroups.isEmpty else { return }
    let users = try tx.usersOfTargetGroups(scope)
    for arn in action.targetGroups {
      let group = try tx.targetGroup(arn, scope)
      guard listenerTakes(listener.wireProtocol, group.protocolName) else {
        throw ELBv2Error.incompatible(listener.wireProtocol, group.protocolName)
      }
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
    let used = Set(users.filter { $0.value.contains(balancer.arn) }.keys).union(action.targetGroups)
    guard used.count <= ELBv2Limits.targetGroupsPerLoadBalancerMax else {
      throw AWSError(
        "TooManyUniqueTargetGroupsPerLoadBalancer",
        "The maximum number of unique target groups per load balancer is "
          + "'\(ELBv2Limits.targetGroupsPerLoadBalancerMax)'")
    }
  }

  private static func listenerTakes(_ listener: String, _ group: String) -> Bool {
    switch listener {
    case "HTTP", "HTTPS": ["HTTP", "HTTPS"].contains(group)
    case "TCP": ["TCP", "TCP_UDP"].contains(group)
    case "TLS": ["TCP", "TLS"].contains(group)
    case "UDP": ["UDP", "TCP_UDP"].contains(group)
    default: group == listener
    }
  }

  func modifyListener(_ input: ELBv2.ModifyListenerInput, _ call: CallContext) async throws
    -> ELBv2.ModifyListenerOutput
  {
    let transport = TransportInput(
      protocolName: input.protocol, certificates: input.certificates, policy: input.sslPolicy, alpn: input.alpnPolicy,
      mutual: input.mutualAuthentication)
    try await requireCertificates(input.certificates)
    let sealer = store.sealer
    let (record, hasMoved) = try await store.write { tx in
      var record = try tx.listener(input.listenerArn, call.scope)
      let balancer = try tx.loadBalancer(record.loadBalancer, call.scope)
      let old = record
      if let port = input.port {
        guard (1...65_535).contains(port) else {
          throw ELBv2Error.validation("A listener port between '1' and '65535' must be specified")
        }
        record.port = port
      }
      try transport.apply(to: &record, kind: balancer.kind, tx, call.scope)
      let others = try tx.listeners(of: balancer.arn, call.scope).filter { $0.arn != record.arn }
      guard !others.contains(where: { Self.conflict($0, record) }) else {
        throw AWSError(
          "DuplicateListener", "A listener already exists on this port for this load balancer '\(balancer.arn)'")
      }
      if let actions = input.defaultActions, !actions.isEmpty {
        let list = try ActionRules.read(
          actions, on: record.wireProtocol, old: old.defaultChecks ?? [], sealer: sealer)
        record.defaultAction = list.action
        record.defaultChecks = list.checks.isEmpty ? nil : list.checks
      }
      try Self.checkTargetGroups(record.defaultAction, on: record, balancer, tx, call.scope)
      let hasMoved = record.port != old.port || record.wireProtocol != old.wireProtocol
      if hasMoved { record.bound = nil }
      try tx.put(record, call.scope)
      try Self.checkShift(of: balancer, tx, call.scope)
      return (record, hasMoved)
    }
    await keySets.settle(record.defaultChecks)
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
      $0.protocol = record.wireProtocol
      $0.defaultActions = ActionRules.answer(record.defaultChecks, record.defaultAction)
      guard record.endsTLS else { return }
      $0.certificates = record.certificates?.prefix(1).map { arn in .make { $0.certificateArn = arn } }
      $0.sslPolicy = record.securityPolicy
      if record.wireProtocol == "TLS" {
        $0.alpnPolicy = record.alpnPolicy.map { [$0] }
      } else {
        $0.mutualAuthentication = .make {
          $0.mode = record.mutual?.mode ?? "off"
          $0.trustStoreArn = record.mutual?.trustStore
          $0.ignoreClientCertificateExpiry = record.mutual?.ignoresExpiry
          $0.trustStoreAssociationStatus = record.mutual?.trustStore == nil ? nil : "active"
          $0.advertiseTrustStoreCaNames = record.mutual?.advertises
        }
      }
    }
  }
}

extension ListenerRecord {
  /// The same settings, whatever they are called and wherever they are bound.
  fileprivate func isSame(_ other: ListenerRecord) -> Bool {
    defaultAction == other.defaultAction && tags == other.tags && wireProtocol == other.wireProtocol
      && certificates?.first == other.certificates?.first && securityPolicy == other.securityPolicy
      && alpnPolicy == other.alpnPolicy && mutual == other.mutual
      && (defaultChecks ?? []).count == (other.defaultChecks ?? []).count
  }
}
