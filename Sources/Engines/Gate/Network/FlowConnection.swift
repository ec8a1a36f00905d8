// Either end of a network load balancer's connection: the client's, or the target's.
import CLinux
import GateProtocol
import Glibc

/// A connection whose bytes are passed on as they are, or encrypted anew.
final class FlowConnection: Connection {
  private static let connectTimeout: UInt64 = 5_000_000
  private static let attemptsMax = 5

  let listener: NetworkListenerRuntime
  let source: FlowSource
  /// What this is a connection to; nil for clients.
  let target: TargetRuntime?
  /// The source's entry, of clients; -1 of targets' ends.
  let slot: Int32
  /// TLS ends here, on the client's side.
  private let isEncrypted: Bool
  private(set) var isConnecting: Bool
  private var hasConnected = false
  private var tried: [TargetRuntime] = []
  /// Of clients: the group, and the load balancer's node that they came in through.
  private var use: FlowGroupUse?
  private var node = 0
  /// Of the client's node.
  private var counters: FlowCounters
  private var isCounted = false
  /// For the line in the log, of clients: when the flow began, bytes without encryption, and what the target agreed to.
  private(set) var began: UInt64 = 0
  private(set) var sentBytes: UInt64 = 0
  /// Bytes that the source's entry knows of: those received, and all.
  var countedBytes: UInt64 = 0
  var countedTraffic: UInt64 = 0
  private var targetProtocol = ""

  init(
    loop: EventLoop, descriptor: Int32, listener: NetworkListenerRuntime, source: FlowSource,
    target: TargetRuntime? = nil, counters: FlowCounters? = nil, slot: Int32 = -1
  ) {
    self.slot = slot
    // A client's node is not known yet.
    self.counters = counters ?? listener.balancer.nodes[0].counters
    self.listener = listener
    self.source = source
    self.target = target
    isConnecting = target != nil
    isEncrypted = listener.tls != nil
    super.init(loop: loop, descriptor: descriptor)
    if let target {
      target.statistics.connections += 1
      target.statistics.requests += 1
      target.statistics.activeRequests += 1
    } else {
      began = loop.now
    }
  }

  /// The client's flow comes in through a node.
  private func begin(_ counters: FlowCounters) {
    self.counters = counters
    isCounted = true
    counters.statistics.newFlows += 1
    counters.statistics.activeFlows += 1
    if isEncrypted {
      counters.statistics.newFlowsTLS += 1
      counters.statistics.activeFlowsTLS += 1
    }
  }

  override var isTarget: Bool { target != nil }
  override var origin: Origin? { slot < 0 ? nil : Origin(balancer: listener.balancer, slot: slot) }

  /// Quiet for a second, it is idle as far as anybody can tell.
  override var dispensable: (Waiting, since: UInt64)? {
    guard slot >= 0, deadline != .max else { return nil }
    let quietSince = deadline &- listener.idleTimeout
    if traffic == 0 { return (.first, began) }
    return loop.now &- quietSince > 1_000_000 ? (.idle, quietSince) : nil
  }

  /// Bytes that passed in either direction.
  var traffic: UInt64 { receivedBytes &+ sentBytes }

  override func cutOff() {
    let other = peer
    counters.statistics.resets += 1
    reset()
    other?.close()
  }

  private func touch() { setDeadline(loop.now &+ listener.idleTimeout) }

  // MARK: - The client's side

  /// Connects to the flow's target; called again after each one that refused.
  func findTarget() {
    guard !isClosed, target == nil, peer == nil else { return }
    guard let use = use ?? listener.groups.choose(&loop.random) else {
      begin(listener.balancer.nextCounters())
      return refuse()
    }
    let group = use.group
    let hash = source.hash(isSticky: group.flow.isSticky)
    if self.use == nil {
      node = use.node(forFlow: hash)
      begin(use.counters(node: node))
    }
    self.use = use
    while tried.count < Self.attemptsMax,
      let target = use.target(forFlow: hash, node: node, now: loop.now, except: tried)
    {
      if tried.isEmpty, use.failsOpen(node: node) { counters.statistics.failOpenFlows += 1 }
      tried.append(target)
      var pending: Int32 = 0
      let descriptor = connect(target, group, &pending)
      if descriptor < 0 {
        fault(target)
        continue
      }
      let other = FlowConnection(
        loop: loop, descriptor: descriptor, listener: listener, source: source, target: target, counters: counters)
      peer = other
      other.peer = self
      other.setDeadline(loop.now + Self.connectTimeout)
      if group.usesTLS, !other.prepareTLS(tls?.applicationProtocol) {
        other.failConnecting()
        return
      }
      loop.add(other)
      if pending == 0, !other.isClosed { other.connected() }
      return
    }
    refuse()
  }

  private func connect(_ target: TargetRuntime, _ group: TargetGroupRuntime, _ pending: inout Int32) -> Int32 {
    if group.flow.preservesClientAddress {
      let descriptor = gate_connect_from(target.address.address, target.address.port, source.address, &pending)
      // An address that is not this machine's cannot be taken.
      if descriptor != -EADDRNOTAVAIL { return descriptor }
    }
    let descriptor = gate_connect(target.address.address, target.address.port, &pending)
    if descriptor == -EADDRNOTAVAIL { counters.statistics.portErrors += 1 }
    return descriptor
  }

