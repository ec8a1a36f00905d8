// Probes all targets, each in its own rhythm, from the control thread.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// The health of all targets: configured by snapshots, moved on by probes.
final class HealthChecker {
  private static let answerMax = 4096

  private final class Entry {
    let key: TargetKey
    var check: GateSnapshot.HealthCheck
    var matcher: StatusMatcher
    var target: GateSnapshot.Target
    var isUsed: Bool
    /// A load balancer uses the group, but has no node in the target's zone.
    var isOutOfZone = false
    /// A zonal shift takes the target's zone out.
    var override: GateTargetHealth.Override?
    /// How long it drains when it becomes unhealthy, in microseconds; 0 for not at all.
    var unhealthyDraining: UInt64 = 0
    /// Since when it does; nil while it does not.
    var unhealthyDrainingSince: UInt64?
    var unhealthyDrainDeadline: UInt64? { unhealthyDrainingSince.map { $0 + unhealthyDraining } }
    var health = HealthState()
    var nextProbe: UInt64
    /// When the next probe in the configured rhythm is due; those before are extra, and their failures do not count.
    var nextRegular: UInt64 = 0
    var isExtra = false
    var probe: Probe?
    /// When a draining target's time is over; nil for others.
    var drainDeadline: UInt64?
    var hasDrained = false
    /// Where its probes are written down.
    var logs: [LogSink] = []
    var groupName = "-"

    init(key: TargetKey, check: GateSnapshot.HealthCheck, target: GateSnapshot.Target, isUsed: Bool, now: UInt64) {
      self.key = key
      self.check = check
      self.target = target
      self.isUsed = isUsed
      matcher = StatusMatcher(check.matcher)
      nextProbe = now
      if check.probe == .none { health = .unprobed }
    }
  }

  private final class Probe {
    let descriptor: Int32
    let began: UInt64
    let deadline: UInt64
    var isConnected = false
    var hasSent = false
    /// What the target answered, once it did: for logs.
    var status: Int?
    var answer: [UInt8] = []
    var tls: TLSProbe?
    /// For checks over HTTP/2.
    var http2: HTTP2Probe?

    init(descriptor: Int32, began: UInt64, deadline: UInt64) {
      self.descriptor = descriptor
      self.began = began
      self.deadline = deadline
    }
  }

  private let poll: Int32
  /// Makes the epoll token of a probe's descriptor.
  private let token: (Int32) -> UInt64
  private var entries: [TargetKey: Entry] = [:]
  private var order: [TargetKey] = []
  private var probes: [Int32: Entry] = [:]
  private var head = MessageHead()
  /// Targets whose reported health changed since the last `takeChanges`.
  private var changed: Set<TargetKey> = []
  /// Targets that became usable or unusable.
  private var verdicts: [(TargetKey, Bool)] = []
  /// Unhealthy targets that have drained.
  private var unhealthyDrained: [TargetKey] = []

  private let tls: TLSKeeper
  private lazy var engine = TLSEngine()
  private let writer: LogWriter
  /// Of load balancers, by their ids.
  private var sinks: [String: LogSink] = [:]

  init(poll: Int32, tls: TLSKeeper, logs: LogWriter, token: @escaping (Int32) -> UInt64) {
    writer = logs
    self.poll = poll
    self.tls = tls
    self.token = token
  }

  // MARK: - Configuration

  /// Takes over the targets of a snapshot. Targets that stay keep what is known of them.
  func configure(_ snapshot: GateSnapshot, now: UInt64) {
    let used = GroupZones.used(in: snapshot)
    let logs = sinks(snapshot)
    var kept: [TargetKey: Entry] = [:]
    order = []
    for group in snapshot.targetGroups {
      for target in group.targets {
        guard let number = IPv4.parse(target.address) else { continue }
        let key = TargetKey(group: group.id, address: SocketAddress(address: number, port: target.port))
        guard kept[key] == nil else { continue }
        let zones = used[group.id]
        let isInZone = zones?.serve(target.zone) ?? true
        let isUsed = zones != nil && isInZone
        let entry =
          entries[key] ?? Entry(key: key, check: group.healthCheck, target: target, isUsed: isUsed, now: now)
        let isNew = entries[key] == nil
        let before = report(entry)
        entry.override = zones?.override(target.zone)
        update(entry, group, target, isUsed: isUsed, isOutOfZone: !isInZone, now: now)
        if isNew || report(entry) != before { changed.insert(entry.key) }
        entry.logs = logs[group.id] ?? []
        entry.groupName = group.name ?? "-"
        kept[key] = entry
        order.append(key)
      }
    }
    for (key, entry) in entries where kept[key] == nil { endProbe(entry) }
    entries = kept
  }

