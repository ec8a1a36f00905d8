// How a loop defends itself: who is let in, who is closed when room is short, and what it tells the shield's watch.
import CLinux
import GateProtocol
import Glibc
import TrafficBaseline

/// What one loop saw since the last look.
struct LoopSample: Sendable {
  /// By load balancer.
  var sources: [String: [SourceActivity]] = [:]
  /// Connections of all kinds.
  var open = 0
  /// Microseconds that the question waited for the loop.
  var lag: UInt64 = 0
  /// Whether anything moved, or anybody keeps the loop waiting.
  var isActive = false
}

/// A loop's own bounds, set with every look.
struct LoopBounds {
  /// Connections that this loop may have: what the process may have without those of the other loops.
  var openMax = Int.max
  /// More work than time: strangers are let in a few at a time.
  var isOverloaded = false
  /// Strangers that may still be let in before the next look.
  var strangersLeft = 0
  /// No look for a while: the first activity wakes the watch.
  var isDormant = true
  var lastForget: UInt64 = 0
}

extension EventLoop {
  /// Strangers let in between two looks while the loop is overloaded.
  private static let strangersPerLook = 64

  // MARK: - Letting in

  /// The source's entry for a new connection; nil when the connection is to be refused.
  func admit(_ address: UInt32, to balancer: LoadBalancerRuntime) -> Int32? {
    if bounds.isDormant { wakeWatch() }
    if openCount >= bounds.openMax, !makeRoom(for: address, of: balancer) { return nil }
    let sources = balancer.sources
    if bounds.isOverloaded, !isServed(address, sources) {
      if bounds.strangersLeft <= 0 { return nil }
      bounds.strangersLeft -= 1
    }
    return sources.enter(address, fairShare: fairShare(sources), now: now)
  }

  /// The source of a connection that is gone has one less.
  func leaveSource(_ connection: Connection) {
    if let client = connection as? ClientConnection {
      client.balancer.sources.leave(client.slot)
    } else if let handshake = connection as? TLSHandshakeConnection {
      handshake.balancer?.sources.leave(handshake.slot)
    }
  }

  private func isServed(_ address: UInt32, _ sources: SourceTable) -> Bool {
    guard let slot = sources.find(address) else { return false }
    return sources.entries[Int(slot)].wasServed
  }

  /// Connections that one source may have: no bound while there is room for everybody.
  private func fairShare(_ sources: SourceTable) -> UInt32 {
    guard openCount > bounds.openMax / 2 else { return .max }
    return UInt32(max(16, 2 * bounds.openMax / max(1, sources.sourcesOpen + 1)))
  }

  func wakeWatch() {
    bounds.isDormant = false
    control.post(.active)
  }

  // MARK: - Making room

  /// Closes connections when descriptors run short: of the sources with the most, first those that are idle, then those
  /// that have never asked anything, then those with half a head. False when the newcomer's source is the heaviest.
  func makeRoom(for address: UInt32, of balancer: LoadBalancerRuntime) -> Bool {
    var candidates: [(open: UInt32, rank: Int, since: UInt64, client: Connection)] = []
    for connection in registered {
      if let handshake = connection as? TLSHandshakeConnection, let balancer = handshake.balancer {
        let open = balancer.sources.entries[Int(handshake.slot)].open
        candidates.append((open, 1, handshake.began, handshake))
      }
      guard let client = connection as? ClientConnection else { continue }
      let rank: Int
      switch client.waiting {
      case .idle: rank = 0
      case .first: rank = 1
      case .head: rank = 2
      case .nothing, .body, .answer: continue
      }
      let open = client.balancer.sources.entries[Int(client.slot)].open
      candidates.append((open, rank, client.pace.since, client))
    }
    guard !candidates.isEmpty else { return false }
    candidates.sort { first, second in
      if first.open != second.open { return first.open > second.open }
      if first.rank != second.rank { return first.rank < second.rank }
      return first.since < second.since
    }
    var own: UInt32 = 0
    if let slot = balancer.sources.find(address) { own = balancer.sources.entries[Int(slot)].open }
    guard own < candidates[0].open else { return false }
    // Some at a time, so that a flood does not make every newcomer look for them.
    for candidate in candidates.prefix(max(1, min(bounds.openMax / 32, 512))) where candidate.open > own {
      candidate.client.reset()
    }
    return openCount < bounds.openMax
  }

