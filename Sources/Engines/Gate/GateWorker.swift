// The worker: loops that serve, and the control thread that configures them, probes targets and speaks to the
// control plane.
import CLinux
import GateProtocol
import Glibc

/// How a worker is to run.
public struct GateWorkerConfiguration: Sendable {
  /// Where to listen for the control plane. Not used when a master hands over the socket.
  public var socketPath: String
  /// Where the last snapshot is kept; nil for nowhere.
  public var stateFile: String?
  /// Event loops, each a thread.
  public var loops: Int
  /// Seconds that requests in flight get when the program ends.
  public var drainTime: Double
  /// Seconds that a client has for its TLS handshake.
  public var handshakeTime: Double
  /// A descriptor of the channel to a master process, or -1.
  public var masterChannel: Int32
  /// Keep a table of our own in nftables, which needs CAP_NET_ADMIN. Off unless asked for: the firewall is its owner's.
  public var usesNetfilter = false
  /// Keep all loops on the process's descriptor table, as where the system gives a thread none of its own.
  public var sharesDescriptors = false
  /// End on SIGTERM and SIGINT (only in a process of its own).
  public var handlesSignals: Bool

  public init(
    socketPath: String, stateFile: String?, loops: Int = 2, drainTime: Double = 10, handshakeTime: Double = 10,
    masterChannel: Int32 = -1, handlesSignals: Bool = false
  ) {
    self.socketPath = socketPath
    self.stateFile = stateFile
    self.loops = max(1, min(loops, 64))
    self.drainTime = drainTime
    self.handshakeTime = handshakeTime
    self.masterChannel = masterChannel
    self.handlesSignals = handlesSignals
  }
}

/// Ends a worker from another thread.
public struct GateStopper: Sendable {
  let mailbox: Mailbox<ControlMessage>

  /// Drains and ends; `GateWorker.run()` then returns.
  public func stop() { mailbox.post(.stop) }
}

/// The control thread. Everything here happens in `run()`, on the thread that calls it.
public final class GateWorker {
  private struct PendingApply {
    var status: GateStatus
    var client: UInt64
    var call: UInt64
    /// Listening sockets that no loop needs any more once this is served.
    var unused: [Int32]
  }

  private struct PendingReport {
    var client: UInt64?
    var call: UInt64
    var merger = StatisticsMerger()
    var answered: Set<Int> = []
  }

  enum TokenKind: UInt64 {
    case control = 0
    case master, signals, mailbox, client, probe
  }

  private let configuration: GateWorkerConfiguration
  private let poll: Int32
  private var controlListener: Int32 = -1
  private var signals: Int32 = -1
  private let mailbox: Mailbox<ControlMessage>
  private var threads: [LoopThread] = []
  private var loops: [Mailbox<LoopMessage>] { threads.map(\.mailbox) }
  private let room: LoopRoom
  private let signIns = SessionRefreshes()
  private let sockets: SocketKeeper
  private let health: HealthChecker
  private let tls: TLSKeeper
  private let webACLs = WebACLKeeper()
  private let shield: ShieldWatch
  private let stateFile: StateFile?
  private let logs: LogWriter
  /// Seals cookies while the snapshot brings no key.
  private let ownCookieKey = (0..<32).map { _ in UInt8.random(in: 0...255) }
  private var clients: [Int32: ControlClient] = [:]
  private var nextClient: UInt64 = 1
  private var snapshot = GateSnapshot(version: 0)
  private var status: GateStatus
  private var applies: [PendingApply] = []
  private var served: [Int]
  private var completedApplies = 0
  private var reports: [PendingReport] = []
  private var runningLoops = 0
  private var isEnding = false
  private var nextSecond: UInt64 = .max
  private var nextDrainLook: UInt64 = .max
  /// When subscribers were told last that keys of a key set are wanted.
  private var keysToldAt: [String: UInt64] = [:]

