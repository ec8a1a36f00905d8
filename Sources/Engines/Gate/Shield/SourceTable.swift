// What one loop knows of the clients of one load balancer, by source address: counters, limits, and who is held back.
import TrafficBaseline

/// The sources of one load balancer in one loop. Bounded: sources without connections are forgotten when it is full,
/// and while everybody has some, newcomers share one entry.
final class SourceTable {
  static let capacityMax = 1 << 16
  /// Microseconds for which a source without connections is remembered while there is room.
  private static let memory: UInt64 = 600_000_000
  private static let reportMax = 8192

  private(set) var entries: UnsafeMutablePointer<SourceEntry>
  private var capacity = 64
  private var used = 0
  private var freeList: Int32 = -1
  private var heads: [Int32]
  private let seed: UInt64
  private var touched: [Int32] = []
  private var sweepAt = 0
  private var mitigations = Mitigations()
  private var networks: [NetworkBuckets] = []
  /// What all strangers share.
  private var together = NetworkBuckets()
  private var networkIndex: [UInt32: Int32] = [:]
  /// Strangers seen since the last report.
  private var strangersSeen = 0
  /// So many strangers between two reports may be a flood.
  private static let crowd = 16
  /// Whoever does so much between two reports is no part of a crowd: it is judged by what it does to others.
  private static let muchForOne: UInt32 = 16
  /// What the load balancer is configured with.
  private(set) var limits = SourceLimit()
  /// Listening sockets have a filter, which accepted sockets inherit without needing it.
  private(set) var isFiltering = false
  /// Sources with connections.
  private(set) var sourcesOpen = 0
  private struct NetworkBuckets {
    var requests = TokenBucket()
    var connections = TokenBucket()
    var datagrams = TokenBucket()
  }

  init(seed: UInt64) {
    self.seed = seed | 1
    entries = .allocate(capacity: 64)
    heads = Array(repeating: -1, count: 64)
  }

  deinit { entries.deallocate() }

  /// Sources remembered.
  var count: Int {
    var free = 0
    var index = freeList
    while index >= 0 {
      free += 1
      index = entries[Int(index)].next
    }
    return used - free
  }

  // MARK: - Finding

  private func bucket(_ address: UInt32) -> Int {
    Int(truncatingIfNeeded: (UInt64(address) &* 0x9E37_79B9_7F4A_7C15 ^ seed) &* 0xD6E8_FEB8_6659_FD93 >> 32)
      & (heads.count - 1)
  }

  func find(_ address: UInt32) -> Int32? {
    var index = heads[bucket(address)]
    while index >= 0 {
      if entries[Int(index)].address == address { return index }
      index = entries[Int(index)].next
    }
    return nil
  }

  /// The source's entry, made when there is none.
  private func entry(_ address: UInt32, now: UInt64) -> Int32 {
    if let index = find(address) { return index }
    var index = freeList
    if index >= 0 {
      freeList = entries[Int(index)].next
    } else if used < capacity || grow() {
      index = Int32(used)
      used += 1
    } else if let reclaimed = reclaim(now: now) {
      index = reclaimed
    } else {
      // Everybody has connections: the newcomer shares the first entry's fate, which is as good as any.
      return 0
    }
    let hash = bucket(address)
    (entries + Int(index)).initialize(to: SourceEntry(address: address, next: heads[hash]))
    heads[hash] = index
    applyLimits(index, now: now)
    return index
  }

  private func grow() -> Bool {
    guard capacity < Self.capacityMax else { return false }
    let fresh = UnsafeMutablePointer<SourceEntry>.allocate(capacity: capacity * 2)
    fresh.moveInitialize(from: entries, count: used)
    entries.deallocate()
    entries = fresh
    capacity *= 2
    heads = Array(repeating: -1, count: capacity)
    for index in 0..<used where !entries[index].isFree {
      let hash = bucket(entries[index].address)
      entries[index].next = heads[hash]
      heads[hash] = Int32(index)
    }
    rebuildFreeList()
    return true
  }

