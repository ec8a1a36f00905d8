// What happened between two statistics of the Gate: counters only rise, and begin again with a new worker.

import GateProtocol

/// The counters of one load balancer, node or target group over a stretch of time.
struct MetricDelta: Sendable, Equatable {
  /// CloudWatch's name → how much more.
  var counts: [String: UInt64] = [:]
  /// Of target groups.
  var latency = GateHistogram()
  /// Capacity units, of load balancers.
  var capacityUnits = 0.0

  mutating func add(_ name: String, _ now: UInt64, _ before: UInt64) {
    guard now > before else { return }
    counts[name, default: 0] += now - before
  }

  mutating func merge(_ other: MetricDelta) {
    counts.merge(other.counts, uniquingKeysWith: +)
    latency.merge(other.latency)
    capacityUnits += other.capacityUnits
  }

  /// - Parameter before: nil after a restart, or for a load balancer that is new.
  static func of(_ now: GateStatistics.LoadBalancer, before: GateStatistics.LoadBalancer?) -> MetricDelta {
    let old = before ?? GateStatistics.LoadBalancer(id: now.id)
    var delta = MetricDelta()
    delta.add("RequestCount", now.requests, old.requests)
    delta.add("NewConnectionCount", now.newConnections, old.newConnections)
    delta.add("ProcessedBytes", now.processedBytes, old.processedBytes)
    delta.add("ClientTLSNegotiationErrorCount", now.clientTLSErrors, old.clientTLSErrors)
    delta.add("RejectedConnectionCount", now.rejectedConnections, old.rejectedConnections)
    delta.add("RuleEvaluations", now.ruleEvaluations, old.ruleEvaluations)
    delta.add("HTTP_Redirect_Count", now.redirects, old.redirects)
    delta.add("HTTP_Redirect_Url_Limit_Exceeded_Count", now.redirectsTooLong, old.redirectsTooLong)
    delta.add("HTTP_Fixed_Response_Count", now.fixedResponses, old.fixedResponses)
    delta.add(
      "DesyncMitigationMode_NonCompliant_Request_Count", now.nonCompliantRequests, old.nonCompliantRequests)
    delta.add("DroppedInvalidHeaderRequestCount", now.droppedInvalidHeaders, old.droppedInvalidHeaders)
    delta.add("ForwardedInvalidHeaderRequestCount", now.forwardedInvalidHeaders, old.forwardedInvalidHeaders)
    delta.add("JwtValidationSuccessCount", now.tokensAccepted, old.tokensAccepted)
    delta.add("JwtValidationFailureCount", now.tokensRefused, old.tokensRefused)
    delta.add("ELBAuthSuccess", now.signInsSucceeded, old.signInsSucceeded)
    delta.add("ELBAuthRefreshTokenSuccess", now.signInsRefreshed, old.signInsRefreshed)
    delta.add("ELBAuthFailure", now.signInsRefused, old.signInsRefused)
    delta.add("ELBAuthError", now.signInsFailed, old.signInsFailed)
    delta.addCodes("HTTPCode_ELB", now.elb, old.elb)
    delta.addCodes("HTTPCode_Target", now.target, old.target)
    return delta
  }

  static func of(_ now: GateStatistics.TargetGroup, before: GateStatistics.TargetGroup?) -> MetricDelta {
    let old = before ?? GateStatistics.TargetGroup(id: now.id)
    var delta = MetricDelta()
    delta.add("RequestCount", now.requests, old.requests)
    delta.add("TargetConnectionErrorCount", now.connectionErrors, old.connectionErrors)
    delta.add("TargetTLSNegotiationErrorCount", now.targetTLSErrors, old.targetTLSErrors)
    delta.addCodes("HTTPCode_Target", now.target, old.target)
    delta.latency = before.map { now.latency.since($0.latency) } ?? now.latency
    return delta
  }

  static func of(
    _ now: GateStatistics.NetworkLoadBalancer, before: GateStatistics.NetworkLoadBalancer?
  ) -> MetricDelta {
    let old = before ?? GateStatistics.NetworkLoadBalancer(id: now.id)
    var delta = MetricDelta()
    delta.add("NewFlowCount", now.newFlows, old.newFlows)
    delta.add("NewFlowCount_TLS", now.newFlowsTLS, old.newFlowsTLS)
    delta.add("NewFlowCount_UDP", now.newFlowsUDP, old.newFlowsUDP)
    delta.add("NewFlowCount_TCP", now.newFlowsTCP, old.newFlowsTCP)
    delta.add("RejectedFlowCount", now.rejectedFlows, old.rejectedFlows)
    delta.add("TCP_ELB_Reset_Count", now.resets, old.resets)
    delta.add("ClientTLSNegotiationErrorCount", now.clientTLSErrors, old.clientTLSErrors)
    delta.add("TargetTLSNegotiationErrorCount", now.targetTLSErrors, old.targetTLSErrors)
    delta.add("ProcessedBytes", now.processedBytes, old.processedBytes)
    return delta
  }

  private mutating func addCodes(_ prefix: String, _ now: GateStatistics.Codes, _ old: GateStatistics.Codes) {
    // A load balancer's own answers below 300 are fixed responses and count as no error.
    if prefix == "HTTPCode_ELB" {
      add("\(prefix)_500_Count", now.code500, old.code500)
      add("\(prefix)_502_Count", now.code502, old.code502)
      add("\(prefix)_503_Count", now.code503, old.code503)
      add("\(prefix)_504_Count", now.code504, old.code504)
    } else {
      add("\(prefix)_2XX_Count", now.code2xx, old.code2xx)
    }
    add("\(prefix)_3XX_Count", now.code3xx, old.code3xx)
    add("\(prefix)_4XX_Count", now.code4xx, old.code4xx)
    add("\(prefix)_5XX_Count", now.code5xx, old.code5xx)
  }
}

extension GateStatistics.NetworkLoadBalancer {
  /// Those that are neither TLS nor UDP.
  fileprivate var newFlowsTCP: UInt64 { newFlows - min(newFlows, newFlowsTLS + newFlowsUDP) }
}
