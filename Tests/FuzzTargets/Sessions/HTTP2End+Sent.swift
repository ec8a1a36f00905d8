// What an end said to the Gate, told from its own bytes: whatever wrote them, rules or chance.
#if DEBUG
  import HTTPWire

  extension HTTP2End {
    /// Takes account of what is sent.
    func note(sent bytes: [UInt8]) {
      if isGarbled || mustFail { return }
      sentPart += bytes
      var start = 0
      sentPart.withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress else { return }
        if prefaceLeft > 0 {
          if bytes.count < prefaceLeft { return }
          for index in 0..<prefaceLeft where base[index] != HTTP2.preface.utf8Start[index] { isGarbled = true }
          start = prefaceLeft
          prefaceLeft = 0
        }
        while bytes.count - start >= HTTP2.frameHeadLength, !mustFail, !isGarbled {
          let head = HTTP2.FrameHead(base + start)
          let end = start + HTTP2.frameHeadLength + head.length
          lastSent = head
          trace("says", head)
          if head.length > HTTP2.initialFrameMax {
            mustFail = true
          } else if end > bytes.count {
            return
          } else {
            mustFail = !noteSent(head, base + start + HTTP2.frameHeadLength)
          }
          start = min(end, bytes.count)
        }
      }
      sentPart.removeFirst(start)
      if isTame { require(!mustFail && !isGarbled, "the harness broke its own rules") }
    }

    /// One frame; false when it is an error of the connection, whatever went before.
    private func noteSent(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) -> Bool {
      let type = HTTP2.FrameType(rawValue: head.type)
      if !hasSentSettings {
        guard type == .settings, !head.has(HTTP2.Flag.ack) else { return false }
        hasSentSettings = true
      }
      if let sentBlock {
        guard type == .continuation, head.stream == sentBlock.stream else { return false }
        if head.has(HTTP2.Flag.endHeaders) {
          self.sentBlock = nil
          return noteHeaders(sentBlock.stream, endStream: sentBlock.endStream)
        }
        return true
      }
      switch type {
      case .data: return noteData(head, payload)
      case .headers:
        guard head.stream != 0, let slice = HTTP2.unpadded(payload, head.length, head.flags) else { return false }
        if head.has(HTTP2.Flag.priority), slice.count < 5 { return false }
        let endStream = head.has(HTTP2.Flag.endStream)
        if head.has(HTTP2.Flag.endHeaders) { return noteHeaders(head.stream, endStream: endStream) }
        sentBlock = (head.stream, endStream)
        return true
      case .priority: return head.stream != 0 && head.length == 5
      case .resetStream:
        guard head.stream != 0, head.length == 4, !isIdle(head.stream) else { return false }
        resetsSent += 1
        update(head.stream) { $0.localReset = true }
        return true
      case .settings: return noteSettings(head, payload)
      case .ping:
        guard head.stream == 0, head.length == 8 else { return false }
        if !head.has(HTTP2.Flag.ack) { pingsSent.append(Array(UnsafeBufferPointer(start: payload, count: 8))) }
        return true
      case .goAway:
        guard head.stream == 0, head.length >= 8 else { return false }
        goAwaySent = true
        if role == .client { return true }
        leftBehind = min(leftBehind, HTTP2.number(payload) & HTTP2.streamMax)
        for id in numbers where id > leftBehind { update(id) { $0.localReset = true } }
        return true
      case .windowUpdate: return noteWindowUpdate(head, payload)
      case .pushPromise, .continuation: return false
      case nil: return true
      }
    }

    /// A stream that nobody has opened.
    private func isIdle(_ id: UInt32) -> Bool {
      // What the Gate has opened, and not yet said here, it knows itself.
      if role == .target, id & 1 == 1, streams[id] == nil { return id > 2 * 4096 }
      return id & 1 == 0 || id > (role == .client ? lastOpened : lastSeen) && streams[id] == nil
    }

    private func noteHeaders(_ id: UInt32, endStream: Bool) -> Bool {
      if let stream = streams[id] {
        if endStream, !stream.localReset {
          update(id) { $0.localEnded = true }
          noteEnd(id)
        }
        return true
      }
      if role == .target { return !isIdle(id) }
      guard id & 1 == 1, id > lastOpened else { return id & 1 == 1 }
      lastOpened = id
      open(id)
      streams[id]?.localEnded = endStream
      streams[id]?.request = nextRequest
      nextRequest = nil
      if endStream { noteEnd(id) }
      return true
    }

    private func noteData(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) -> Bool {
      guard head.stream != 0, let slice = HTTP2.unpadded(payload, head.length, head.flags), !isIdle(head.stream) else {
        return false
      }
      sendWindow -= head.length
      // What comes behind a reset is for nobody.
      guard let stream = streams[head.stream], !stream.localEnded, !stream.localReset else { return true }
      let part = UnsafeBufferPointer(start: payload + slice.start, count: slice.count)
      let offset = stream.sent
      update(head.stream) { stream in
        stream.sendWindow -= head.length
        stream.sent += slice.count
        if head.has(HTTP2.Flag.endStream) { stream.localEnded = true }
      }
      switch role {
      case .client:
        guard let request = stream.request else { break }
        if !Ledger.isBody(request, from: offset, part) { ledger.requests[request].isTainted = true }
        ledger.requests[request].sent += slice.count
      case .target:
        guard let attempt = stream.attempt else { break }
        if !Ledger.isBody(Ledger.answerTag(attempt), from: offset, part) { ledger.attempts[attempt].isTainted = true }
        ledger.attempts[attempt].sent += slice.count
      }
      if head.has(HTTP2.Flag.endStream) { noteEnd(head.stream) }
      return true
    }

    /// END_STREAM was sent.
    func noteEnd(_ id: UInt32) {
      guard let stream = streams[id] else { return }
      switch role {
      case .client: if let request = stream.request { ledger.requests[request].hasEnded = true }
      case .target: if let attempt = stream.attempt { ledger.attempts[attempt].hasEnded = true }
      }
    }

    private func noteSettings(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) -> Bool {
      guard head.stream == 0 else { return false }
      if head.has(HTTP2.Flag.ack) { return head.length == 0 }
      guard head.length % 6 == 0 else { return false }
      var values: [(id: Int, value: Int)] = []
      for start in stride(from: 0, to: head.length, by: 6) {
        let id = Int(payload[start]) << 8 | Int(payload[start + 1])
        let value = Int(HTTP2.number(payload + start + 2))
        // A server does not say that it may push, of all things, to itself.
        if id == 2, value > (role == .client ? 1 : 0) { return false }
        if id == 4, value > HTTP2.windowMax { return false }
        if id == 5, value < HTTP2.initialFrameMax || value > 0xFF_FFFF { return false }
        values.append((id, value))
      }
      settingsSent.append(values)
      return true
    }

    private func noteWindowUpdate(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) -> Bool {
      guard head.length == 4 else { return false }
      let increment = Int(HTTP2.number(payload) & HTTP2.streamMax)
      if head.stream == 0 {
        window += increment
        return increment > 0
      }
      if isIdle(head.stream) { return false }
      streams[head.stream]?.window += increment
      return true
    }
  }
#endif
