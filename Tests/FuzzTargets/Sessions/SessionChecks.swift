// The Gate's HTTP/2 sessions: one side does whatever the input says, the other keeps to the rules, and each reads
// strictly what the Gate makes of it.
#if DEBUG
  import HTTPWire

  /// One input's connections: a client, the Gate, and its targets.
  final class SessionChecks {
    private static let benches = Pool<GateBench> { GateBench() }
    private static let targetsMax = 12
    private static let stepsMax = 300

    private let bench: GateBench
    private let ledger = Ledger()
    private var script: Script
    private let wild: HTTP2End.Role
    private let kind: GateBench.Kind
    private let room: Int
    private let isRaw: Bool
    private let client: HTTP2End
    private var targets: [HTTP2End] = []
    private var plainTargets: [HTTP1TargetEnd] = []
    /// Ends that do not read for now.
    private var clientRests = false
    private var targetsRest = false
    private var answersAtOnce: Bool
    private var together = 0

    /// Clients that send anything.
    static func server(_ bytes: UnsafeBufferPointer<UInt8>) { run(bytes, wild: .client) }

    /// Targets that send anything.
    static func target(_ bytes: UnsafeBufferPointer<UInt8>) { run(bytes, wild: .target) }

    private static func run(_ bytes: UnsafeBufferPointer<UInt8>, wild: HTTP2End.Role) {
      let bench = benches.take()
      let checks = SessionChecks(bench, Script(bytes), wild)
      checks.run()
      checks.end()
      benches.give(bench)
    }

    private init(_ bench: GateBench, _ script: Script, _ wild: HTTP2End.Role) {
      var script = script
      let mode = script.byte()
      self.bench = bench
      self.wild = wild
      kind = wild == .target || mode & 1 == 0 ? .http2 : .http1
      isRaw = mode & 0xE == 0xE
      room = [4 << 10, 16 << 10, 64 << 10, 200 << 10][mode >> 4 & 3]
      answersAtOnce = isRaw || mode & 0x40 != 0
      self.script = script
      client = HTTP2End(.client, bench.openClient(kind, room: room), ledger, isTame: wild != .client)
    }

    // MARK: - Steps

    private func run() {
      bench.makeTarget = { [unowned self] in makeTarget() }
      client.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
      if wild == .target || !isRaw { client.send(HTTP2End.settings([])) }
      rest()
      if wild == .target, isRaw {
        for id in [1, 3, 5] as [UInt32] { client.request(id, shape: 8, promised: nil, end: true, pieces: 1) }
      }
      for _ in 0..<Self.stepsMax where !script.isDone {
        if isRaw { raw() } else { step() }
        // Several steps may come to the Gate at once.
        if together > 0 { together -= 1 } else { rest() }
      }
    }

    private func makeTarget() {
      if targets.count + plainTargets.count >= Self.targetsMax {
        bench.makeTarget = nil
        return
      }
      switch kind {
      case .http1: plainTargets.append(HTTP1TargetEnd(bench.openTarget(room: room), ledger))
      case .http2:
        let target = HTTP2End(.target, bench.openTarget(room: room), ledger, isTame: wild != .target)
        targets.append(target)
        if !isRaw || wild == .client { target.send(HTTP2End.settings([])) }
      }
    }

    /// Bytes as they are.
    private func raw() {
      let bytes = script.take(script.byte() + 1)
      if wild == .client { client.send(bytes) } else { (targets.last { !$0.isOver } ?? targets.last)?.send(bytes) }
    }

    private func step() {
      let move = script.byte()
      switch move & 15 {
      case 0..<7: moveWild()
      case 7..<12: moveTame()
      case 12: rest(reading: script.short())
      case 13:
        if move & 32 != 0 {
          together = 2 + move >> 6
        } else if move & 16 == 0 {
          clientRests.toggle()
        } else {
          targetsRest.toggle()
        }
      case 14: bench.pass([1000, 1_000_000, 11_000_000, 61_000_000][move >> 4 & 3] * (move & 0x40 == 0 ? 1 : 60))
      default: leave(move)
      }
    }

    private func moveWild() {
      if wild == .client { return client.moveWild(&script) }
      let open = targets.filter { !$0.isOver }
      let choice = open.count > 1 ? script.byte() : 0
      if !open.isEmpty { open[choice % open.count].moveWild(&script) }
    }

    private func moveTame() {
      if wild == .target { return client.moveTameClient(&script) }
      let choice = script.byte()
      if kind == .http1 {
        let busy = plainTargets.filter { $0.attempt != nil && !$0.isOver }
        if !busy.isEmpty { busy[choice % busy.count].move(&script) }
      } else {
        let open = targets.filter { !$0.isOver }
        if !open.isEmpty { open[choice % open.count].moveTameTarget(&script) }
      }
    }

    /// Somebody goes, politely or not.
    private func leave(_ move: Int) {
      switch move >> 4 & 7 {
      case 0: client.endWriting()
      case 1: client.leave()
      case 2: targets.last?.leave()
      case 3: targets.last?.endWriting()
      case 4: plainTargets.last?.leave()
      default: answersAtOnce.toggle()
      }
    }

    // MARK: - At rest

    /// Lets the Gate do all that there is to do, and the ends read what comes of it.
    private func rest(reading most: Int = .max) {
      var rounds = 0
      var hasMoved = true
      while hasMoved {
        rounds += 1
        require(rounds < 20_000, "the connections do not come to rest")
        bench.drive()
        client.settle()
        for target in targets { target.settle() }
        hasMoved = !clientRests && client.receive(most)
        if !targetsRest {
          for target in targets { hasMoved = target.receive(most) || hasMoved }
          for target in plainTargets { hasMoved = target.receive(most) || hasMoved }
        }
        hasMoved = client.pushOut() || hasMoved
        for target in targets { hasMoved = target.pushOut() || hasMoved }
        for target in plainTargets { hasMoved = target.pushOut() || hasMoved }
        respond()
        if most < .max { break }
      }
      bench.drive()
      client.settle()
      client.check()
      for target in targets {
        target.settle()
        target.check()
      }
    }

    /// What ends do of themselves: those that keep to the rules acknowledge.
    private func respond() {
      if client.isTame { client.acknowledge() }
      guard wild == .client else { return }
      for target in targets {
        target.acknowledge()
        if answersAtOnce {
          target.credit()
          for id in target.numbers where target.streams[id].map({ !$0.localHead && !$0.isClosed }) ?? false {
            target.answer(id, status: 200, promised: nil, end: true, large: false, pieces: 1)
          }
        }
      }
    }

    /// What was answered in full comes to its client in full, or is cut off, once there is room for it.
    private func finishAnswers() {
      guard client.canGoOn else { return }
      client.openWindows()
      rest()
      guard client.canGoOn else { return }
      // Of a request that went to another target only the last answer counts: the first was none, or broke.
      let attempts = ledger.attempts.compactMap { attempt in attempt.request.map { ($0, attempt) } }
      let answers = Dictionary(attempts, uniquingKeysWith: { $1 }).filter { $1.hasEnded && !$1.isLost }
      for id in client.numbers {
        guard let stream = client.streams[id], let request = stream.request, answers[request] != nil else {
          continue
        }
        require(stream.isClosed || stream.remoteEnded || id > client.goAwayLast, "an answer that does not come")
      }
    }

    private func end() {
      clientRests = false
      targetsRest = false
      rest()
      finishAnswers()
      client.leave()
      bench.drive()
      for target in targets { target.leave() }
      for target in plainTargets { target.leave() }
      bench.checkEmpty()
    }
  }
#endif
