// From a request to a target: choosing one, connecting, trying another.
import CLinux
import GateProtocol
import Glibc

extension Exchange {
  /// Sends the request to a target of its group, over an idle connection if there is one.
  final func dispatch(except tried: TargetRuntime?) {
    guard let group else { return breakOff() }
    guard let target = wantedTarget ?? group.choose(now: loop.now, except: tried, &loop.random) else {
      return answer(LocalAnswer(status: 503), closing: !request.body.isDone)
    }
    wantedTarget = nil
    self.target = target
    if request.attempts == 0 { countRouted(group) }
    request.attempts += 1
    if target.group.protocolVersion != .http1 { return multiplex(to: target) }
    while let connection = target.idle.popLast() {
      if connection.isClosed { continue }
      // What may not be sent twice is not sent over a connection that is already closed.
      if !request.isIdempotent && gate_is_quiet(connection.descriptor) == 0 {
        connection.close()
        continue
      }
      connection.attach(self)
      return connection.sendRequest()
    }
    var pending: Int32 = 0
    let descriptor = gate_connect(target.address.address, target.address.port, &pending)
    if descriptor < 0 { return connectionRefused(target) }
    let usesTLS = target.group.usesTLS
    let connection = UpstreamConnection(
      loop: loop, descriptor: descriptor, target: target, node: node, isConnecting: pending != 0 || usesTLS)
    connection.attach(self)
    if usesTLS, !connection.prepareTLS() { return connection.fail() }
    loop.add(connection)
    if connection.isClosed { return }
    if pending == 0 { connection.connected() }
  }

  /// Sends the request over a connection that others share.
  private func multiplex(to target: TargetRuntime) {
    for connection in target.multiplexed where connection.hasRoom {
      if !request.isIdempotent, connection.isUnused, gate_is_quiet(connection.descriptor) == 0 {
        connection.retire()
        continue
      }
      return connection.start(self)
    }
    var pending: Int32 = 0
    let descriptor = gate_connect(target.address.address, target.address.port, &pending)
    if descriptor < 0 { return connectionRefused(target) }
    let usesTLS = target.group.usesTLS
    let connection = HTTP2TargetConnection(
      loop: loop, descriptor: descriptor, target: target, node: node, isConnecting: pending != 0 || usesTLS)
    target.multiplexed.append(connection)
    connection.start(self)
    if usesTLS, !connection.prepareTLS() { return connection.onFailure() }
    loop.add(connection)
    if pending == 0, !connection.isClosed { connection.connected() }
  }

  /// Counts a request for which a target was chosen.
  @inline(__always)
  private func countRouted(_ group: TargetPool) {
    node.statistics.routedRequests += 1
    let counters = group.counters(of: node)
    counters.statistics.routedRequests += 1
    if group.failsOpen { counters.statistics.failOpenRequests += 1 }
    if group.group.protocolVersion != .http1, isGRPC { counters.statistics.grpcRequests += 1 }
  }

  /// Counts a target's final answer.
  final func recordAnswer(of target: TargetRuntime, _ status: Int, sentAt: UInt64) {
    let elapsed = loop.now &- sentAt
    node.statistics.target.count(status)
    if let record {
      record.targetStatus = status
      record.answeredAt = loop.now
    }
    if let counters = group?.counters(of: node) {
      counters.statistics.target.count(status)
      counters.statistics.requests += 1
      counters.statistics.latency.record(microseconds: elapsed)
    }
    target.statistics.requests += 1
    target.statistics.codes.count(status)
    target.performance.record(isFailure: status >= 500)
    target.statistics.latency.record(microseconds: elapsed)
    target.suspectUntil = 0
  }

  /// No connection to the target could be made. Nothing was sent, so any request may go to another.
  final func connectionRefused(_ target: TargetRuntime) {
    upstream = nil
    target.statistics.connectionErrors += 1
    node.counters(of: target.group).statistics.connectionErrors += 1
    target.performance.record(isFailure: true)
    target.suspectUntil = loop.now + 1_000_000
    let others = (group?.eligible.count ?? 0) - 1
    if others > 0, request.attempts < max(Self.attemptsMax, min(others + 1, 8)) { return dispatch(except: target) }
    answer(LocalAnswer(status: 502), closing: !request.body.isDone)
  }

  /// The target's connection broke before a byte of the answer.
  /// - Parameter wasNotTaken: not a byte of the request reached the target, so any request may be sent again.
  final func upstreamBroke(_ target: TargetRuntime, wasNotTaken: Bool) {
    upstream = nil
    if request.isReplayable, request.isIdempotent || wasNotTaken, !outgoing.isEmpty,
      request.attempts < Self.attemptsMax
    {
      target.suspectUntil = loop.now + 200_000
      return dispatch(except: target)
    }
    answer(LocalAnswer(status: 502), closing: !request.body.isDone)
  }
}
