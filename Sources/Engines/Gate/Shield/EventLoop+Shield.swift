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
  /// How many there may be.
  var openMax = 0
  /// Microseconds that the question waited for the loop.
  var lag: UInt64 = 0
  /// The share of its time since the last look that the loop was busy.
  var load = 0.0
  /// What targets did, by load balancer.
  var waits: [String: TargetWait] = [:]
  /// Whether anything moved, or anybody keeps the loop waiting.
  var isActive = false
}

/// A loop's own bounds, set with every look.
struct LoopBounds {
  /// Connections that this loop may have: what its descriptor table holds, without those of other loops that share it.
  var openMax = Int.max
  /// More work than time: strangers are let in a few at a time.
  var isOverloaded = false
  /// Strangers that may still be let in before the next look.
  var strangersLeft = 0
  /// No look for a while: the first activity wakes the watch.
  var isDormant = true
  var lastForget: UInt64 = 0
  var load = LoopLoad()
}

/// What the shield stands in front of: a load balancer of either kind, as one loop sees it.
protocol Shielded: AnyObject {
  var id: String { get }
  /// Its clients by address.
  var sources: SourceTable { get }
  var paceLimits: PaceLimits { get }
}

extension GateSnapshot.Shield {
  /// What each source is held to, whatever happens.
  var sourceLimit: SourceLimit {
    SourceLimit(
      requestsPerSecond: requestsPerSource, connectionsPerSecond: newConnectionsPerSource,
      connectionsMax: connectionsPerSource, datagramsPerSecond: datagramsPerSource)
  }
}

extension LoadBalancerRuntime: Shielded {}
extension NetworkRuntime: Shielded {}

/// Whose client a connection is: a load balancer, and the source's entry there.
struct Origin {
  let balancer: any Shielded
  let slot: Int32

  var entry: SourceEntry { balancer.sources.entries[Int(slot)] }

  /// Counts a connection over which nothing was said yet; true when it is late, or over its source's number.
  func mustGo(silentFor waited: UInt64, now: UInt64) -> Bool {
    guard waited > PaceLimits.slowAfter else { return false }
    balancer.sources.countSlow(slot, now: now)
    let entry = entry
    let isLate = entry.isHurried && waited > balancer.paceLimits.hurriedTime
    if isLate { balancer.sources.penalise(slot, .slowHead, now: now) }
    return isLate || entry.open > entry.connectionsMax
  }
}

extension EventLoop {
  /// Strangers let in between two looks while the loop is overloaded.
  private static let strangersPerLook = 64

  // MARK: - Letting in

  /// The source's entry for a new connection; nil when the connection is to be refused.
  func admit(_ address: UInt32, to sources: SourceTable) -> Int32? {
    if bounds.isDormant { wakeWatch() }
    if openCount >= bounds.openMax, !makeRoom(for: address, of: sources) { return nil }
    if bounds.isOverloaded, !isServed(address, sources) {
      if bounds.strangersLeft <= 0 { return nil }
      bounds.strangersLeft -= 1
    }
    return sources.enter(address, fairShare: fairShare(sources), now: now)
  }

  /// The source of a connection that is gone has one less.
  func leaveSource(_ connection: Connection) {
    guard let origin = connection.origin else { return }
    origin.balancer.sources.leave(origin.slot)
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
  func makeRoom(for address: UInt32, of sources: SourceTable) -> Bool {
    var candidates: [(open: UInt32, rank: Int, since: UInt64, client: Connection)] = []
    for connection in registered {
      guard let connection, let origin = connection.origin, let (waiting, since) = connection.dispensable else {
        continue
      }
      let rank: Int
      switch waiting {
      case .idle: rank = 0
      case .first: rank = 1
      case .head: rank = 2
      case .nothing, .body, .answer: continue
      }
      candidates.append((origin.entry.open, rank, since, connection))
    }
    guard !candidates.isEmpty else { return false }
    candidates.sort { first, second in
      if first.open != second.open { return first.open > second.open }
      if first.rank != second.rank { return first.rank < second.rank }
      return first.since < second.since
    }
    var own: UInt32 = 0
    if let slot = sources.find(address) { own = sources.entries[Int(slot)].open }
    guard own < candidates[0].open else { return false }
    // Some at a time, so that a flood does not make every newcomer look for them.
    for candidate in candidates.prefix(max(1, min(bounds.openMax / 32, 512))) where candidate.open > own {
      candidate.client.cutOff()
    }
    return openCount < bounds.openMax
  }

  // MARK: - Looks

  /// Looks at every client's connection, closes what is beyond its limits, and reports.
  func look(openElsewhere: Int, sentAt: UInt64) -> LoopSample {
    var sample = LoopSample()
    let time = gate_now()
    sample.lag = time &- sentAt
    sample.load = bounds.load.share(now: time)
    let balancers = shieldedBalancers
    for balancer in balancers { balancer.sources.beginCounting() }
    for connection in registered {
      guard let connection, !connection.isClosed else { continue }
      if let client = connection as? ClientConnection {
        if client.look(now: time) { sample.isActive = true }
      } else if let handshake = connection as? TLSHandshakeConnection {
        handshake.look(now: time)
        sample.isActive = true
      } else if let flow = connection as? FlowConnection {
        if flow.look(now: time) { sample.isActive = true }
      } else if let flow = connection as? DatagramFlow {
        flow.look(now: time)
      }
    }
    for balancer in balancers {
      if let wait = (balancer as? LoadBalancerRuntime)?.takeWait() { sample.waits[balancer.id] = wait }
      let activities = balancer.sources.report()
      if !activities.isEmpty {
        sample.sources[balancer.id] = activities
        sample.isActive = true
      }
      if time &- bounds.lastForget > 60_000_000 { balancer.sources.forgetOld(now: time) }
    }
    if time &- bounds.lastForget > 60_000_000 { bounds.lastForget = time }
    sample.open = openCount
    bounds.openMax = ownsDescriptors ? Self.descriptorsMax : max(64, Self.descriptorsMax - openElsewhere)
    sample.openMax = ownsDescriptors ? Self.descriptorsMax : Self.descriptorsMax / room.loops
    checkRoomElsewhere()
    bounds.isOverloaded = sample.lag > 100_000
    bounds.strangersLeft = Self.strangersPerLook
    return sample
  }

  /// Descriptors of a table for connections; the rest is for listeners, files and what is just being closed.
  static let descriptorsMax = max(64, Int(clamping: gate_file_limit()) * 15 / 16 - 128)

  /// Takes over what is to be done about a flood; whoever is held loses its connections at once.
  func apply(_ mitigations: [String: Mitigations]) {
    for balancer in shieldedBalancers {
      guard let new = mitigations[balancer.id] else { continue }
      balancer.sources.apply(new, now: now)
      guard !new.held.isEmpty || new.hurriesStrangers else { continue }
      for connection in registered {
        guard let connection, let origin = connection.origin, origin.balancer === balancer else { continue }
        if origin.entry.heldUntil > now { connection.cutOff() }
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
  /// As a client that has asked nothing yet.
  fileprivate func look(now: UInt64) { if origin?.mustGo(silentFor: now &- began, now: now) ?? false { reset() } }
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