  private func rebuildFreeList() {
    freeList = -1
    for index in 0..<used where entries[index].isFree {
      entries[index].next = freeList
      freeList = Int32(index)
    }
  }

  /// Forgets one source without connections, the longest unseen of a few.
  private func reclaim(now: UInt64) -> Int32? {
    var best = -1
    for _ in 0..<64 {
      sweepAt = (sweepAt + 1) % used
      let candidate = entries[sweepAt]
      if candidate.isFree || candidate.open > 0 || candidate.isTouched || isHeld(Int32(sweepAt), now: now) { continue }
      if best < 0 || candidate.lastSeen < entries[best].lastSeen { best = sweepAt }
    }
    guard best >= 0 else { return nil }
    unlink(Int32(best))
    return Int32(best)
  }

  private func unlink(_ index: Int32) {
    let hash = bucket(entries[Int(index)].address)
    if heads[hash] == index {
      heads[hash] = entries[Int(index)].next
      return
    }
    var at = heads[hash]
    while at >= 0 {
      if entries[Int(at)].next == index {
        entries[Int(at)].next = entries[Int(index)].next
        return
      }
      at = entries[Int(at)].next
    }
  }

  @inline(__always)
  private func touch(_ index: Int, now: UInt64) {
    entries[index].lastSeen = now
    if entries[index].isTouched { return }
    entries[index].isTouched = true
    if entries[index].isStranger { strangersSeen += 1 }
    touched.append(Int32(index))
  }

  // MARK: - Connections and requests

  /// Takes a connection of a source: its entry, or nil when it is to be refused.
  func enter(_ address: UInt32, fairShare: UInt32, now: UInt64) -> Int32? {
    let slot = entry(address, now: now)
    let index = Int(slot)
    touch(index, now: now)
    entries[index].connections &+= 1
    let isAdmitted =
      !isHeld(slot, now: now)
      && entries[index].open < min(entries[index].connectionsMax, fairShare)
      && entries[index].connectionBucket.take(now: now)
      && (entries[index].network < 0 || networks[Int(entries[index].network)].connections.take(now: now))
      && (!entries[index].isStranger
        || share(&together.connections, of: entries[index].connections, now: now))
    guard isAdmitted else {
      entries[index].refused &+= 1
      return nil
    }
    if entries[index].open == 0 { sourcesOpen += 1 }
    entries[index].open += 1
    return slot
  }

  /// Gives a connection back.
  func leave(_ slot: Int32) {
    let index = Int(slot)
    guard entries[index].open > 0 else { return }
    entries[index].open -= 1
    if entries[index].open == 0 { sourcesOpen -= 1 }
  }

  /// Whether a source may have one more request.
  @inline(__always)
  func admitsRequest(_ slot: Int32, now: UInt64) -> Bool {
    let index = Int(slot)
    touch(index, now: now)
    entries[index].requests &+= 1
    if !entries[index].isLimited {
      entries[index].wasServed = true
      return true
    }
    return admitsLimited(index, now: now)
  }

  private func admitsLimited(_ index: Int, now: UInt64) -> Bool {
    let isAdmitted =
      !isHeld(Int32(index), now: now) && entries[index].requestBucket.take(now: now)
      && (entries[index].network < 0 || networks[Int(entries[index].network)].requests.take(now: now))
      && (!entries[index].isStranger || share(&together.requests, of: entries[index].requests, now: now))
    if isAdmitted { entries[index].wasServed = true } else { entries[index].refused &+= 1 }
    return isAdmitted
  }

  /// Whether a stranger may have one more of what they have together. In peace nobody is refused while there is enough
  /// for everybody, unless many come at once: that may be the beginning of a flood.
  private func share(_ bucket: inout TokenBucket, of count: UInt32, now: UInt64) -> Bool {
    if !mitigations.isEmpty || mitigations.holdsStrangers { return bucket.take(now: now) }
    return count > Self.muchForOne || bucket.take(now: now) || strangersSeen < Self.crowd
  }

  /// The entry of a source that sent a datagram and has no flow yet.
  func arrive(_ address: UInt32, now: UInt64) -> Int32 { entry(address, now: now) }

