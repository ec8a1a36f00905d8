// Network load balancers in a loop: their listeners, what comes in, what ends with a target.
import CLinux
import GateProtocol
import Glibc

extension EventLoop {
  /// Takes over the network load balancers of a snapshot.
  func configureNetwork(
    _ snapshot: GateSnapshot, _ streams: [String: BoundSocket], _ datagrams: [String: BoundSocket], _ tls: LoopMaterial
  ) {
    var keptBalancers: [String: NetworkRuntime] = [:]
    var kept: [Int32: NetworkListenerRuntime] = [:]
    for description in snapshot.networkLoadBalancers ?? [] {
      let balancer = networkBalancers[description.id] ?? NetworkRuntime(id: description.id)
      balancer.update(description, logs)
      balancer.update(description.shield, now: now)
      keptBalancers[description.id] = balancer
      for listener in description.listeners {
        for (socket, isDatagram) in [(streams[listener.id], false), (datagrams[listener.id], true)] {
          guard let socket else { continue }
          let groups = flowGroups(listener.targetGroups, balancer)
          var runtime = NetworkListenerRuntime(
            id: listener.id, socket: socket, balancer: balancer, isDatagram: isDatagram, groups: groups,
            idleTimeout: 0)
          if let old = networkListeners[socket.descriptor], old.id == listener.id, old.balancer === balancer {
            runtime = old
          }
          runtime.groups = groups
          runtime.name = listener.name ?? "-"
          runtime.idleTimeout = LoadBalancerRuntime.microseconds(listener.idleTimeout)
          runtime.tls = listener.transport == .tls ? tls.servers[listener.id] : nil
          kept[socket.descriptor] = runtime
        }
      }
    }
    for (descriptor, old) in networkListeners where kept[descriptor] !== old {
      if kept[descriptor] == nil { _ = gate_epoll_remove(poll, descriptor) }
      for flow in Array(old.flows.values) { flow.close() }
    }
    let before = Set(networkListeners.keys)
    for (id, old) in networkBalancers where keptBalancers[id] == nil { old.accessLog?.handOver() }
    networkBalancers = keptBalancers
    networkListeners = kept
    if isDraining { return }
    for descriptor in kept.keys where !before.contains(descriptor) { listen(descriptor, .endpoint) }
  }

  /// The groups of a snapshot's list.
  private func flowGroups(
    _ weighted: [GateSnapshot.WeightedTargetGroup], _ balancer: NetworkRuntime
  ) -> FlowGroups {
    FlowGroups(
      weighted.compactMap { entry in
        groups[entry.targetGroup].map { (balancer.use(of: $0), max(0, min(entry.weight, 999))) }
      })
  }

  /// Something came in for a network load balancer.
  func serve(_ listener: NetworkListenerRuntime) {
    if listener.isDatagram { receiveDatagrams(listener) } else { accept(listener) }
  }

  private func accept(_ listener: NetworkListenerRuntime) {
    for _ in 0..<4 {
      if leavesToOthers() { return }
      var address: UInt32 = 0
      var port: UInt16 = 0
      let descriptor = gate_accept(listener.descriptor, &address, &port)
      if descriptor < 0 { return acceptFailed(descriptor, listener.descriptor) }
      let sources = listener.balancer.sources
      guard let slot = admit(address, to: sources) else {
        let counters = listener.balancer.nextCounters()
        counters.statistics.rejectedFlows += 1
        counters.statistics.resets += 1
        gate_reset(descriptor)
        continue
      }
      if sources.isFiltering { _ = gate_filter_none(descriptor) }
      if let context = listener.tls {
        shakeHands(context, descriptor, listener, FlowSource(address: address, port: port), slot: slot)
      } else {
        let client = FlowConnection(
          loop: self, descriptor: descriptor, listener: listener, source: FlowSource(address: address, port: port),
          slot: slot)
        add(client)
        client.findTarget()
      }
    }
  }

  private func receiveDatagrams(_ listener: NetworkListenerRuntime) {
    if bounds.isDormant { wakeWatch() }
    for _ in 0..<64 {
      var address: UInt32 = 0
      var port: UInt16 = 0
      let count = gate_udp_receive(listener.descriptor, readBuffer, Self.readSize, &address, &port)
      if count < 0 { return }
      flow(listener, FlowSource(address: address, port: port))?.forward(readBuffer, count)
    }
  }