  /// Opens the control socket (or takes it from the master) and serves the stored snapshot; `run()` does the rest.
  public init(_ configuration: GateWorkerConfiguration) throws {
    self.configuration = configuration
    served = Array(repeating: 0, count: configuration.loops)
    // Before there is any other thread: one that does not block them would be killed by the signal, and we with it.
    if configuration.handlesSignals { signals = gate_signals() }
    mailbox = try Mailbox()
    logs = try LogWriter()
    room = LoopRoom(loops: configuration.loops)
    let poll = gate_epoll_create()
    if poll < 0 { throw GateFailure("epoll_create", code: -poll) }
    self.poll = poll
    shield = ShieldWatch(
      loops: configuration.loops, startedAt: Double(gate_wall()) / 1e6,
      netfilter: configuration.usesNetfilter
        ? Netfilter(name: NetfilterTable.name(for: configuration.socketPath)) : nil)
    sockets = SocketKeeper(master: configuration.masterChannel)
    let tls = TLSKeeper(loops: configuration.loops)
    self.tls = tls
    health = HealthChecker(poll: poll, tls: tls, logs: logs) { TokenKind.probe.rawValue << 32 | UInt64($0) }
    stateFile = configuration.stateFile.map(StateFile.init)
    status = GateStatus(
      appliedVersion: 0, listeners: [], endpoints: [], workerProcessID: getpid(),
      workerStartedAt: Double(gate_wall()) / 1e6)
    if configuration.masterChannel >= 0 {
      try adoptSockets()
    } else {
      controlListener = gate_unix_listen(configuration.socketPath)
      if controlListener < 0 { throw GateFailure("the socket \(configuration.socketPath)", code: -controlListener) }
    }
    watch(controlListener, .control)
    watch(mailbox.descriptor, .mailbox)
    if signals >= 0 { watch(signals, .signals) }
    try logs.start()
    for index in 0..<configuration.loops { try startLoop(index) }
    if let stored = stateFile?.load() {
      do {
        try apply(stored, client: 0, call: 0)
        GateLog.info("serving the stored snapshot", [("version", "\(stored.version)")])
      } catch {
        GateLog.error("the stored snapshot is not valid", [("reason", "\(error)")])
      }
    }
  }

  deinit { close(poll) }

  public var stopper: GateStopper { GateStopper(mailbox: mailbox) }

