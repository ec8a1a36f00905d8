// A UDP flow: one client, one target, and a socket between them that only this flow uses.
import CLinux
import GateProtocol
import Glibc

/// The target's side of a flow. Datagrams of the client come in through the listener's socket.
final class DatagramFlow: Connection {
  let listener: NetworkListenerRuntime
  let source: FlowSource
  let target: TargetRuntime
  /// Of the node that it came in through.
  private let counters: FlowCounters
  /// The source's entry.
  let slot: Int32
  private var isAnswered = false

  init(
    loop: EventLoop, descriptor: Int32, listener: NetworkListenerRuntime, source: FlowSource, target: TargetRuntime,
    counters: FlowCounters, slot: Int32
  ) {
    self.counters = counters
    self.slot = slot
    self.listener = listener
    self.source = source
    self.target = target
    super.init(loop: loop, descriptor: descriptor)
    target.statistics.connections += 1
    target.statistics.requests += 1
    target.statistics.activeRequests += 1
    counters.statistics.newFlows += 1
    counters.statistics.newFlowsUDP += 1
    counters.statistics.activeFlows += 1
    counters.statistics.activeFlowsUDP += 1
    listener.flows[source] = self
    touch()
  }

  override var origin: Origin? { Origin(balancer: listener.balancer, slot: slot) }

  /// Quiet for a second. Those that nobody answered go first: their senders may be forged.
  override var dispensable: (Waiting, since: UInt64)? {
    loop.now &- quietSince > 1_000_000 ? (isAnswered ? .first : .idle, quietSince) : nil
  }

  private var quietSince: UInt64 { deadline &- NetworkListenerRuntime.datagramIdleTime }

  override func cutOff() { close() }

  /// In an attack that leaves connections lying about, flows of strangers do not live on after their last datagram.
  func look(now: UInt64) {
    let isHurried = listener.balancer.sources.entries[Int(slot)].isHurried
    if isHurried, now &- quietSince > listener.balancer.paceLimits.hurriedTime { close() }
  }

  private func touch() { setDeadline(loop.now &+ NetworkListenerRuntime.datagramIdleTime) }

  /// Passes a client's datagram on. What the socket does not take is lost, as datagrams may be.
  func forward(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    touch()
    counters.statistics.bytesIn += UInt64(count)
    countDatagram(count)
    listener.balancer.sources.countBytes(slot, UInt64(count))
    let sent = gate_send(descriptor, bytes, count)
    if sent == -Int(ECONNREFUSED) { refused() }
  }

  private func countDatagram(_ count: Int) {
    counters.statistics.bytesUDP += UInt64(count)
    counters.statistics.packets += 1
  }

  /// Datagrams keep their bounds, so each is read by itself until there is none.
  override func onReadable() {
    while !isClosed {
      let count = gate_recv(descriptor, loop.readBuffer, EventLoop.readSize)
      if count == -Int(EAGAIN) {
        mayRead = false
        return
      }
      if count < 0 { return refused() }
      touch()
      isAnswered = true
      counters.statistics.bytesOut += UInt64(count)
      countDatagram(count)
      _ = gate_udp_send(listener.descriptor, loop.readBuffer, count, source.address, source.port)
    }
  }

  override func onWritable() {}
  override func onFailure() { refused() }

  /// Nobody listens at the target's port: the flow may find another target.
  private func refused() {
    target.statistics.connectionErrors += 1
    target.group.statistics.connectionErrors += 1
    target.suspectUntil = loop.now + 1_000_000
    close()
  }

  override func onClose() {
    target.statistics.connections -= 1
    target.statistics.activeRequests -= 1
    counters.statistics.activeFlows -= 1
    counters.statistics.activeFlowsUDP -= 1
    if listener.flows[source] === self { listener.flows[source] = nil }
  }
}
