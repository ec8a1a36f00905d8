// One loop: a thread, an epoll instance, and connections that belong to nobody else.
import CLinux
import GateProtocol
import GateTokens
import Glibc
import HTTPWire

/// Everything a loop does happens on its thread, one event after another; only its mailbox is shared.
final class EventLoop {
  static let readSize = 64 << 10
  private static let eventCapacity = 256

  enum TokenKind: UInt64 {
    case connection = 0
    case listener, endpoint, mailbox
  }

  let index: Int
  let mailbox: Mailbox<LoopMessage>
  let control: Mailbox<ControlMessage>
  let readBuffer: UnsafeMutablePointer<UInt8>
  /// nil where bytes can only be copied.
  var pipe: SplicePipe?
  /// For answers under construction.
  var scratch = Bytes()
  /// For bodies taken out of their chunks.
  var unwrapped = Bytes()
  var requestHead = MessageHead()
  var responseHead = MessageHead()
  var random: Random
  /// Microseconds on the monotonic clock, read once for each batch of events.
  private(set) var now: UInt64
  /// Seconds since 1970, for trace ids and dates.
  var wallSeconds: UInt64 { wallMicroseconds / 1_000_000 }
  /// Microseconds since 1970.
  var wallMicroseconds: UInt64 { now &+ wallOffset }
  var nextSweep: UInt64 = .max
  /// What the shield lets this loop have.
  var bounds = LoopBounds()
  /// Connections of all kinds.
  private(set) var openCount = 0
  /// Whether the loop's thread has a descriptor table of its own, with a limit of its own.
  let ownsDescriptors: Bool
  /// Listening sockets under our numbers.
  private var sockets: LoopSockets
  /// Which loops are full.
  let room: LoopRoom
  /// Not one connection more; told in `room`.
  var isFull = false
  /// New connections are left to the other loops.
  var isAside = false
  /// Set while the program is ending: connections end after their request.
  private(set) var isDraining = false

  /// The cookies of load balancers.
  var cookies = CookieJar(seal: TokenSeal())
  /// Signs what targets are told of users.
  private(set) var identitySigner: IdentitySigner?
  /// Requests that wait for an identity provider.
  var pendingSignIns: [UInt64: Exchange] = [:]
  let logs: LogWriter
  /// When lines that wait are handed to the writer; `.max` when none do.
  private var nextLogHandOver: UInt64 = .max
  let poll: Int32
  private let wallOffset: UInt64
  private let events: UnsafeMutablePointer<epoll_event>
  private(set) var connections: ContiguousArray<Connection?> = []
  private var generation: UInt32 = 0
  /// Connections with something at hand to go on with after this batch.
  private var ready: [Connection] = []
  private var resuming: [Connection] = []
  /// Clients whose ClientHello waits for its answer.
  var handshakes = HandshakeQueue()
  private var http2Tools: HTTP2Tools?
  /// Closed during this batch; their memory may still be in use below us on the stack.
  private var closed: [Connection] = []
  private var drainDeadline: UInt64 = .max
  /// A descriptor to give up when there are no more.
  private var spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
  private var date: [UInt8] = []
  private var dateSecond: UInt64 = 0

  private var loadBalancers: [String: LoadBalancerRuntime] = [:]
  /// The buffers of TLS; made when the first connection needs them.
  private(set) lazy var tlsEngine = TLSEngine()
  /// Microseconds that a client has for its TLS handshake.
  var handshakeTime: UInt64 = 10_000_000
  /// For connections to targets.
  private(set) var tlsClient: TLSClientContext?
  private var listeners: [Int32: ListenerRuntime] = [:]
  private var listenersByID: [String: ListenerRuntime] = [:]
  private(set) var groups: [String: TargetGroupRuntime] = [:]
  var networkBalancers: [String: NetworkRuntime] = [:]
  var networkListeners: [Int32: NetworkListenerRuntime] = [:]
  private var endpoints: [Int32: EndpointRuntime] = [:]
  private var endpointsByID: [String: EndpointRuntime] = [:]
  let webACLs = LoopWebACLs()