  /// Whether a source may have one more datagram.
  @inline(__always)
  func admitsDatagram(_ slot: Int32, now: UInt64) -> Bool {
    let index = Int(slot)
    touch(index, now: now)
    entries[index].datagrams &+= 1
    if !entries[index].isLimited {
      entries[index].wasServed = true
      return true
    }
    return admitsLimitedDatagram(index, now: now)
  }

  private func admitsLimitedDatagram(_ index: Int, now: UInt64) -> Bool {
    let isAdmitted =
      !isHeld(Int32(index), now: now) && entries[index].datagramBucket.take(now: now)
      && (entries[index].network < 0 || networks[Int(entries[index].network)].datagrams.take(now: now))
      && (!entries[index].isStranger || share(&together.datagrams, of: entries[index].datagrams, now: now))
    if isAdmitted { entries[index].wasServed = true } else { entries[index].refused &+= 1 }
    return isAdmitted
  }

  /// Bytes passed over a connection of a network load balancer.
  func countFlow(_ slot: Int32, now: UInt64) {
    touch(Int(slot), now: now)
    entries[Int(slot)].wasServed = true
    entries[Int(slot)].flows &+= 1
  }

  /// Counts an offence. A source that goes on is held for ten seconds, unless it has the load balancer to itself.
  func penalise(_ slot: Int32, _ offence: Offence, now: UInt64) {
    let index = Int(slot)
    touch(index, now: now)
    if offence == .malformed {
      entries[index].errors &+= 1
      return
    }
    entries[index].offences &+= 1
    let age = Float(now &- entries[index].penaltyAt) / 1e6
    entries[index].penalty = entries[index].penalty * (10 / (10 + age)) + offence.weight
    entries[index].penaltyAt = now
    if entries[index].penalty >= 100, sourcesOpen > 1 {
      entries[index].penalisedUntil = now &+ 10_000_000
      entries[index].isLimited = true
      entries[index].penalty = 0
    }
  }

  func countBytes(_ slot: Int32, _ count: UInt64) { entries[Int(slot)].bytes &+= count }

  func countSlow(_ slot: Int32, now: UInt64) {
    touch(Int(slot), now: now)
    entries[Int(slot)].slow += 1
  }

  @inline(__always)
  func isHeld(_ slot: Int32, now: UInt64) -> Bool {
    max(entries[Int(slot)].heldUntil, entries[Int(slot)].penalisedUntil) > now
  }

  // MARK: - Limits

  /// Takes over the limits that the load balancer is configured with.
  func configure(_ limits: SourceLimit, now: UInt64) {
    if limits == self.limits { return }
    self.limits = limits
    for index in 0..<used where !entries[index].isFree { applyLimits(Int32(index), now: now) }
  }

  /// Takes over what is to be done about a flood.
  func apply(_ new: Mitigations, now: UInt64) {
    mitigations = new
    isFiltering = !new.held.isEmpty
    networks = []
    networkIndex = [:]
    set(&together.requests, new.strangersTogether.requestsPerSecond, now)
    set(&together.connections, new.strangersTogether.connectionsPerSecond, now)
    set(&together.datagrams, new.strangersTogether.datagramsPerSecond, now)
    for (prefix, limit) in new.prefixes {
      var buckets = NetworkBuckets()
      if let rate = limit.requestsPerSecond { buckets.requests.set(rate: Float(rate), burst: 40, now: now) }
      if let rate = limit.connectionsPerSecond { buckets.connections.set(rate: Float(rate), burst: 40, now: now) }
      if let rate = limit.datagramsPerSecond { buckets.datagrams.set(rate: Float(rate), burst: 200, now: now) }
      networkIndex[prefix] = Int32(networks.count)
      networks.append(buckets)
    }
    for index in 0..<used where !entries[index].isFree { applyLimits(Int32(index), now: now) }
  }

