// Elastic Load Balancing: application and network load balancers. The Gate moves the requests; this module keeps what it is to do.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import GateTokens
import ServiceKit
import Store

public final class ELBv2Service: AWSService {
  let environment: ServiceEnvironment
  let reconciler: GateReconciler
  let keySets: KeySetKeeper
  let gate: GateController
  let ports: PortPlan
  let metrics: MetricsCollector
  /// Who keeps certificates for HTTPS and TLS listeners: ACM and IAM.
  let certificates: [any CertificateVault]
  /// How long CreateListener waits for the Gate.
  let bindWait: Duration
  var store: Store { environment.store }

  /// The service that calls EC2 for load balancers, as AWS's service-linked role does.
  static let servicePrincipal = "elasticloadbalancing.amazonaws.com"

  public static let collections: [any Record.Type] = [
    LoadBalancerRecord.self, ListenerRecord.self, RuleRecord.self, TargetGroupRecord.self, TrustStoreRecord.self,
    CookieKeyRecord.self, KeySetRecord.self, LinkKeyRecord.self,
  ]

  /// - Parameters:
  ///   - gate: shared with the other services that the Gate serves; ELBv2's part is "elbv2".
  ///   - authority: whose certificates identity providers may have, besides those of the machine's authorities.
  ///   - names: answers for hosts of identity providers and key sets before the machine's resolver does.
  public convenience init(
    _ environment: ServiceEnvironment, gate: GateController, certificates: [any CertificateVault] = [],
    authority: TrustedAuthority? = nil, names: (any HostedNames)? = nil
  ) {
    self.init(
      environment, gate: gate, certificates: certificates, authority: authority, names: names, ports: .system(),
      bindWait: .seconds(ELBv2Limits.bindWaitSecondsMax))
  }

  init(
    _ environment: ServiceEnvironment, gate: GateController, certificates: [any CertificateVault],
    authority: TrustedAuthority? = nil, names: (any HostedNames)? = nil, ports: PortPlan, bindWait: Duration,
    keySetTiming: KeySetKeeper.Timing = .init()
  ) {
    let places = ProviderPlaces(names: names, ports: ports, store: environment.store)
    keySets = KeySetKeeper(environment, gate: gate, authority: authority, places: places, timing: keySetTiming)
    self.certificates = certificates
    self.gate = gate
    self.environment = environment
    self.ports = ports
    metrics = MetricsCollector(environment, gate: gate, ports: ports)
    self.bindWait = bindWait
    reconciler = GateReconciler(
      environment, gate: gate, certificates: certificates, authority: authority, places: places, ports: ports,
      logDirectory: Self.logDirectory(environment))
  }

  /// The public key, as PEM, of the signatures that load balancers put under what they tell targets of a user; nil for an
  /// id that none of them uses.
  public func publicKey(id: String) async throws -> String? {
    let record = try await store.get(CookieKeyRecord.self, CookieKeyRecord.scope, CookieKeyRecord.id)
    guard let secret = try record?.key.open(store.sealer, context: CookieKeyRecord.context),
      let signer = IdentitySigner(secret: secret), signer.keyID == id
    else { return nil }
    return signer.publicKey
  }

  public var apis: [ServiceAPI] { [ServiceAPI(ELBv2.model, actionPrefix: "elasticloadbalancing", table)] }

  public var resourceProviders: [ResourceProvider] {
    [
      loadBalancerProvider, listenerProvider, listenerRuleProvider, targetGroupProvider, listenerCertificateProvider,
      trustStoreProvider, trustStoreRevocationProvider,
    ]
  }

  private var table: HandlerTable {
    var table = HandlerTable()
    addLoadBalancers(&table)
    addListeners(&table)
    addTargetGroups(&table)
    addTrustStores(&table)
    table.on(ELBv2.addTags, access: { input, _ in input.resourceArns.map { ResourceAccess($0) } }, addTags)
    table.on(ELBv2.removeTags, access: { input, _ in input.resourceArns.map { ResourceAccess($0) } }, removeTags)
    table.on(ELBv2.describeTags, describeTags)
    table.on(ELBv2.describeSSLPolicies, describeSSLPolicies)
    table.on(ELBv2.describeAccountLimits, describeAccountLimits)
    return table
  }