  init(
    index: Int, control: Mailbox<ControlMessage>, mailbox: Mailbox<LoopMessage>, logs: LogWriter,
    sockets: consuming LoopSockets = LoopSockets(), room: LoopRoom = LoopRoom(loops: 1), ownsDescriptors: Bool = false
  ) throws(GateFailure) {
    self.index = index
    self.logs = logs
    self.control = control
    self.mailbox = mailbox
    self.sockets = sockets
    self.room = room
    self.ownsDescriptors = ownsDescriptors
    if ownsDescriptors { bounds.openMax = Self.descriptorsMax }
    readBuffer = .allocate(capacity: Self.readSize)
    pipe = SplicePipe()
    events = .allocate(capacity: Self.eventCapacity)
    now = gate_now()
    wallOffset = gate_wall() &- gate_now()
    random = Random(seed: UInt64.random(in: 0...UInt64.max))
    poll = gate_epoll_create()
    if poll < 0 { throw GateFailure("epoll_create", code: -poll) }
    for descriptor in [mailbox.descriptor, self.sockets.link] where descriptor >= 0 {
      let added = gate_epoll_add(poll, descriptor, GATE_EPOLLIN, Self.token(.mailbox, 0, UInt32(descriptor)))
      if added < 0 { throw GateFailure("epoll_ctl", code: -added) }
    }
  }

  deinit {
    readBuffer.deallocate()
    events.deallocate()
    Glibc.close(spare)
    Glibc.close(poll)
    bounds.load.close()
  }

  private static func token(_ kind: TokenKind, _ generation: UInt32, _ descriptor: UInt32) -> UInt64 {
    kind.rawValue << 62 | UInt64(generation & 0x3FFF_FFFF) << 32 | UInt64(descriptor)
  }

  // MARK: - Running

  /// Serves until told to drain, and until what was in flight then has ended.
  func run() {
    while !(isDraining && (connections.allSatisfy { $0 == nil } || now >= drainDeadline)) {
      serve(gate_epoll_wait(poll, events, Int32(Self.eventCapacity), timeout()), at: gate_now())
    }
    for connection in connections { connection?.close() }
    closed.removeAll()
    handOverLogs()
    control.post(.ended(loop: index))
  }

  /// One round without waiting, at a time of the caller's choice: for who drives a loop by hand. False when there was
  /// nothing to do.
  func step(at time: UInt64) -> Bool {
    let count = gate_epoll_wait(poll, events, Int32(Self.eventCapacity), 0)
    let isBusy = count > 0 || !ready.isEmpty || !handshakes.isEmpty || time >= nextSweep
    serve(count, at: time)
    return isBusy
  }

  /// Does what a batch of events asks for, and what was left for after it.
  @inline(__always)
  private func serve(_ count: Int32, at time: UInt64) {
    now = time
    if count > 0 { for position in 0..<count { dispatch(position) } }
    if !ready.isEmpty {
      // What these bring forth waits for the next round, so that nobody keeps the loop for himself.
      swap(&ready, &resuming)
      for connection in resuming where !connection.isClosed { connection.resume() }
      resuming.removeAll(keepingCapacity: true)
    }
    if !handshakes.isEmpty, let client = handshakes.next(isQuiet: count <= 0) { client.takeTurn() }
    if now >= nextSweep { sweep() }
    if now >= nextLogHandOver { handOverLogs() }
    if !closed.isEmpty { closed.removeAll(keepingCapacity: true) }
    http2Tools?.collect()
  }

  private func timeout() -> Int32 {
    if !ready.isEmpty || !handshakes.isEmpty { return 0 }
    let next = min(nextSweep, nextLogHandOver)
    if next == .max { return isDraining ? 100 : -1 }
    if next <= now { return 0 }
    return Int32(min((next - now) / 1000 + 1, isDraining ? 100 : 60_000))
  }

  // MARK: - Logs

  /// A line was added to what waits.
  func noteLogLine(_ sink: LogSink) {
    if sink.lines.count >= LogSink.handOverSize { return sink.handOver() }
    if nextLogHandOver == .max { nextLogHandOver = now + 1_000_000 }
  }