  private func update(
    _ entry: Entry, _ group: GateSnapshot.TargetGroup, _ target: GateSnapshot.Target, isUsed: Bool,
    isOutOfZone: Bool, now: UInt64
  ) {
    entry.isOutOfZone = isOutOfZone
    entry.unhealthyDraining = (group.flow?.unhealthyDraining).map { UInt64(max(0, min($0, 1e9)) * 1e6) } ?? 0
    if entry.unhealthyDraining == 0 { entry.unhealthyDrainingSince = nil }
    let wasUnprobed = entry.check.probe == .none
    if entry.check != group.healthCheck {
      entry.check = group.healthCheck
      entry.matcher = StatusMatcher(group.healthCheck.matcher)
      entry.nextProbe = min(entry.nextProbe, now)
      if group.healthCheck.probe == .none { entry.health = .unprobed }
    }
    if !entry.isUsed && isUsed { entry.nextProbe = now }
    entry.isUsed = isUsed
    if target.state == .registered, entry.target.state == .draining {
      // Registered again: begins like a new target.
      entry.health = entry.check.probe == .none ? .unprobed : HealthState()
      entry.nextProbe = now
      entry.hasDrained = false
    }
    if wasUnprobed, entry.check.probe != .none { entry.health = HealthState() }
    entry.target = target
    if target.state == .draining {
      entry.drainDeadline =
        entry.drainDeadline ?? now + LoadBalancerRuntime.microseconds(group.deregistrationDelay)
    } else {
      entry.drainDeadline = nil
    }
    if entry.health.state != .unhealthy || target.state == .draining { entry.unhealthyDrainingSince = nil }
  }

  /// Where the probes of each group are written down.
  private func sinks(_ snapshot: GateSnapshot) -> [String: [LogSink]] {
    var kept: [String: LogSink] = [:]
    var result: [String: [LogSink]] = [:]
    for balancer in snapshot.loadBalancers {
      let folder = balancer.logs.healthFolder
      guard let sink = LogSink.replacing(sinks[balancer.id], folder: folder, balancer.logs, writer) else { continue }
      kept[balancer.id] = sink
      for group in GroupZones.groups(of: balancer) { result[group, default: []].append(sink) }
    }
    sinks = kept
    return result
  }

  // MARK: - Asking

  /// The targets that may get requests.
  var healthy: Set<TargetKey> { Set(entries.values.filter { $0.health.state == .healthy }.map(\.key)) }

  var all: [GateTargetHealth] { order.compactMap { entries[$0].map(report) } }

  /// The targets whose health changed, and those that became usable or not, since the last call.
  func takeChanges() -> (reports: [GateTargetHealth], verdicts: [(TargetKey, Bool)]) {
    defer {
      changed = []
      verdicts = []
    }
    return (order.filter(changed.contains).compactMap { entries[$0].map(report) }, verdicts)
  }

  /// The unhealthy targets that have drained since the last call.
  func takeUnhealthyDrained() -> [TargetKey] {
    defer { unhealthyDrained = [] }
    return unhealthyDrained
  }

  private func report(_ entry: Entry) -> GateTargetHealth {
    var health = GateTargetHealth(
      targetGroup: entry.key.group, address: entry.target.address, port: entry.target.port, state: entry.health.state,
      reason: entry.health.reason, description: entry.health.description, override: entry.override)
    if entry.unhealthyDrainingSince != nil { health.state = .unhealthyDraining }
    if entry.hasDrained {
      (health.state, health.reason) = (.unused, .notRegistered)
      health.description = "Target is not registered to the target group"
    } else if entry.target.state == .draining {
      (health.state, health.reason) = (.draining, .deregistrationInProgress)
      health.description = "Target deregistration is in progress"
    } else if !entry.isUsed {
      (health.state, health.reason) = (.unused, .notInUse)
      health.description =
        entry.isOutOfZone
        ? "Target is in an Availability Zone that is not enabled for the load balancer"
        : "Target group is not configured to receive traffic from the load balancer"
    }
    return health
  }

  // MARK: - Draining

  var isDraining: Bool { entries.values.contains { $0.drainDeadline != nil && !$0.hasDrained } }

  /// Marks as drained the targets that have no requests in flight, and those whose time is over; returns the latter.
  func finishDraining(active: [TargetKey: Int]?, now: UInt64) -> [TargetKey] {
    var expired: [TargetKey] = []
    for entry in entries.values {
      guard let deadline = entry.drainDeadline, !entry.hasDrained else { continue }
      let isOver = deadline <= now
      let isQuiet = active.map { $0[entry.key] ?? 0 == 0 } ?? false
      if isOver { expired.append(entry.key) }
      if isOver || isQuiet {
        entry.hasDrained = true
        changed.insert(entry.key)
      }
    }
    return expired
  }

