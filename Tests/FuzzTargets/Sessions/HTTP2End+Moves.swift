// What an end does next, told by the input: with respect for the rules (tame), or without (wild).
#if DEBUG
  import HTTPWire

  extension HTTP2End {
    // MARK: - By the rules

    /// A stream of those that may still say something.
    private func pickOpen(_ script: inout Script, _ condition: (Stream) -> Bool) -> UInt32? {
      let choice = script.byte()
      let open = numbers.filter { id in
        guard let stream = streams[id] else { return false }
        return !stream.isClosed && !stream.localEnded && condition(stream)
      }
      return open.isEmpty ? nil : open[choice % open.count]
    }

    /// As much of a body as the windows allow.
    private func allowed(_ id: UInt32, _ wanted: Int) -> Int {
      max(0, min(wanted, 16_000, streams[id]?.sendWindow ?? 0, sendWindow))
    }

    /// One move of a client that keeps to the rules.
    func moveTameClient(_ script: inout Script) {
      let move = script.byte()
      switch move & 7 {
      case 0, 1:
        if !hasSettings || goAway != nil || openCount >= announcedStreams { return }
        let shape = script.short()
        let end = shape & 3 == 0 || shape & 0x800 != 0
        let promised = !end && shape & 0x1000 != 0 ? shape >> 13 * 1000 : nil
        request(lastOpened == 0 ? 1 : lastOpened + 2, shape: shape & 0x7FF, promised: promised, end: end, pieces: 1)
        guard let promised, let id = numbers.last else { return }
        promisedBodies[id] = promised
      case 2, 3:
        let wanted = script.short() & 0x3FFF
        guard let id = pickOpen(&script, { _ in true }) else { return }
        let left = promisedBodies[id].map { $0 - (streams[id]?.sent ?? 0) }
        let count = allowed(id, min(wanted, left ?? wanted))
        let end = left.map { $0 == count } ?? (move & 8 != 0)
        if count > 0 || end { data(id, count, padding: nil, end: end) }
      case 4:
        guard let id = pickOpen(&script, { _ in true }), promisedBodies[id] ?? streams[id]?.sent == streams[id]?.sent
        else { return }
        trailers(id)
      case 5:
        guard resetsSent < 90, let id = pickOpen(&script, { _ in true }) else { return }
        reset(id, 8)
      case 6: tameSettings(&script)
      default: credit()
      }
    }

    /// One move of a target that keeps to the rules.
    func moveTameTarget(_ script: inout Script) {
      let move = script.byte()
      switch move & 7 {
      case 0, 1:
        guard let id = pickOpen(&script, { !$0.localHead }) else { return }
        let shape = script.byte()
        let isHEAD = streams[id]?.request.map { ledger.requests[$0].isHEAD } ?? false
        let status = [200, 200, 404, 204, 304, 503, 200, 103][shape & 7]
        let isBodyless = isHEAD || status == 204 || status == 304
        let end = status != 103 && (isBodyless || shape & 8 != 0)
        let promised = !end && status != 103 && shape & 16 != 0 ? shape >> 5 * 4000 : nil
        if let promised { promisedBodies[id] = promised }
        answer(id, status: status, promised: promised, end: end, large: shape & 0xE0 == 0xE0, pieces: 1)
      case 2, 3:
        let wanted = script.short() & 0x3FFF
        guard let id = pickOpen(&script, { $0.localHead }) else { return }
        let left = promisedBodies[id].map { $0 - (streams[id]?.sent ?? 0) }
        let count = allowed(id, min(wanted, left ?? wanted))
        let end = left.map { $0 == count } ?? (move & 8 != 0)
        if count > 0 || end { data(id, count, padding: move & 16 == 0 ? nil : 0, end: end) }
      case 4:
        guard let id = pickOpen(&script, { $0.localHead }), promisedBodies[id] ?? streams[id]?.sent == streams[id]?.sent
        else { return }
        trailers(id)
      case 5:
        guard let id = pickOpen(&script, { _ in true }) else { return }
        reset(id, move & 8 == 0 ? 7 : 2)
      case 6: tameSettings(&script)
      default: credit()
      }
    }

    /// SETTINGS that an honest peer may send, now and then.
    private func tameSettings(_ script: inout Script) {
      let choice = script.byte()
      if settingsSent.count > 4 { return }
      switch choice & 3 {
      case 0: send(Self.settings([(4, [65_535, 1000, 100_000, 0][choice >> 2 & 3])]))
      case 1: send(Self.settings([(1, [0, 4096, 100, 65_536][choice >> 2 & 3])]))
      case 2: send(Self.settings([(5, 16_384 + UInt32(choice) * 100), (3, UInt32(choice >> 2))]))
      default: send(Self.frame(.ping, 0, 0, [1, 2, 3, 4, 5, 6, 7, UInt8(choice)]))
      }
    }

    // MARK: - Without rules

    /// A stream: one that was, or one that never may.
    private func pickAny(_ script: inout Script) -> UInt32 {
      let choice = script.byte()
      if choice < 200, !numbers.isEmpty { return numbers[max(0, numbers.count - 1 - choice % min(numbers.count, 50))] }
      switch choice & 7 {
      case 0: return 0
      case 1: return lastOpened &+ 2
      case 2: return 2
      case 3: return 9001
      case 4: return HTTP2.streamMax
      case 5: return lastOpened &+ 100
      default: return max(lastOpened, lastSeen)
      }
    }

    /// One move of an end that does as it likes.
    func moveWild(_ script: inout Script) {
      let move = script.byte()
      switch move & 15 {
      case 0, 1: wildMessage(&script, move)
      case 2, 3, 4:
        let count = [script.byte(), script.short() & 0x3FFF, 16_000, 0][move >> 4 & 3]
        let padding = move & 0x40 == 0 ? nil : min(script.byte(), 16_383 - min(count, 16_000))
        data(pickAny(&script), min(count, 16_383), padding: padding, end: move & 0x80 != 0)
      case 5: trailers(pickAny(&script), end: move & 16 == 0)
      case 6: reset(pickAny(&script), UInt32(script.byte()))
      case 7:
        let amount = script.pick([1, 0, 100, 16_384, 65_535, 1 << 20, 0x7FFF_FFFF, 0x7FFF_0000])
        send(Self.frame(.windowUpdate, 0, move & 16 == 0 ? 0 : pickAny(&script), Self.number(UInt32(amount))))
      case 8: wildSettings(&script)
      case 9: send(Self.frame(.ping, move & 16 == 0 ? 0 : HTTP2.Flag.ack, 0, script.take(8)))
      case 10: acknowledge()
      case 11: credit()
      case 12: send(Self.frame(script.byte(), script.byte(), pickAny(&script), script.take(script.byte())))
      case 13:
        let block = script.take(script.byte())
        let flags = script.byte()
        send(Self.headers(pickAny(&script), block, end: flags & 1 != 0, pieces: flags >> 1 & 7, shape: flags >> 4))
      case 14:
        send(Self.frame(.goAway, 0, 0, Self.number(pickAny(&script)) + Self.number(UInt32(move >> 4)) + script.take(2)))
      default: flood(&script, times: (move >> 4 + 1) * 40)
      }
    }

    private func wildMessage(_ script: inout Script, _ move: Int) {
      let shape = script.short()
      let promised = move & 0x80 == 0 ? nil : script.short() & 0x3FFF
      let end = shape & 0x800 != 0
      if role == .client {
        let id = move & 0x60 == 0 || move & 0x60 == 0x20 ? (lastOpened == 0 ? 1 : lastOpened &+ 2) : pickAny(&script)
        request(id, shape: shape & 0x7FF, promised: promised, end: end, pieces: shape >> 12)
      } else {
        let status = [200, 200, 404, 204, 304, 100, 103, 101, 999, 200, 200, 200][shape % 12]
        let id = pickAny(&script)
        answer(id, status: status, promised: promised, end: end, large: shape & 0x400 != 0, pieces: shape >> 12)
      }
    }

    private func wildSettings(_ script: inout Script) {
      var values: [(id: Int, value: UInt32)] = []
      for _ in 0..<(script.byte() & 3) {
        let choice = script.byte()
        let value =
          choice & 0x80 == 0
          ? UInt32(script.pick([0, 1, 100, 4096, 16_384, 65_535, 100_000, 0xFF_FFFF, 0x7FFF_FFFF])) : script.number()
        values.append((choice & 7, value))
      }
      send(Self.settings(values))
    }

    /// Many of the same.
    private func flood(_ script: inout Script, times: Int) {
      let kind = script.byte()
      let id = pickAny(&script)
      let frame: [UInt8]
      switch kind & 7 {
      case 0: frame = Self.frame(.ping, 0, 0, [UInt8](repeating: 7, count: 8))
      case 1: frame = Self.settings([])
      case 2: frame = Self.frame(.priority, 0, id, [0, 0, 0, 0, 1])
      case 3: frame = Self.frame(.windowUpdate, 0, id, Self.number(1))
      case 4: frame = Self.frame(.data, 0, id, [])
      case 5: frame = Self.frame(.continuation, 0, id, script.take(3))
      case 6:
        for time in 0..<min(times, 150) {
          if role == .client {
            request(lastOpened == 0 ? 1 : lastOpened &+ 2, shape: 0, promised: nil, end: true, pieces: 1)
            if kind & 8 != 0 { reset(lastOpened, 8) }
          } else {
            if kind & 8 != 0, time > 8 { break }
            answer(id, status: 103, promised: nil, end: false, large: kind & 8 != 0, pieces: 1)
          }
        }
        return
      default:
        for _ in 0..<min(times / 8, 20) { data(id, 16_000, padding: nil, end: false) }
        return
      }
      for _ in 0..<times { send(frame) }
    }
  }
#endif