  private func handOverLogs() {
    nextLogHandOver = .max
    for balancer in loadBalancers.values { balancer.handOverLogs() }
    for balancer in networkBalancers.values { balancer.accessLog?.handOver() }
  }

  @inline(__always)
  private func dispatch(_ position: Int32) {
    let token = gate_event_token(events, position)
    let flags = gate_event_flags(events, position)
    let descriptor = Int32(truncatingIfNeeded: token & 0xFFFF_FFFF)
    if token >> 62 == 0 {
      // An event of a connection closed earlier in this batch finds another generation, or nothing.
      guard let connection = connections[Int(descriptor)],
        UInt64(connection.generation) == token >> 32
      else { return }
      connection.handle(flags)
    } else if token >> 62 == TokenKind.listener.rawValue {
      if let listener = listeners[descriptor] { accept(listener) }
    } else if token >> 62 == TokenKind.endpoint.rawValue {
      if let endpoint = endpoints[descriptor] {
        accept(endpoint)
      } else if let listener = networkListeners[descriptor] {
        serve(listener)
      }
    } else if descriptor == sockets.link {
      if !sockets.receive() { _ = gate_epoll_remove(poll, descriptor) }
    } else {
      for message in mailbox.take() { receive(message) }
    }
  }

  /// What a listening socket's connections are for; nil for an endpoint's.
  func balancer(ofListener descriptor: Int32) -> (any Shielded)? {
    listeners[descriptor]?.loadBalancer ?? networkListeners[descriptor]?.balancer
  }

  /// Refuses a connection for which there is no descriptor but the spare one.
  func refuse(_ listener: Int32) {
    Glibc.close(spare)
    var address: UInt32 = 0
    var port: UInt16 = 0
    let refused = gate_accept(listener, &address, &port)
    if refused >= 0 { gate_reset(refused) }
    spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
  }

  func nextGeneration() -> UInt32 {
    generation = (generation &+ 1) & 0x3FFF_FFFF
    return generation
  }

  func add(_ connection: Connection) {
    let position = Int(connection.descriptor)
    while connections.count <= position { connections.append(nil) }
    connections[position] = connection
    openCount += 1
    let flags = GATE_EPOLLIN | GATE_EPOLLOUT | GATE_EPOLLRDHUP | GATE_EPOLLET
    let token = Self.token(.connection, connection.generation, UInt32(connection.descriptor))
    if gate_epoll_add(poll, connection.descriptor, flags, token) < 0 { connection.onFailure() }
  }

  /// Puts a connection in the place of another, whose descriptor, bytes to send and unread input it takes over.
  func replace(_ old: Connection, by new: Connection) {
    new.generation = old.generation
    new.mayRead = old.mayRead
    new.sawEnd = old.sawEnd
    swap(&new.out, &old.out)
    old.isClosed = true
    old.tls = nil
    connections[Int(old.descriptor)] = new
    closed.append(old)
    if let flow = new as? FlowConnection { flow.findTarget() }
    if new.mayRead, !new.isClosed { new.onReadable() }
  }

  /// Called by `Connection.close` only.
  func remove(_ connection: Connection) {
    let position = Int(connection.descriptor)
    leaveSource(connection)
    if position < connections.count, connections[position] === connection {
      connections[position] = nil
      openCount -= 1
      closed.append(connection)
    }
    Glibc.close(connection.descriptor)
    if isFull { checkRoom() }
  }

  /// Lets a connection go on after the events of this batch.
  func enqueue(_ connection: Connection) { ready.append(connection) }

  /// What HTTP/2 needs; a loop without such connections has none of it.
  var http2: HTTP2Tools {
    if let http2Tools { return http2Tools }
    let made = HTTP2Tools()
    http2Tools = made
    return made
  }