  private func addLoadBalancers(_ table: inout HandlerTable) {
    table.on(ELBv2.createLoadBalancer, createLoadBalancer)
    table.on(
      ELBv2.deleteLoadBalancer, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] }, deleteLoadBalancer)
    table.on(ELBv2.describeLoadBalancers, describeLoadBalancers)
    table.on(ELBv2.describeLoadBalancerAttributes, describeLoadBalancerAttributes)
    table.on(
      ELBv2.modifyLoadBalancerAttributes, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] },
      modifyLoadBalancerAttributes)
    table.on(
      ELBv2.setSecurityGroups, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] }, setSecurityGroups)
    table.on(ELBv2.setSubnets, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] }, setSubnets)
    table.on(ELBv2.setIpAddressType, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] }, setIpAddressType)
    table.on(ELBv2.describeCapacityReservation, describeCapacityReservation)
    table.on(
      ELBv2.modifyCapacityReservation, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] },
      modifyCapacityReservation)
    table.on(ELBv2.modifyIpPools, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] }, modifyIpPools)
  }

  private func addTrustStores(_ table: inout HandlerTable) {
    table.on(ELBv2.createTrustStore, createTrustStore)
    table.on(ELBv2.modifyTrustStore, access: { input, _ in [ResourceAccess(input.trustStoreArn)] }, modifyTrustStore)
    table.on(ELBv2.deleteTrustStore, access: { input, _ in [ResourceAccess(input.trustStoreArn)] }, deleteTrustStore)
    table.on(ELBv2.describeTrustStores, describeTrustStores)
    table.on(ELBv2.describeTrustStoreAssociations, describeTrustStoreAssociations)
    table.on(
      ELBv2.addTrustStoreRevocations, access: { input, _ in [ResourceAccess(input.trustStoreArn)] },
      addTrustStoreRevocations)
    table.on(
      ELBv2.removeTrustStoreRevocations, access: { input, _ in [ResourceAccess(input.trustStoreArn)] },
      removeTrustStoreRevocations)
    table.on(ELBv2.describeTrustStoreRevocations, describeTrustStoreRevocations)
    table.on(
      ELBv2.getTrustStoreCaCertificatesBundle, access: { input, _ in [ResourceAccess(input.trustStoreArn)] },
      getTrustStoreCaCertificatesBundle)
    table.on(
      ELBv2.getTrustStoreRevocationContent, access: { input, _ in [ResourceAccess(input.trustStoreArn)] },
      getTrustStoreRevocationContent)
    table.on(ELBv2.getResourcePolicy, access: { input, _ in [ResourceAccess(input.resourceArn)] }, getResourcePolicy)
    table.on(
      ELBv2.deleteSharedTrustStoreAssociation, access: { input, _ in [ResourceAccess(input.trustStoreArn)] },
      deleteSharedTrustStoreAssociation)
  }

  private func addListeners(_ table: inout HandlerTable) {
    table.on(ELBv2.createListener, access: { input, _ in [ResourceAccess(input.loadBalancerArn)] }, createListener)
    table.on(ELBv2.modifyListener, access: { input, _ in [ResourceAccess(input.listenerArn)] }, modifyListener)
    table.on(ELBv2.deleteListener, access: { input, _ in [ResourceAccess(input.listenerArn)] }, deleteListener)
    table.on(ELBv2.describeListeners, describeListeners)
    table.on(ELBv2.describeListenerAttributes, describeListenerAttributes)
    table.on(
      ELBv2.modifyListenerAttributes, access: { input, _ in [ResourceAccess(input.listenerArn)] },
      modifyListenerAttributes)
    table.on(
      ELBv2.addListenerCertificates, access: { input, _ in [ResourceAccess(input.listenerArn)] },
      addListenerCertificates)
    table.on(
      ELBv2.removeListenerCertificates, access: { input, _ in [ResourceAccess(input.listenerArn)] },
      removeListenerCertificates)
    table.on(ELBv2.describeListenerCertificates, describeListenerCertificates)
    table.on(ELBv2.createRule, access: { input, _ in [ResourceAccess(input.listenerArn)] }, createRule)
    table.on(ELBv2.modifyRule, access: { input, _ in [ResourceAccess(input.ruleArn)] }, modifyRule)
    table.on(ELBv2.deleteRule, access: { input, _ in [ResourceAccess(input.ruleArn)] }, deleteRule)
    table.on(ELBv2.describeRules, describeRules)
    table.on(
      ELBv2.setRulePriorities,
      access: { input, _ in input.rulePriorities.map { ResourceAccess($0.ruleArn ?? "*") } }, setRulePriorities)
  }

  private func addTargetGroups(_ table: inout HandlerTable) {
    table.on(ELBv2.createTargetGroup, createTargetGroup)
    table.on(ELBv2.modifyTargetGroup, access: { input, _ in [ResourceAccess(input.targetGroupArn)] }, modifyTargetGroup)
    table.on(ELBv2.deleteTargetGroup, access: { input, _ in [ResourceAccess(input.targetGroupArn)] }, deleteTargetGroup)
    table.on(ELBv2.describeTargetGroups, describeTargetGroups)
    table.on(ELBv2.describeTargetGroupAttributes, describeTargetGroupAttributes)
    table.on(
      ELBv2.modifyTargetGroupAttributes, access: { input, _ in [ResourceAccess(input.targetGroupArn)] },
      modifyTargetGroupAttributes)
    table.on(ELBv2.registerTargets, access: { input, _ in [ResourceAccess(input.targetGroupArn)] }, registerTargets)
    table.on(ELBv2.deregisterTargets, access: { input, _ in [ResourceAccess(input.targetGroupArn)] }, deregisterTargets)
    table.on(ELBv2.describeTargetHealth, describeTargetHealth)
  }

  /// Keeps the Gate at what the store says, and tells CloudWatch and S3 what it did.
  public func run() async throws {
    let shipper = LogShipper(self, directory: Self.logDirectory(environment))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.reconciler.run() }
      group.addTask { try await self.metrics.run(shipper) }
      group.addTask { try await self.keySets.run() }
      // Either ends with the task only, or with an error.
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Tells CloudWatch what load balancers counted in the minute that goes on, rather than at its end.
  /// - Throws: `GateError` while the Gate is away, `StoreError`.
  public func publishMetrics() async throws { try await metrics.tellNow() }

  /// Where the Gate writes the segments of logs.
  private static func logDirectory(_ environment: ServiceEnvironment) -> String { "\(environment.directory)/elb-logs" }
}
