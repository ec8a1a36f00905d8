// The Gate's loop on a bench: driven by hand, a step at a time, with socket pairs in place of a network.
#if DEBUG
  import CLinux
  import GateProtocol
  import Glibc
  import HTTPWire

  @testable import GateCore

  /// A loop with a load balancer, whose listeners send their requests to targets that speak HTTP/1.1 and HTTP/2. One
  /// thread at a time may use it; between inputs nothing is left on it.
  final class GateBench {
    /// What the targets of a listener speak.
    enum Kind: Int { case http1, http2 }

    private let loop: EventLoop
    private let balancer: LoadBalancerRuntime
    private let listeners: [ListenerRuntime]
    private let groups: [TargetGroupRuntime]
    /// Microseconds on the loop's clock.
    private(set) var time: UInt64
    /// Makes a target's end when the loop is short of connections to one.
    var makeTarget: (() -> Void)?
    private var kind = Kind.http1
    let tools = HTTP2End.Tools()

    /// Where the targets would be, if their connections were not made beforehand: bound, but nobody listens.
    private let nowhere: Int32

    init() {
      var port: UInt16 = 0
      nowhere = Self.boundSocket(&port)
      guard let control = try? Mailbox<ControlMessage>(), let mailbox = try? Mailbox<LoopMessage>(),
        let logs = try? LogWriter(), let loop = try? EventLoop(index: 0, control: control, mailbox: mailbox, logs: logs)
      else { fatalError("no descriptors") }
      self.loop = loop
      let balancer = LoadBalancerRuntime(
        GateSnapshot.LoadBalancer(id: "balancer", address: "127.0.0.1", listeners: []), turn: 0)
      self.balancer = balancer
      var groups: [TargetGroupRuntime] = []
      for version in [GateSnapshot.TargetGroup.ProtocolVersion.http1, .http2] {
        let group = TargetGroupRuntime(id: version.rawValue, algorithm: .roundRobin, turn: 0)
        let target = GateSnapshot.Target(address: "127.0.0.1", port: port)
        _ = group.update(GateSnapshot.TargetGroup(id: group.id, targets: [target], protocolVersion: version))
        group.update(now: 0) { _ in true }
        groups.append(group)
      }
      self.groups = groups
      listeners = groups.map { group in
        let description = GateSnapshot.Listener(id: group.id, port: 80, defaultAction: .forward(to: group.id))
        let rules = CompiledRules(description) { _ in
          .forward(WeightedGroups([(balancer.use(of: group), 1)], stickiness: nil))
        }
        let listener = ListenerRuntime(
          descriptor: -1, loadBalancer: balancer, address: 0x7F00_0001, port: 80, rules: rules)
        listener.acceptsCleartextHTTP2 = true
        return listener
      }
      time = loop.now
    }

    private static func boundSocket(_ port: inout UInt16) -> Int32 {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &name) { name in
        name.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          guard bind(descriptor, address, length) == 0, getsockname(descriptor, address, &length) == 0 else {
            fatalError("no port")
          }
        }
      }
      port = UInt16(bigEndian: name.sin_port)
      return descriptor
    }

    // MARK: - Connections

    /// A client's connection, as if it had been accepted.
    func openClient(_ kind: Kind, room: Int) -> BenchSocket {
      self.kind = kind
      let (near, far) = pair(room: room)
      guard let slot = loop.admit(0x7F00_0001, to: balancer.sources) else { fatalError("not admitted") }
      let client = HTTP1Connection(
        loop: loop, descriptor: far, listener: listeners[kind.rawValue], address: 0x7F00_0001, slot: slot)
      loop.add(client)
      return BenchSocket(bench: self, descriptor: near, far: far, generation: client.generation)
    }

    /// A connection to the target, as if it had been made.
    func openTarget(room: Int) -> BenchSocket {
      let (near, far) = pair(room: room)
      let target = groups[kind.rawValue].targets[0]
      let node = balancer.nodes[0]
      let generation: UInt32
      switch kind {
      case .http1:
        let connection = UpstreamConnection(
          loop: loop, descriptor: far, target: target, node: node, isConnecting: false)
        generation = connection.generation
        loop.add(connection)
        target.idle.append(connection)
      case .http2:
        let connection = HTTP2TargetConnection(
          loop: loop, descriptor: far, target: target, node: node, isConnecting: false)
        generation = connection.generation
        target.multiplexed.append(connection)
        loop.add(connection)
        connection.connected()
      }
      return BenchSocket(bench: self, descriptor: near, far: far, generation: generation)
    }

    /// Both ends, which never wait; few bytes fit between them, so that writing is often stopped half-way.
    private func pair(room: Int) -> (Int32, Int32) {
      var ends: [Int32] = [-1, -1]
      let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { fatalError("no descriptors") }
      var size = Int32(room)
      for end in ends {
        setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
      }
      return (ends[0], ends[1])
    }

    fileprivate func session(_ socket: BenchSocket) -> HTTP2Session? {
      switch connection(socket) {
      case let client as HTTP2ClientConnection: client.session
      case let target as HTTP2TargetConnection: target.session
      default: nil
      }
    }

    fileprivate func connection(_ socket: BenchSocket) -> Connection? {
      let registered = loop.registered
      guard registered.indices.contains(Int(socket.far)), let connection = registered[Int(socket.far)],
        connection.generation == socket.generation
      else { return nil }
      return connection
    }

    private var isShortOfTargets: Bool {
      let target = groups[kind.rawValue].targets[0]
      switch kind {
      case .http1:
        target.idle.removeAll { $0.isClosed }
        return target.idle.isEmpty
      case .http2: return !target.multiplexed.contains { $0.hasRoom }
      }
    }

    // MARK: - Driving

    /// Lets the loop do all that there is to do. It comes to rest, whatever was sent.
    func drive() {
      var rounds = 0
      repeat {
        if let makeTarget, isShortOfTargets { makeTarget() }
        rounds += 1
        require(rounds < 100_000, "the loop does not come to rest")
      } while loop.step(at: time)
    }

    func pass(_ microseconds: UInt64) {
      time += microseconds
      drive()
    }

    /// After the other ends of all connections were closed: nothing is left.
    func checkEmpty() {
      makeTarget = nil
      drive()
      for _ in 0..<3 where loop.openCount > 0 { pass(3_600_000_000) }
      require(loop.openCount == 0, "a connection outlives its other end")
      let balancerCounts = balancer.nodes[0].statistics
      require(balancerCounts.activeConnections == 0, "connections are counted that are none")
      for group in groups {
        require(group.statistics.activeRequests == 0, "requests are counted that are none")
        require(group.targets[0].statistics.activeRequests == 0)
        require(group.targets[0].statistics.connections == 0)
        require(group.targets[0].idle.allSatisfy { $0.isClosed } && group.targets[0].multiplexed.isEmpty)
        group.targets[0].idle.removeAll()
      }
      require(loop.pendingSignIns.isEmpty)
    }
  }

  /// One pair of sockets: this end of it, and what the Gate has at the other.
  struct BenchSocket {
    unowned let bench: GateBench
    let descriptor: Int32
    fileprivate let far: Int32
    fileprivate let generation: UInt32

    /// What the Gate has of an HTTP/2 connection.
    struct State {
      var streams: Int
      var unsent: Int
      var uncredited: Int
      /// Memory that each stream and the connection hold for bytes.
      var pendingMost: Int
      var heldMost: Int
    }

    /// Whether the Gate still has its end.
    var isOpen: Bool { bench.connection(self) != nil }

    /// nil when the connection is closed, or is none of HTTP/2 yet.
    var state: State? {
      guard let session = bench.session(self) else { return nil }
      return State(
        streams: session.streams.count, unsent: session.unsent, uncredited: session.uncredited,
        pendingMost: session.streams.reduce(0) { max($0, $1.pending.count) },
        heldMost: session.streams.reduce(0) { max($0, $1.exchange?.bodyAtHand?.bytes.count ?? 0) })
    }

    /// Bytes that the Gate has written and that have not been read here.
    var written: Int {
      let kept = bench.connection(self).map { bench.session(self)?.unsent ?? $0.out.count }
      return Self.waiting(descriptor) + (kept ?? 0)
    }

    /// Reads what there is, up to so many bytes.
    /// - Parameters:
    ///   - isOver: whether nobody wants more.
    ///   - take: what to do with the bytes that came at once.
    /// - Returns: whether anything came, and whether that was the last.
    func read(
      _ most: Int, until isOver: @autoclosure () -> Bool,
      _ take: (UnsafeMutableBufferPointer<UInt8>.SubSequence) -> Void
    ) -> (hasMoved: Bool, hasEnded: Bool) {
      var left = most
      while left > 0, !isOver() {
        let wanted = min(left, 32 << 10)
        let count = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: wanted) { room in
          let count = recv(descriptor, room.baseAddress, wanted, 0)
          if count > 0 { take(room[0..<count]) }
          return count
        }
        if count <= 0 { return (left < most, count == 0 || errno != EAGAIN) }
        left -= count
      }
      return (left < most, false)
    }

    /// Whether the Gate has read all that was sent to it.
    var hasBeenRead: Bool { bench.connection(self) != nil && Self.waiting(far) == 0 }

    private static func waiting(_ descriptor: Int32) -> Int {
      var count: Int32 = 0
      return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }
  }
#endif