  /// Looks for deadlines that have passed and finds the next one.
  private func sweep() {
    var next = UInt64.max
    for position in connections.indices {
      guard let connection = connections[position] else { continue }
      if connection.deadline <= now {
        connection.deadline = .max
        connection.onDeadline()
      }
      if !connection.isClosed, connection.deadline < next { next = connection.deadline }
    }
    // Not more often than every twenty milliseconds, however many deadlines there are.
    nextSweep = next == .max ? .max : max(next, now + 20_000)
  }

  /// The value of the Date header, made once a second.
  func dateLine() -> [UInt8] {
    let second = wallSeconds
    if second != dateSecond || date.isEmpty {
      date = Array(HTTPDate.text(secondsSince1970: Int(second)).utf8)
      dateSecond = second
    }
    return date
  }
}

// MARK: - Configuration

extension EventLoop {
  private func receive(_ message: LoopMessage) {
    switch message {
    case .configure(let snapshot, let listeners, let endpoints, let healthy, let tls):
      tlsClient = tls.client
      var tls = tls
      tls.datagrams = sockets.own(tls.datagrams)
      configure(snapshot, sockets.own(listeners), sockets.own(endpoints), healthy, tls)
      sockets.closeUnused()
      control.post(.configured(loop: index))
    case .health(let changes):
      for (key, isHealthy) in changes { setHealth(key, isHealthy) }
    case .expire(let key): expire(key)
    case .unhealthyDrained(let key): target(key).map(endFlows(ofDrained:))
    case .signIn(let id, let outcome): pendingSignIns.removeValue(forKey: id)?.signInEnded(outcome)
    case .ticketKeys(let keys): tlsEngine.ticketKeys = keys
    case .webACLs(let acls): webACLs.configure(acls)
    case .tellWebACLs: control.post(.webACLs(loop: index, webACLs.tell()))
    case .limit(let keys): webACLs.limit(keys)
    case .report: control.post(.report(loop: index, report()))
    case .look(let openElsewhere, let sentAt):
      control.post(.looked(loop: index, look(openElsewhere: openElsewhere, sentAt: sentAt)))
    case .mitigate(let mitigations): apply(mitigations)
    case .listenAnew: listenAnew()
    case .sleep: bounds.isDormant = true
    case .drain(let seconds): drain(seconds)
    }
  }

  private func configure(
    _ snapshot: GateSnapshot, _ bound: [String: BoundSocket], _ boundEndpoints: [String: BoundSocket],
    _ healthy: Set<TargetKey>, _ tls: LoopMaterial
  ) {
    comeBack()
    if let seal = snapshot.cookieKey.flatMap({ TokenSeal(key: $0) }) { cookies.seal = seal }
    identitySigner = snapshot.cookieKey.flatMap { IdentitySigner(secret: $0) }
    var gone: [TargetRuntime] = []
    var keptGroups: [String: TargetGroupRuntime] = [:]
    for description in snapshot.targetGroups {
      let group =
        groups[description.id]
        ?? TargetGroupRuntime(id: description.id, algorithm: description.algorithm, turn: index)
      gone += group.update(description)
      group.update(now: now) { healthy.contains(TargetKey(group: description.id, address: $0.address)) }
      keptGroups[description.id] = group
    }
    for (id, group) in groups where keptGroups[id] == nil {
      var empty = GateSnapshot.TargetGroup(id: id)
      empty.algorithm = group.algorithm
      gone += group.update(empty)
    }
    groups = keptGroups
    configureListeners(snapshot, bound, tls)
    configureNetwork(snapshot, bound, tls.datagrams, tls)
    configureEndpoints(snapshot, boundEndpoints)
    for balancer in loadBalancers.values { balancer.webACL = webACLs.runtime(for: balancer.id) }
    for target in gone { closeIdle(target) }
    for group in groups.values { for target in group.targets where target.state == .draining { closeIdle(target) } }
  }