  /// The flow of a client, made if there is none; nil when the datagram is not to pass.
  private func flow(_ listener: NetworkListenerRuntime, _ source: FlowSource) -> DatagramFlow? {
    let sources = listener.balancer.sources
    if let known = listener.flows[source] { return sources.admitsDatagram(known.slot, now: now) ? known : nil }
    guard sources.admitsDatagram(sources.arrive(source.address, now: now), now: now) else { return nil }
    guard !isDraining,
      hasRoom(listener, for: source.address),
      let use = listener.groups.choose(&random)
    else {
      listener.balancer.nextCounters().countRejectedDatagram()
      return nil
    }
    let hash = source.hash(isSticky: use.group.flow.isSticky)
    let node = use.node(forFlow: hash)
    let counters = use.counters(node: node)
    guard let target = use.target(forFlow: hash, node: node, now: now, except: []) else {
      counters.countRejectedDatagram()
      return nil
    }
    let from = use.group.flow.preservesClientAddress ? source.address : 0
    var descriptor = gate_udp_connect(target.address.address, target.address.port, from)
    if descriptor == -EADDRNOTAVAIL, from != 0 {
      descriptor = gate_udp_connect(target.address.address, target.address.port, 0)
    }
    guard descriptor >= 0, let slot = admit(source.address, to: sources) else {
      if descriptor >= 0 { Glibc.close(descriptor) }
      if descriptor == -EADDRNOTAVAIL || descriptor == -EAGAIN { counters.statistics.portErrors += 1 }
      counters.countRejectedDatagram()
      return nil
    }
    if use.failsOpen(node: node) { counters.statistics.failOpenFlows += 1 }
    let flow = DatagramFlow(
      loop: self, descriptor: descriptor, listener: listener, source: source, target: target, counters: counters,
      slot: slot)
    add(flow)
    return flow.isClosed ? nil : flow
  }

  /// Whether a UDP socket may have one more flow. Looking for those that can go takes its time: not for every datagram.
  private func hasRoom(_ listener: NetworkListenerRuntime, for address: UInt32) -> Bool {
    if listener.flows.count < NetworkListenerRuntime.datagramFlowsMax { return true }
    guard now >= listener.nextClearing else { return false }
    listener.nextClearing = now + 100_000
    _ = makeRoom(for: address, of: listener.balancer.sources)
    return listener.flows.count < NetworkListenerRuntime.datagramFlowsMax
  }

  // MARK: - Targets that go

  /// The deregistration delay of a target is over.
  func expireFlows(_ key: TargetKey) {
    endFlows { target, _ in
      target.address == key.address && target.group.id == key.group && target.group.flow.endsWithDeregistration
    }
  }

  /// A target became unhealthy. Where that makes the load balancer fail open its flows go on.
  func endFlows(ofUnhealthy target: TargetRuntime) {
    if target.group.flow.endsWhenUnhealthy { endFlows(ofUnused: target) }
  }

  /// An unhealthy target has drained.
  func endFlows(ofDrained target: TargetRuntime) {
    if !target.isHealthy { endFlows(ofUnused: target) }
  }

  private func endFlows(ofUnused target: TargetRuntime) { endFlows { $0 === target && !$1.groups.offer($0) } }

  /// Ends the flows of targets; those of UDP find another with their next datagram.
  private func endFlows(_ condition: (TargetRuntime, NetworkListenerRuntime) -> Bool) {
    if networkListeners.isEmpty { return }
    for connection in connections {
      if let flow = connection as? FlowConnection, let target = flow.target, condition(target, flow.listener) {
        flow.closeTunnel()
      } else if let flow = connection as? DatagramFlow, condition(flow.target, flow.listener) {
        flow.close()
      }
    }
  }

  /// Takes no new flows; datagrams have no end to wait for.
  func drainNetwork() {
    for (descriptor, listener) in networkListeners {
      _ = gate_epoll_remove(poll, descriptor)
      for flow in Array(listener.flows.values) { flow.close() }
    }
  }
}
