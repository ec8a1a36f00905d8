// Elastic Load Balancing: application load balancers. The Gate moves the requests; this module keeps what it is to do.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import ServiceKit
import Store

public final class ELBv2Service: AWSService {
  let environment: ServiceEnvironment
  let reconciler: GateReconciler
  let ports: PortPlan
  /// How long CreateListener waits for the Gate.
  let bindWait: Duration
  var store: Store { environment.store }

  /// The service that calls EC2 for load balancers, as AWS's service-linked role does.
  static let servicePrincipal = "elasticloadbalancing.amazonaws.com"

  public static let collections: [any Record.Type] = [
    LoadBalancerRecord.self, ListenerRecord.self, RuleRecord.self, TargetGroupRecord.self,
  ]

  /// - Parameter gate: shared with the other services that the Gate serves; ELBv2's part is "elbv2".
  public convenience init(_ environment: ServiceEnvironment, gate: GateController) {
    self.init(
      environment, gate: gate, ports: .system(), bindWait: .seconds(ELBv2Limits.bindWaitSecondsMax))
  }

  init(_ environment: ServiceEnvironment, gate: GateController, ports: PortPlan, bindWait: Duration) {
    self.environment = environment
    self.ports = ports
    self.bindWait = bindWait
    reconciler = GateReconciler(store: environment.store, gate: gate, ports: ports, logger: environment.logger)
  }

  public var apis: [ServiceAPI] { [ServiceAPI(ELBv2.model, actionPrefix: "elasticloadbalancing", table)] }

  public var resourceProviders: [ResourceProvider] {
    [loadBalancerProvider, listenerProvider, listenerRuleProvider, targetGroupProvider]
  }

  private var table: HandlerTable {
    var table = HandlerTable()
    addLoadBalancers(&table)
    addListeners(&table)
    addTargetGroups(&table)
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

  /// Keeps the Gate at what the store says.
  public func run() async throws { try await reconciler.run() }
}