  private func configureListeners(_ snapshot: GateSnapshot, _ bound: [String: BoundSocket], _ tls: LoopMaterial) {
    var keptBalancers: [String: LoadBalancerRuntime] = [:]
    var kept: [String: ListenerRuntime] = [:]
    for description in snapshot.loadBalancers {
      let balancer = loadBalancers[description.id] ?? LoadBalancerRuntime(description, turn: index)
      balancer.update(description)
      balancer.update(description.logs, logs)
      for node in balancer.nodes { node.keepGroups { groups[$0] != nil } }
      balancer.refreshUses()
      keptBalancers[description.id] = balancer
      for listener in description.listeners {
        guard let socket = bound[listener.id] else { continue }
        let rules = CompiledRules(listener) { compile($0, balancer) }
        let context = listener.transport == .https ? tls.servers[listener.id] : nil
        if let old = listenersByID[listener.id], old.descriptor == socket.descriptor, old.loadBalancer === balancer,
          (old.tls == nil) == (context == nil)
        {
          old.rules = rules
          old.tls = context
          old.acceptsCleartextHTTP2 = listener.acceptsCleartextHTTP2 ?? false
          old.update(listener.headers)
          kept[listener.id] = old
        } else {
          kept[listener.id] = ListenerRuntime(
            descriptor: socket.descriptor, loadBalancer: balancer, address: socket.address, port: socket.port,
            rules: rules, tls: context)
          kept[listener.id]?.acceptsCleartextHTTP2 = listener.acceptsCleartextHTTP2 ?? false
          kept[listener.id]?.update(listener.headers)
        }
      }
    }
    for (id, old) in loadBalancers where keptBalancers[id] == nil { old.handOverLogs() }
    loadBalancers = keptBalancers
    let descriptors = Set(kept.values.map(\.descriptor))
    for old in listenersByID.values where !descriptors.contains(old.descriptor) {
      _ = gate_epoll_remove(poll, old.descriptor)
    }
    for (id, old) in listenersByID where kept[id] !== old { old.isOpen = false }
    let before = Set(listeners.keys)
    listenersByID = kept
    listeners = Dictionary(kept.values.map { ($0.descriptor, $0) }, uniquingKeysWith: { first, _ in first })
    if isDraining { return }
    for descriptor in descriptors where !before.contains(descriptor) { listen(descriptor, .listener) }
    retireClients { !$0.isOpen }
  }

  private func configureEndpoints(_ snapshot: GateSnapshot, _ bound: [String: BoundSocket]) {
    var kept: [String: EndpointRuntime] = [:]
    for description in snapshot.endpoints {
      guard let socket = bound[description.id] else { continue }
      var endpoint = EndpointRuntime(id: description.id, descriptor: socket.descriptor, turn: index)
      if let old = endpointsByID[description.id], old.descriptor == socket.descriptor { endpoint = old }
      endpoint.backends = description.backends.compactMap { backend in
        IPv4.parse(backend.address).map { SocketAddress(address: $0, port: backend.port) }
      }
      endpoint.closesRemoved = description.closesConnectionsOfRemovedBackends
      endpoint.waitForBackend =
        description.waitForBackend > 0 ? LoadBalancerRuntime.microseconds(description.waitForBackend) : 0
      kept[description.id] = endpoint
    }
    let descriptors = Set(kept.values.map(\.descriptor))
    for old in endpointsByID.values where !descriptors.contains(old.descriptor) {
      _ = gate_epoll_remove(poll, old.descriptor)
    }
    for (id, old) in endpointsByID where kept[id] !== old {
      old.isOpen = false
      old.backends = []
    }
    let before = Set(endpoints.keys)
    endpointsByID = kept
    endpoints = Dictionary(kept.values.map { ($0.descriptor, $0) }, uniquingKeysWith: { first, _ in first })
    for connection in connections { (connection as? TunnelConnection)?.backendsChanged() }
    for endpoint in kept.values {
      let waiting = endpoint.waiting
      endpoint.waiting = []
      for client in waiting where !client.isClosed { client.findBackend() }
    }
    if isDraining { return }
    for descriptor in descriptors where !before.contains(descriptor) { listen(descriptor, .endpoint) }
  }

  func listen(_ descriptor: Int32, _ kind: TokenKind) {
    // Exclusive: one loop is woken for a connection, not all.
    _ = gate_epoll_add(
      poll, descriptor, GATE_EPOLLIN | GATE_EPOLLEXCLUSIVE, Self.token(kind, 0, UInt32(descriptor)))
  }