  // MARK: - Probing

  /// Starts what is due and ends what took too long; returns when to call again.
  func advance(now: UInt64) -> UInt64 {
    var next = UInt64.max
    for entry in entries.values {
      if let probe = entry.probe {
        if probe.deadline <= now {
          conclude(entry, .timedOut, now, probe.isConnected ? .requestTimedOut : .connectionTimedOut)
        }
      } else if entry.isUsed, entry.target.state == .registered, entry.check.probe != .none, entry.nextProbe <= now {
        start(entry, now)
      }
      if let probe = entry.probe {
        next = min(next, probe.deadline)
      } else if entry.isUsed, entry.target.state == .registered, entry.check.probe != .none {
        next = min(next, entry.nextProbe)
      }
      if let deadline = entry.drainDeadline, !entry.hasDrained { next = min(next, deadline) }
      if let deadline = entry.unhealthyDrainDeadline {
        if deadline <= now { endUnhealthyDraining(entry) } else { next = min(next, deadline) }
      }
    }
    return next
  }

  private func endUnhealthyDraining(_ entry: Entry) {
    entry.unhealthyDrainingSince = nil
    unhealthyDrained.append(entry.key)
    changed.insert(entry.key)
  }

  private func start(_ entry: Entry, _ now: UInt64) {
    entry.isExtra = now < entry.nextRegular
    if !entry.isExtra { entry.nextRegular = now + LoadBalancerRuntime.microseconds(entry.check.interval) }
    entry.nextProbe = entry.nextRegular
    let before = entry.health
    entry.health.begin()
    if entry.health != before { changed.insert(entry.key) }
    var pending: Int32 = 0
    let descriptor = gate_connect(entry.key.address.address, entry.check.port ?? entry.key.address.port, &pending)
    if descriptor < 0 { return conclude(entry, .failed, now, .connectionReset) }
    let probe = Probe(
      descriptor: descriptor, began: now, deadline: now + LoadBalancerRuntime.microseconds(entry.check.timeout))
    entry.probe = probe
    probes[descriptor] = entry
    let flags = GATE_EPOLLIN | GATE_EPOLLOUT | GATE_EPOLLRDHUP | GATE_EPOLLET
    if gate_epoll_add(poll, descriptor, flags, token(descriptor)) < 0 { conclude(entry, .failed, now, .internalError) }
  }

  /// An event on a probe's descriptor.
  func handle(_ descriptor: Int32, now: UInt64) {
    guard let entry = probes[descriptor], let probe = entry.probe else { return }
    if !probe.hasSent {
      if gate_socket_error(descriptor) != 0 { return conclude(entry, .failed, now, .connectionReset) }
      probe.isConnected = true
      if entry.check.probe == .tcp { return conclude(entry, .passed, now) }
      if probe.http2 == nil, entry.check.probe.isHTTP2 { probe.http2 = HTTP2Probe(isGRPC: entry.check.probe.isGRPC) }
      if entry.check.probe.isSecure { return probeEncrypted(entry, probe, now) }
      let sent = request(entry).withUnsafeBufferPointer { bytes in
        bytes.baseAddress.map { gate_send(descriptor, $0, bytes.count) } ?? 0
      }
      if sent == -Int(EAGAIN) { return }
      // A request is far smaller than a socket's buffer.
      if sent <= 0 { return conclude(entry, .failed, now, .connectionReset) }
      probe.hasSent = true
    }
    readAnswer(entry, probe, now)
  }

  private func request(_ entry: Entry) -> [UInt8] {
    let path = entry.check.path.hasPrefix("/") ? entry.check.path : "/" + entry.check.path
    if entry.check.probe.isHTTP2 {
      return HTTP2Probe.request(
        path: path, authority: "\(entry.target.address):\(entry.target.port)", isGRPC: entry.check.probe.isGRPC,
        scheme: entry.check.probe.isSecure ? "https" : "http")
    }
    return Array(
      ("GET \(path) HTTP/1.1\r\nHost: \(entry.target.address):\(entry.target.port)\r\nConnection: close\r\n"
        + "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n").utf8)
  }