  private func applyLimits(_ slot: Int32, now: UInt64) {
    let index = Int(slot)
    let address = entries[index].address
    let flood = mitigations.limit(of: address)
    set(&entries[index].requestBucket, smaller(limits.requestsPerSecond, flood?.requestsPerSecond), 20, now)
    set(&entries[index].connectionBucket, smaller(limits.connectionsPerSecond, flood?.connectionsPerSecond), 10, now)
    set(&entries[index].datagramBucket, smaller(limits.datagramsPerSecond, flood?.datagramsPerSecond), 100, now)
    let most = smaller(limits.connectionsMax.map(Double.init), flood?.connectionsMax.map(Double.init))
    entries[index].connectionsMax = most.map { UInt32(max(1, min($0, 1e9))) } ?? .max
    let isStranger = mitigations.isStranger(address)
    entries[index].isStranger = isStranger
    entries[index].isHurried = isStranger && mitigations.hurriesStrangers
    entries[index].network = isStranger ? networkIndex[Mitigations.prefix(of: address)] ?? -1 : -1
    if let until = mitigations.held[address] {
      entries[index].heldUntil = max(entries[index].heldUntil, UInt64(until * 1e6))
    } else if mitigations.isEmpty {
      entries[index].heldUntil = 0
    }
    entries[index].isLimited =
      isStranger || !entries[index].requestBucket.isUnlimited || !entries[index].datagramBucket.isUnlimited
      || entries[index].network >= 0 || isHeld(slot, now: now)
  }

  private func smaller(_ first: Double?, _ second: Double?) -> Double? {
    guard let first, let second else { return first ?? second }
    return min(first, second)
  }

  /// What is shared has a burst of a tenth of a second, so that many cannot pour in at once.
  private func set(_ bucket: inout TokenBucket, _ rate: Double?, _ now: UInt64) {
    guard let rate else { return bucket.lift() }
    bucket.set(rate: Float(rate), burst: max(30, Float(rate) / 10), now: now)
  }

  /// The burst lets a page with all that belongs to it through even when the rate is small.
  private func set(_ bucket: inout TokenBucket, _ rate: Double?, _ burst: Float, _ now: UInt64) {
    guard let rate else { return bucket.lift() }
    bucket.set(rate: Float(rate), burst: max(burst, Float(rate)), now: now)
  }

  // MARK: - Reports

  /// Before connections are looked at for slow ones.
  func beginCounting() { for index in touched { entries[Int(index)].slow = 0 } }

  /// What was seen since the last report.
  func report() -> [SourceActivity] {
    var result: [SourceActivity] = []
    result.reserveCapacity(min(touched.count, Self.reportMax))
    for slot in touched {
      let index = Int(slot)
      if result.count < Self.reportMax { result.append(activity(entries[index])) }
      entries[index].isTouched = false
      entries[index].requests = 0
      entries[index].connections = 0
      entries[index].datagrams = 0
      entries[index].flows = 0
      entries[index].refused = 0
      entries[index].errors = 0
      entries[index].offences = 0
      entries[index].bytes = 0
      entries[index].slow = 0
    }
    strangersSeen = 0
    touched.removeAll(keepingCapacity: touched.count < 1024)
    return result
  }

  private func activity(_ entry: SourceEntry) -> SourceActivity {
    var result = SourceActivity(address: entry.address)
    result.requests = UInt64(entry.requests)
    result.connections = UInt64(entry.connections)
    result.datagrams = UInt64(entry.datagrams)
    result.flows = UInt64(entry.flows)
    result.refused = UInt64(entry.refused)
    result.errors = UInt64(entry.errors)
    result.offences = UInt64(entry.offences)
    result.bytes = entry.bytes
    result.open = UInt64(entry.open)
    result.slow = UInt64(entry.slow)
    return result
  }

  /// Forgets who has not been seen for long.
  func forgetOld(now: UInt64) {
    guard used > 64 else { return }
    for index in 0..<used {
      let entry = entries[index]
      guard !entry.isFree, entry.open == 0, !entry.isTouched, !isHeld(Int32(index), now: now),
        now &- entry.lastSeen > Self.memory
      else { continue }
      unlink(Int32(index))
      entries[index].isFree = true
      entries[index].next = freeList
      freeList = Int32(index)
    }
  }
}