  /// Serves until stopped.
  public func run() {
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: 64)
    defer { events.deallocate() }
    while !(isEnding && runningLoops == 0) {
      let now = gate_now()
      var next = health.advance(now: now)
      publishHealth()
      tick(now)
      next = min(next, nextSecond, nextDrainLook, tls.nextRotation, webACLs.nextLook, shield.nextLook)
      let timeout: Int32 = next == .max ? -1 : Int32(min((max(next, now) - now) / 1000 + 1, 3_600_000))
      let count = gate_epoll_wait(poll, events, 64, timeout)
      if count > 0 {
        for index in 0..<count { dispatch(gate_event_token(events, index), gate_event_flags(events, index)) }
      }
    }
    for thread in threads { thread.join() }
    logs.finish()
    for client in clients.values { client.close() }
    shield.end()
    sockets.closeAll()
    close(controlListener)
    if signals >= 0 { close(signals) }
    if configuration.masterChannel < 0 { unlink(configuration.socketPath) }
  }

  private func watch(_ descriptor: Int32, _ kind: TokenKind, _ flags: UInt32 = GATE_EPOLLIN) {
    _ = gate_epoll_add(poll, descriptor, flags, kind.rawValue << 32 | UInt64(descriptor))
  }

  private func dispatch(_ token: UInt64, _ flags: UInt32) {
    let descriptor = Int32(truncatingIfNeeded: token & 0xFFFF_FFFF)
    switch TokenKind(rawValue: token >> 32) {
    case .control: acceptClient()
    case .signals: while gate_next_signal(signals) != 0 { end() }
    case .mailbox: for message in mailbox.take() { receive(message) }
    case .client: clients[descriptor].map { serve($0, flags) }
    case .probe: health.handle(descriptor, now: gate_now())
    case .master, nil: break
    }
  }

  // MARK: - Start and end

  /// Receives the control socket and the listeners that the master holds.
  private func adoptSockets() throws(GateFailure) {
    var buffer = [CChar](repeating: 0, count: 4096)
    while true {
      var descriptor: Int32 = -1
      let count = gate_channel_receive(configuration.masterChannel, &buffer, buffer.count, &descriptor)
      if count <= 0 { throw GateFailure("the master's channel", code: Int32(-count)) }
      let message = String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if message == "E" { break }
      guard descriptor >= 0 else { continue }
      if message == "Fcontrol" {
        controlListener = descriptor
      } else {
        sockets.adopt(name: String(message.dropFirst()), descriptor: descriptor)
      }
    }
    if controlListener < 0 { throw GateFailure("the master's control socket", code: ENOENT) }
  }

  private func startLoop(_ index: Int) throws(GateFailure) {
    let inbox = try Mailbox<LoopMessage>()
    let link = try LoopLink()
    let start = LoopStart(
      index: index, control: mailbox, mailbox: inbox, logs: logs, link: link.far, room: room,
      handshakeTime: LoadBalancerRuntime.microseconds(configuration.handshakeTime),
      sharesDescriptors: configuration.sharesDescriptors)
    threads.append(try LoopThread(start, link: link))
    runningLoops += 1
  }

  private func end() {
    if isEnding { return }
    isEnding = true
    GateLog.info("draining")
    for loop in loops { loop.post(.drain(seconds: configuration.drainTime)) }
  }

  private func receive(_ message: ControlMessage) {
    switch message {
    case .started(let loop, let ownsDescriptors):
      threads[loop].link.leaveFarToLoop(closing: ownsDescriptors)
    case .configured(let loop): acknowledge(loop)
    case .report(let loop, let report): collect(report, of: loop)
    case .webACLs(let loop, let news): take(news, of: loop)
    case .webACLsActive: webACLs.wake(now: gate_now())
    case .looked(let loop, let sample):
      if let outcome = shield.collect(sample, of: loop, now: gate_now()) { act(on: outcome) }
    case .keysWanted(let keySet): tellKeysWanted(keySet)
    case .signIn(let loop, let id, let job): signIns.ask(job, id: id, mailbox: threads[loop].mailbox)
    case .steppedAside(let full):
      for (loop, mailbox) in loops.enumerated() where loop != full { mailbox.post(.listenAnew) }
    case .active: if !isEnding { shield.wake(now: gate_now()) }
    case .ended: runningLoops -= 1
    case .failed(let loop, let reason):
      // A worker without one of its loops is no use; the master starts another.
      GateLog.error("a loop cannot run", [("loop", "\(loop)"), ("reason", reason)])
      exit(1)
    case .stop: end()
    }
  }

  // MARK: - Control clients

  private func acceptClient() {
    while true {
      let descriptor = gate_unix_accept(controlListener)
      if descriptor < 0 { return }
      clients[descriptor] = ControlClient(descriptor: descriptor, id: nextClient)
      nextClient += 1
      watch(descriptor, .client, GATE_EPOLLIN | GATE_EPOLLOUT | GATE_EPOLLRDHUP | GATE_EPOLLET)
    }
  }

  private func serve(_ client: ControlClient, _ flags: UInt32) {
    if flags & GATE_EPOLLOUT != 0 { client.flush() }
    if flags & ~GATE_EPOLLOUT != 0 {
      for body in client.read() { answer(body, client) }
    }
    if client.isClosed { forget(client) }
  }

  private func forget(_ client: ControlClient) {
    if clients[client.descriptor] === client { clients[client.descriptor] = nil }
    if !clients.values.contains(where: \.isSubscribed) { nextSecond = .max }
  }

  private func answer(_ body: [UInt8], _ client: ControlClient) {
    let call: GateCall
    do {
      call = try GateFrame.decode(GateCall.self, from: body)
    } catch {
      GateLog.error("a control client does not keep to the protocol", [("reason", "\(error)")])
      return client.close()
    }
    switch call.request {
    case .apply(let snapshot):
      do {
        try apply(snapshot, client: client.id, call: call.id)
        stateFile?.store(body)
      } catch {
        client.send(.reply(id: call.id, .failed(error as? GateError ?? .invalidSnapshot("\(error)"))))
      }
    case .status: client.send(.reply(id: call.id, .status(status)))
    case .health: client.send(.reply(id: call.id, .health(health.all)))
    case .statistics: gather(client: client.id, call: call.id)
    case .attacks: client.send(.reply(id: call.id, .attacks(shield.attacks)))
    case .subscribe:
      client.isSubscribed = true
      client.send(.reply(id: call.id, .subscribed))
      client.send(.event(.health(health.all)))
      for attack in shield.attacks { client.send(.event(.attack(attack))) }
      if nextSecond == .max { nextSecond = gate_now() + 1_000_000 }
    }
  }

  private func client(_ id: UInt64) -> ControlClient? { clients.values.first { $0.id == id } }

  private func publish(_ event: GateEvent) {
    let subscribers = clients.values.filter { $0.isSubscribed && !$0.isClosed }
    guard !subscribers.isEmpty else { return }
    do {
      let frame = try GateFrame.encode(GateMessage.event(event))
      for client in subscribers {
        client.send(frame: frame)
        if client.isClosed { forget(client) }
      }
    } catch {
      GateLog.error("an event cannot be encoded", [("reason", "\(error)")])
    }
  }

  // MARK: - Snapshots

  private func apply(_ new: GateSnapshot, client: UInt64, call: UInt64) throws {
    if new.version < snapshot.version { throw GateError.staleVersion(applied: snapshot.version) }
    try SnapshotCheck.check(new)
    let problems = tls.configure(new)
    var wanted: [SocketKey] = []
    var refused: [GateStatus.Binding] = []
    for balancer in new.loadBalancers {
      for listener in balancer.listeners {
        if listener.transport == .https, !tls.has(listener.id) {
          refused.append(
            GateStatus.Binding(id: listener.id, address: nil, port: nil, error: problems[listener.id]))
          continue
        }
        wanted.append(SocketKey(kind: "listener", id: listener.id, address: balancer.address, port: listener.port))
      }
    }
    for balancer in new.networkLoadBalancers ?? [] {
      for listener in balancer.listeners {
        if listener.transport == .tls, !tls.has(listener.id) {
          refused.append(
            GateStatus.Binding(id: listener.id, address: nil, port: nil, error: problems[listener.id]))
          continue
        }
        if listener.transport.isStream {
          wanted.append(SocketKey(kind: "listener", id: listener.id, address: balancer.address, port: listener.port))
        }
        guard listener.transport.isDatagram else { continue }
        for loop in loops.indices {
          wanted.append(SocketKey(kind: "udp\(loop)", id: listener.id, address: balancer.address, port: listener.port))
        }
      }
    }
    for endpoint in new.endpoints {
      wanted.append(SocketKey(kind: "endpoint", id: endpoint.id, address: endpoint.address, port: endpoint.port))
    }
    let (bindings, unused) = sockets.arrange(wanted)
    snapshot = new
    health.configure(new, now: gate_now())
    var listeners: [String: BoundSocket] = [:]
    var endpoints: [String: BoundSocket] = [:]
    var datagrams: [String: [String: BoundSocket]] = [:]
    for key in wanted {
      guard let socket = sockets.socket(key) else { continue }
      switch key.kind {
      case "listener": listeners[key.id] = socket
      case "endpoint": endpoints[key.id] = socket
      default: datagrams[key.kind, default: [:]][key.id] = socket
      }
    }
    status.appliedVersion = new.version
    status.listeners =
      wanted.filter { $0.kind == "listener" || $0.kind == "udp0" && listeners[$0.id] == nil }
      .compactMap { bindings[$0] } + refused
    for index in status.listeners.indices {
      // A listener with bad news of its certificates goes on with the old ones.
      if let problem = problems[status.listeners[index].id] { status.listeners[index].error = problem }
    }
    status.endpoints = wanted.filter { $0.kind == "endpoint" }.compactMap { bindings[$0] }
    shield.configure(
      new, listeners: listeners,
      datagrams: datagrams.values.reduce(into: [:]) { all, loop in
        for (id, socket) in loop { all[id, default: []].append(socket) }
      })
    keysToldAt = [:]
    applies.append(
      PendingApply(status: status, client: client, call: call, unused: unused))
    let healthy = health.healthy
    if let acls = webACLs.configure(new) { for loop in loops { loop.post(.webACLs(acls)) } }
    var new = new
    new.cookieKey = new.cookieKey ?? ownCookieKey
    try renewTicketKeys(gate_now())
    for (index, thread) in threads.enumerated() {
      var material = try tls.material(loop: index, needsClient: new.hasTargetsWithTLS)
      material.datagrams = datagrams["udp\(index)"] ?? [:]
      thread.link.give(Array(listeners.values) + Array(endpoints.values) + Array(material.datagrams.values))
      thread.mailbox.post(
        .configure(new, listeners: listeners, endpoints: endpoints, healthy: healthy, tls: material))
    }
    if health.isDraining { nextDrainLook = gate_now() + 50_000 }
  }

  private func renewTicketKeys(_ now: UInt64) throws(TLSFailure) {
    guard let keys = try tls.freshTicketKeys(now: now) else { return }
    for loop in loops { loop.post(.ticketKeys(keys)) }
  }

  /// A loop serves one snapshot more; the oldest that all loops serve is done.
  private func acknowledge(_ loop: Int) {
    served[loop] += 1
    guard !applies.isEmpty, served.allSatisfy({ $0 > completedApplies }) else { return }
    completedApplies += 1
    let done = applies.removeFirst()
    for descriptor in done.unused { close(descriptor) }
    client(done.client)?.send(.reply(id: done.call, .status(done.status)))
    publish(.applied(done.status))
  }

  // MARK: - Health and statistics

  private func publishHealth() {
    let (changed, verdicts) = health.takeChanges()
    if !verdicts.isEmpty { for loop in loops { loop.post(.health(verdicts)) } }
    for key in health.takeUnhealthyDrained() { for loop in loops { loop.post(.unhealthyDrained(key)) } }
    if !changed.isEmpty { publish(.health(changed)) }
  }

  /// Once a second at most, however many rules and loops want the same keys: whoever sends tokens is not to fill the
  /// control plane's queue.
  private func tellKeysWanted(_ keySet: String) {
    let now = gate_now()
    guard now >= keysToldAt[keySet, default: 0] + 1_000_000 else { return }
    keysToldAt[keySet] = now
    publish(.keysWanted(keySet: keySet))
  }

  private func take(_ news: WebACLNews, of loop: Int) {
    if let limits = webACLs.collect(news, now: gate_now()) { for loop in loops { loop.post(.limit(limits)) } }
    if !news.records.isEmpty { publish(.webACL(news.records)) }
  }

  /// The shield's watch has looked: loops and subscribers are told what follows.
  private func act(on outcome: WatchOutcome) {
    if !outcome.mitigations.isEmpty { for loop in loops { loop.post(.mitigate(outcome.mitigations)) } }
    if outcome.sleeps { for loop in loops { loop.post(.sleep) } }
    for attack in outcome.attacks { publish(.attack(attack)) }
  }

  private func tick(_ now: UInt64) {
    if now >= tls.nextRotation {
      // Without new keys the old ones go on.
      do { try renewTicketKeys(now) } catch { GateLog.error("no keys for TLS tickets", [("reason", "\(error)")]) }
    }
    if now >= webACLs.nextLook {
      if let limits = webACLs.look(now: now) { for loop in loops { loop.post(.limit(limits)) } }
      for loop in loops { loop.post(.tellWebACLs) }
    }
    if !isEnding { shield.lookIfDue(loops, now: now) }
    if now >= nextSecond {
      nextSecond = clients.values.contains(where: \.isSubscribed) ? now + 1_000_000 : .max
      if nextSecond != .max { gather(client: nil, call: 0) }
    }
    if now >= nextDrainLook {
      for key in health.finishDraining(active: nil, now: now) { for loop in loops { loop.post(.expire(key)) } }
      nextDrainLook = health.isDraining ? now + 100_000 : .max
      if health.isDraining { gather(client: nil, call: 1) }
      publishHealth()
    }
  }

  /// Asks all loops for their counters. Without a client they go to the subscribers (call 0) or to draining (call 1).
  private func gather(client: UInt64?, call: UInt64) {
    reports.append(PendingReport(client: client, call: call))
    for loop in loops { loop.post(.report) }
  }

  private func collect(_ report: LoopReport, of loop: Int) {
    // Each loop answers in the order it was asked.
    guard let index = reports.firstIndex(where: { !$0.answered.contains(loop) }) else { return }
    reports[index].answered.insert(loop)
    reports[index].merger.add(report)
    guard reports[index].answered.count == loops.count else { return }
    let done = reports.remove(at: index)
    var statistics = done.merger.statistics(
      time: Double(gate_wall()) / 1e6, workerStartedAt: status.workerStartedAt, in: snapshot)
    webACLs.addLimited(&statistics)
    if let id = done.client {
      client(id)?.send(.reply(id: done.call, .statistics(statistics)))
    } else if done.call == 0 {
      publish(.statistics(statistics))
    } else {
      finishDraining(statistics)
    }
  }

  private func finishDraining(_ statistics: GateStatistics) {
    var active: [TargetKey: Int] = [:]
    for target in statistics.targets {
      guard let address = IPv4.parse(target.address) else { continue }
      let key = TargetKey(group: target.targetGroup, address: SocketAddress(address: address, port: target.port))
      active[key, default: 0] += target.activeRequests
    }
    for key in health.finishDraining(active: active, now: gate_now()) { for loop in loops { loop.post(.expire(key)) } }
    publishHealth()
  }
}