  private func probeEncrypted(_ entry: Entry, _ probe: Probe, _ now: UInt64) {
    if probe.tls == nil {
      let protocols = entry.check.probe.isHTTP2 ? ["h2"] : []
      probe.tls = try? TLSProbe(tls.probeClient(), engine, request: request(entry), protocols: protocols)
    }
    guard let encrypted = probe.tls else { return conclude(entry, .failed, now, .internalError) }
    let progress = encrypted.advance(probe.descriptor)
    probe.answer += encrypted.takeAnswer()
    if let outcome = judge(entry, probe) { return conclude(entry, outcome, now) }
    if progress != .wantsMore { conclude(entry, .failed, now, progress == .ended ? .connectionReset : .targetError) }
  }

  /// What the answer says so far; nil while its head is not complete.
  private func judge(_ entry: Entry, _ probe: Probe) -> ProbeOutcome? {
    if let http2 = probe.http2 { return judge(entry, probe, http2.take(&probe.answer)) }
    let status = probe.answer.withUnsafeBufferPointer { bytes -> Int? in
      guard let base = bytes.baseAddress else { return nil }
      switch head.parseResponse(base, bytes.count) {
      case .complete: return head.status
      case .incomplete: return nil
      case .refused: return -1
      }
    }
    guard let status else { return probe.answer.count > Self.answerMax ? .failed : nil }
    if status < 0 { return .failed }
    probe.status = status
    return entry.matcher.contains(status) ? .passed : .wrongStatus(status)
  }

  private func judge(_ entry: Entry, _ probe: Probe, _ outcome: HTTP2Probe.Outcome) -> ProbeOutcome? {
    switch outcome {
    case .more: return nil
    case .status(let status):
      probe.status = status
      return entry.matcher.contains(status) ? .passed : .wrongStatus(status)
    case .failed: return .failed
    }
  }

  private func readAnswer(_ entry: Entry, _ probe: Probe, _ now: UInt64) {
    var buffer = [UInt8](repeating: 0, count: 1024)
    while true {
      let count = gate_recv(probe.descriptor, &buffer, buffer.count)
      if count == -Int(EAGAIN) { return }
      if count > 0 { probe.answer += buffer[0..<count] }
      if let outcome = judge(entry, probe) { return conclude(entry, outcome, now) }
      if count <= 0 { return conclude(entry, .failed, now, .connectionReset) }
    }
  }

  /// - Parameter reason: why it failed, when the outcome does not say it.
  private func conclude(
    _ entry: Entry, _ outcome: ProbeOutcome, _ now: UInt64, _ reason: HealthLogLine.Reason = .targetError
  ) {
    if !entry.logs.isEmpty { log(entry, outcome, now, reason) }
    endProbe(entry)
    let before = entry.health
    if outcome == .passed || !entry.isExtra {
      entry.health.take(
        outcome, healthyThreshold: entry.check.healthyThreshold, unhealthyThreshold: entry.check.unhealthyThreshold)
    }
    if entry.health.state != before.state {
      let drains = before.state == .healthy && entry.health.state == .unhealthy && entry.unhealthyDraining > 0
      entry.unhealthyDrainingSince = drains ? now : nil
      verdicts.append((entry.key, entry.health.state == .healthy))
      changed.insert(entry.key)
    } else if entry.health.reason != before.reason || entry.health.description != before.description {
      changed.insert(entry.key)
    }
    // A new target that does not answer yet is asked again soon, so that a start takes no whole interval.
    if entry.health.state == .initial {
      entry.nextProbe = min(entry.nextProbe, now + LoadBalancerRuntime.microseconds(min(entry.check.interval, 0.25)))
    }
  }

  private func log(_ entry: Entry, _ outcome: ProbeOutcome, _ now: UInt64, _ reason: HealthLogLine.Reason) {
    let latency = entry.probe.map { now &- $0.began } ?? 0
    let address = SocketAddress(
      address: entry.key.address.address, port: entry.check.port ?? entry.key.address.port)
    var line = HealthLogLine(
      probe: entry.check.probe, time: gate_wall() &- latency, latency: latency, target: address, group: entry.groupName)
    line.status = entry.probe?.status
    switch outcome {
    case .passed: line.reason = nil
    case .wrongStatus: line.reason = entry.check.probe.isGRPC ? .grpcUnexpectedStatus : .responseCodeMismatch
    case .timedOut: line.reason = reason
    case .failed: line.reason = entry.probe?.http2?.lacksGRPCStatus == true ? .grpcStatusHeaderEmpty : reason
    }
    for sink in entry.logs {
      line.append(to: &sink.lines)
      sink.handOver()
    }
  }

  private func endProbe(_ entry: Entry) {
    guard let probe = entry.probe else { return }
    probes[probe.descriptor] = nil
    entry.probe = nil
    close(probe.descriptor)
  }
}