  // MARK: - Looks

  /// Looks at every client's connection, closes what is beyond its limits, and reports.
  func look(openElsewhere: Int, sentAt: UInt64) -> LoopSample {
    var sample = LoopSample()
    let time = gate_now()
    sample.lag = time &- sentAt
    for balancer in shieldedBalancers { balancer.sources.beginCounting() }
    for connection in registered {
      if let client = connection as? ClientConnection {
        if !client.isClosed, client.look(now: time) { sample.isActive = true }
      } else if let handshake = connection as? TLSHandshakeConnection, !handshake.isClosed {
        handshake.look(now: time)
        sample.isActive = true
      }
    }
    for balancer in shieldedBalancers {
      let activities = balancer.sources.report()
      if !activities.isEmpty {
        sample.sources[balancer.id] = activities
        sample.isActive = true
      }
      if time &- bounds.lastForget > 60_000_000 { balancer.sources.forgetOld(now: time) }
    }
    if time &- bounds.lastForget > 60_000_000 { bounds.lastForget = time }
    sample.open = openCount
    bounds.openMax = max(64, Self.descriptorsMax - openElsewhere)
    bounds.isOverloaded = sample.lag > 100_000
    bounds.strangersLeft = Self.strangersPerLook
    return sample
  }

  /// Descriptors for connections; the rest is for listeners, files and what is just being closed.
  static let descriptorsMax = max(64, Int(clamping: gate_file_limit()) * 15 / 16 - 128)

  /// Takes over what is to be done about a flood; whoever is held loses its connections at once.
  func apply(_ mitigations: [String: Mitigations]) {
    for balancer in shieldedBalancers {
      guard let new = mitigations[balancer.id] else { continue }
      balancer.sources.apply(new, now: now)
      guard !new.held.isEmpty || new.hurriesStrangers else { continue }
      for case let client as ClientConnection in registered where client.balancer === balancer {
        let entry = balancer.sources.entries[Int(client.slot)]
        if entry.heldUntil > now { client.reset() }
      }
    }
  }
}

extension ClientConnection {
  /// One look: counts, and closes when it must. True when the client does anything or keeps the loop waiting.
  fileprivate func look(now: UInt64) -> Bool {
    let sources = balancer.sources
    sources.countBytes(slot, receivedBytes &- countedBytes)
    countedBytes = receivedBytes
    switch checkPace(now: now) {
    case .fine: return waiting != .idle && waiting != .nothing
    case .slow:
      sources.countSlow(slot, now: now)
      // Over its number: a slow one goes first.
      if sources.entries[Int(slot)].open > sources.entries[Int(slot)].connectionsMax { reset() }
      return true
    case .expired(let offence):
      sources.countSlow(slot, now: now)
      sources.penalise(slot, offence, now: now)
      expirePace(offence)
      return true
    }
  }

  /// Counts a request whose head is complete; false when it is beyond its source's limit and is to be refused. Every
  /// protocol asks this once for each request.
  @inline(__always)
  final func admitsRequest() -> Bool {
    turn &+= 1
    if loop.bounds.isDormant { loop.wakeWatch() }
    return balancer.sources.admitsRequest(slot, now: loop.now)
  }

}

extension TLSHandshakeConnection {
  /// The load balancer whose sources this is one of; nil for those that do not count theirs.
  fileprivate var balancer: LoadBalancerRuntime? {
    slot < 0 ? nil : (acceptor as? ListenerRuntime)?.loadBalancer
  }

  /// As a client that has asked nothing yet.
  fileprivate func look(now: UInt64) {
    guard let balancer, now &- began > PaceLimits.slowAfter else { return }
    let sources = balancer.sources
    sources.countSlow(slot, now: now)
    let entry = sources.entries[Int(slot)]
    let isLate = entry.isHurried && now &- began > balancer.paceLimits.hurriedTime
    if isLate { sources.penalise(slot, .slowHead, now: now) }
    if isLate || entry.open > entry.connectionsMax { reset() }
  }
}

extension Connection {
  /// Closes with a reset: no bytes that wait, no lingering.
  final func reset() {
    if isClosed { return }
    gate_reset_on_close(descriptor)
    // No last words.
    tls = nil
    close()
  }
}