  private func compile(_ action: GateSnapshot.Action, _ balancer: LoadBalancerRuntime) -> CompiledAction {
    switch action {
    case .forward(let weighted, let stickiness):
      .forward(
        WeightedGroups(
          weighted.compactMap { entry in
            groups[entry.targetGroup].map { (balancer.use(of: $0), max(0, min(entry.weight, 999))) }
          }, stickiness: stickiness))
    case .redirect(let redirect): .redirect(redirect)
    case .fixedResponse(let response): .fixedResponse(response)
    }
  }

  func target(_ key: TargetKey) -> TargetRuntime? {
    groups[key.group]?.targets.first { $0.address == key.address }
  }

  private func setHealth(_ key: TargetKey, _ isHealthy: Bool) {
    guard let target = target(key), target.isHealthy != isHealthy else { return }
    target.group.update(now: now) { $0 === target ? isHealthy : $0.isHealthy }
    if isHealthy { target.suspectUntil = 0 }
    if !isHealthy { endFlows(ofUnhealthy: target) }
  }

  private func closeIdle(_ target: TargetRuntime) {
    let idle = target.idle
    target.idle = []
    for connection in idle { connection.close() }
    for connection in target.multiplexed { connection.retire() }
  }

  private func retireClients(_ condition: (ListenerRuntime) -> Bool) {
    for connection in connections {
      if let client = connection as? ClientConnection, condition(client.listener) { client.retire() }
    }
  }

  /// The deregistration delay is over: what still runs on the target's connections is cut off.
  private func expire(_ key: TargetKey) {
    for connection in connections {
      if let shared = connection as? HTTP2TargetConnection, shared.target.address == key.address,
        shared.target.group.id == key.group
      {
        shared.expire()
        continue
      }
      guard let upstream = connection as? UpstreamConnection, upstream.target.address == key.address,
        upstream.target.group.id == key.group
      else { continue }
      upstream.expire()
    }
    expireFlows(key)
  }

  private func drain(_ seconds: Double) {
    isDraining = true
    drainDeadline = now + LoadBalancerRuntime.microseconds(seconds)
    for descriptor in Array(listeners.keys) + Array(endpoints.keys) { _ = gate_epoll_remove(poll, descriptor) }
    retireClients { _ in true }
    for group in groups.values { for target in group.targets { closeIdle(target) } }
    for connection in connections { (connection as? TunnelConnection)?.close() }
    drainNetwork()
  }

  /// The sockets that connections come from.
  var streamListeners: [(descriptor: Int32, kind: TokenKind)] {
    listeners.keys.map { ($0, .listener) } + endpoints.keys.map { ($0, .endpoint) }
      + networkListeners.filter { !$0.value.isDatagram }.keys.map { ($0, .endpoint) }
  }

  /// Every connection, and the places of none.
  var registered: ContiguousArray<Connection?> { connections }

  /// The load balancers, whose sources are watched.
  var shieldedBalancers: [any Shielded] { Array(loadBalancers.values) + Array(networkBalancers.values) }

  private func report() -> LoopReport {
    // Choosing at random does this each second.
    for group in groups.values where group.algorithm != .weightedRandom { group.compareTargets(now: now) }
    let nodes = loadBalancers.values.flatMap(\.nodes)
    return LoopReport(
      loadBalancers: nodes.map { node in
        var statistics = node.statistics
        statistics.isShifted = node.isShifted
        return statistics
      },
      targetGroups: groups.values.map(\.statistics) + nodes.flatMap(\.groupStatistics),
      targets: groups.values.flatMap { group in
        group.targets.map { target in
          var statistics = target.statistics
          statistics.zone = target.zone
          statistics.isAnomalous = target.performance.isAnomalous
          statistics.isMitigated = target.performance.isMitigated
          return statistics
        }
      },
      endpoints: endpointsByID.values.map(\.statistics),
      networkLoadBalancers: networkBalancers.values.flatMap(\.allStatistics), webACLs: webACLs.statistics)
  }
}