  private func fault(_ target: TargetRuntime) {
    target.statistics.connectionErrors += 1
    target.group.statistics.connectionErrors += 1
    target.suspectUntil = loop.now + 1_000_000
  }

  private func refuse() {
    counters.statistics.rejectedFlows += 1
    resetAndClose()
  }

  private func resetAndClose() {
    if isClosed { return }
    counters.statistics.resets += 1
    closeWithReset()
  }

  /// Unlike `reset` keeps what TLS agreed on, which the line in the log tells.
  private func closeWithReset() {
    if isClosed { return }
    gate_reset_on_close(descriptor)
    close()
  }

  // MARK: - The target's side

  private func prepareTLS(_ applicationProtocol: String?) -> Bool {
    guard let client = loop.tlsClient, let target,
      case .success(let session) = Result(catching: { () throws(TLSFailure) in
        try client.session(
          loop.tlsEngine, sessions: target.sessions,
          protocols: applicationProtocol.map { $0.isEmpty ? [] : [$0] } ?? [])
      })
    else { return false }
    tls = session
    return true
  }

  private func connected() {
    hasConnected = true
    guard let target else { return }
    if target.group.flow.proxyProtocol {
      // In front of everything else, TLS included.
      let header = ProxyHeader.bytes(
        source: source, destination: FlowSource(address: listener.address, port: listener.port))
      let isSent = header.withUnsafeBufferPointer { bytes in
        bytes.baseAddress.map { send($0, bytes.count) } ?? true
      }
      if !isSent { return failConnecting() }
    }
    if let tls { return shakeHandsWithTarget(tls) }
    established()
  }

  private func shakeHandsWithTarget(_ tls: TLSSession) {
    let progress = shakeHands(tls)
    if progress == .done { return established() }
    if progress == .wantsMore, !sawEnd || mayRead { return }
    counters.statistics.targetTLSErrors += 1
    TLSFailure.forget()
    failConnecting()
  }

  private func established() {
    isConnecting = false
    deadline = .max
    let client = peer as? FlowConnection
    client?.targetProtocol = tls?.applicationProtocol ?? ""
    client?.touch()
    peer?.relay()
    if !isClosed, mayRead { relay() }
  }

  private func failConnecting() {
    let client = peer as? FlowConnection
    peer = nil
    client?.peer = nil
    if let target { fault(target) }
    close()
    client?.findTarget()
  }

  // MARK: - Events

  override func onWritable() {
    guard isConnecting, !hasConnected else { return flush() }
    if gate_socket_error(descriptor) != 0 { return failConnecting() }
    connected()
  }

  override func onReadable() {
    if isConnecting {
      if let tls, hasConnected { shakeHandsWithTarget(tls) }
      return
    }
    if let other = peer as? FlowConnection {
      if !other.isConnecting { relay() }
    } else if sawEnd {
      // A client that leaves before it has a target.
      close()
    }
  }

  override func onDrained() { if !isConnecting { peer?.relay() } }
  override func onFailure() { isConnecting ? failConnecting() : breakTunnel() }

  /// A reset is passed on to the other side.
  override func breakTunnel() {
    guard !isClosed, gate_was_reset(descriptor) != 0 else { return closeTunnel() }
    if target == nil {
      counters.statistics.clientResets += 1
    } else {
      counters.statistics.targetResets += 1
    }
    let other = peer as? FlowConnection
    close()
    other?.closeWithReset()
  }

  override func onDeadline() {
    if isConnecting { return failConnecting() }
    // Nothing passed for the idle time; both sides learn of it by a reset.
    let other = peer as? FlowConnection
    resetAndClose()
    other?.close()
  }

  override func relayed(_ count: Int) {
    if isEncrypted { counters.statistics.bytesTLS += UInt64(count) }
    if target == nil {
      counters.statistics.bytesIn += UInt64(count)
      touch()
    } else {
      counters.statistics.bytesOut += UInt64(count)
      let client = peer as? FlowConnection
      client?.sentBytes += UInt64(count)
      client?.touch()
    }
  }

  override func willClose() {
    // What passes is counted on the client's side.
    if target == nil { counters.statistics.packets += gate_segments(descriptor) }
  }

  override func onClose() {
    if let target {
      target.statistics.connections -= 1
      target.statistics.activeRequests -= 1
    } else {
      if isCounted {
        counters.statistics.activeFlows -= 1
        if isEncrypted { counters.statistics.activeFlowsTLS -= 1 }
      }
      countTraffic()
      if let tls, listener.balancer.accessLog != nil {
        var line = FlowLogLine(source: source, connectionTime: loop.now &- began &+ tls.handshakeTime)
        line.handshakeTime = tls.handshakeTime
        line.receivedBytes = receivedBytes
        line.sentBytes = sentBytes
        line.targetProtocol = targetProtocol
        listener.log(line, tls, loop)
      }
    }
  }
}

/// The header of the PROXY protocol, version 2, that tells a target who its client is.
/// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
enum ProxyHeader {
  static func bytes(source: FlowSource, destination: FlowSource) -> [UInt8] {
    var bytes: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    // Version 2, PROXY; TCP over IPv4; twelve bytes of addresses.
    bytes += [0x21, 0x11, 0, 12]
    for address in [source.address, destination.address] {
      for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: address >> shift)) }
    }
    for port in [source.port, destination.port] { bytes += [UInt8(port >> 8), UInt8(port & 255)] }
    return bytes
  }
}
