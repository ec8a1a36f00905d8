// What happened between two statistics of the Gate: counters only rise, and begin again with a new worker.

import GateProtocol

/// The counters of one load balancer, node or target group over a stretch of time.
struct MetricDelta: Sendable, Equatable {
  /// CloudWatch's name → how much more.
  var counts: [String: UInt64] = [:]
  /// CloudWatch's name → durations.
  var times: [String: GateHistogram] = [:]

  mutating func add(_ name: String, _ now: UInt64, _ before: UInt64) {
    guard now > before else { return }
    counts[name, default: 0] += now - before
  }

  private mutating func add(_ name: String, _ now: GateHistogram, _ before: GateHistogram) {
    let more = now.since(before)
    if more.count > 0 { times[name, default: GateHistogram()].merge(more) }
  }

  mutating func merge(_ other: MetricDelta) {
    counts.merge(other.counts, uniquingKeysWith: +)
    for (name, histogram) in other.times { times[name, default: GateHistogram()].merge(histogram) }
  }

  /// Only what these names say.
  func only(_ names: Set<String>) -> MetricDelta {
    MetricDelta(counts: counts.filter { names.contains($0.key) }, times: times.filter { names.contains($0.key) })
  }

  /// - Parameter before: nil after a restart, or for a load balancer that is new.
  static func of(_ now: GateStatistics.LoadBalancer, before: GateStatistics.LoadBalancer?) -> MetricDelta {
    let old = before ?? GateStatistics.LoadBalancer(id: now.id)
    var delta = MetricDelta()
    delta.add("RequestCount", now.routedRequests, old.routedRequests)
    delta.add("NonStickyRequestCount", now.nonStickyRequests, old.nonStickyRequests)
    // From clients, and to targets.
    delta.add("NewConnectionCount", now.newConnections, old.newConnections)
    delta.add("NewConnectionCount", now.newTargetConnections, old.newTargetConnections)
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
    delta.add("ELBAuthUserClaimsSizeExceeded", now.signInsTooLarge, old.signInsTooLarge)
    delta.add("ELBAuthLatency", now.signInLatency, old.signInLatency)
    delta.addCodes("HTTPCode_ELB", now.elb, old.elb)
    delta.addCodes("HTTPCode_Target", now.target, old.target)
    return delta
  }

  static func of(_ now: GateStatistics.TargetGroup, before: GateStatistics.TargetGroup?) -> MetricDelta {
    let old = before ?? GateStatistics.TargetGroup(id: now.id)
    var delta = MetricDelta()
    delta.add("RequestCount", now.routedRequests, old.routedRequests)
    delta.add("GrpcRequestCount", now.grpcRequests, old.grpcRequests)
    delta.add("UnhealthyRoutingRequestCount", now.failOpenRequests, old.failOpenRequests)
    delta.add("TargetConnectionErrorCount", now.connectionErrors, old.connectionErrors)
    delta.add("TargetTLSNegotiationErrorCount", now.targetTLSErrors, old.targetTLSErrors)
    delta.add("TargetResponseTime", now.latency, old.latency)
    delta.addCodes("HTTPCode_Target", now.target, old.target)
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
    delta.add(
      "RejectedFlowCount_TCP", now.rejectedFlows - now.rejectedFlowsUDP, old.rejectedFlows - old.rejectedFlowsUDP)
    delta.add("UnhealthyRoutingFlowCount", now.failOpenFlows, old.failOpenFlows)
    delta.add("TCP_ELB_Reset_Count", now.resets, old.resets)
    delta.add("TCP_Client_Reset_Count", now.clientResets, old.clientResets)
    delta.add("TCP_Target_Reset_Count", now.targetResets, old.targetResets)
    delta.add("PortAllocationErrorCount", now.portErrors, old.portErrors)
    delta.add("ClientTLSNegotiationErrorCount", now.clientTLSErrors, old.clientTLSErrors)
    delta.add("TargetTLSNegotiationErrorCount", now.targetTLSErrors, old.targetTLSErrors)
    delta.add("ProcessedBytes", now.processedBytes, old.processedBytes)
    delta.add("ProcessedBytes_TCP", now.bytesTCP, old.bytesTCP)
    delta.add("ProcessedBytes_TLS", now.bytesTLS, old.bytesTLS)
    delta.add("ProcessedBytes_UDP", now.bytesUDP, old.bytesUDP)
    delta.add("ProcessedPackets", now.packets, old.packets)
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
