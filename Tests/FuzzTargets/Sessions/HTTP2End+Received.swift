// What the Gate says, read as strictly as RFC 9113 lets a peer be.
#if DEBUG
  import HTTPWire

  extension HTTP2End {
    typealias Payload = UnsafeBufferPointer<UInt8>

    /// Whether the Gate ended the connection with an error.
    var hasFailed: Bool { goAway.map { $0 != HTTP2.ErrorCode.noError.rawValue } ?? false }

    /// One frame.
    func take(_ head: HTTP2.FrameHead, _ payload: Payload) {
      trace("hears", head)
      require(!hasFailed, "a frame behind the GOAWAY with an error")
      guard let type = HTTP2.FrameType(rawValue: head.type) else { fatalError("an unknown frame") }
      if !hasSettings { require(type == .settings && head.flags == 0, "SETTINGS come first") }
      if let block { require(type == .continuation && head.stream == block.stream, "a block in pieces") }
      switch type {
      case .data: takeData(head, payload)
      case .headers:
        require(head.stream != 0 && head.flags & ~(HTTP2.Flag.endStream | HTTP2.Flag.endHeaders) == 0)
        block = (head.stream, head.has(HTTP2.Flag.endStream), Array(payload))
        if head.has(HTTP2.Flag.endHeaders) { takeBlock() }
      case .continuation:
        require(block != nil && head.flags & ~HTTP2.Flag.endHeaders == 0)
        block?.bytes += payload
        if head.has(HTTP2.Flag.endHeaders) { takeBlock() }
      case .resetStream: takeReset(head, payload)
      case .settings: takeSettings(head, payload)
      case .ping: takePing(head, payload)
      case .goAway: takeGoAway(head, payload)
      case .windowUpdate: takeWindowUpdate(head, payload)
      case .priority, .pushPromise: fatalError("nothing that a load balancer says")
      }
    }

    /// The stream of a frame, which must not be one that the Gate knows to be closed.
    private func live(_ id: UInt32) -> Stream {
      guard let stream = streams[id] else { fatalError("a frame on an idle stream") }
      require(stream.remoteReset == nil, "a frame behind RST_STREAM")
      require(position < stream.closedAt, "a frame on a closed stream")
      return stream
    }

    // MARK: - Messages

    private func takeData(_ head: HTTP2.FrameHead, _ payload: Payload) {
      require(head.flags & ~HTTP2.Flag.endStream == 0)
      let stream = live(head.stream)
      require(!stream.remoteEnded, "DATA behind END_STREAM")
      require(stream.remoteHead, "DATA before HEADERS")
      let isEnd = head.has(HTTP2.Flag.endStream)
      let offset = stream.received
      window -= payload.count
      require(window >= 0 || payload.isEmpty, "more than the window of the connection")
      require(stream.window >= payload.count || payload.isEmpty, "more than the window of the stream")
      require(!stream.hasNoBody || payload.isEmpty, "a body where there is none")
      owed += payload.count
      update(head.stream) { stream in
        stream.window -= payload.count
        stream.received += payload.count
        stream.owed += payload.count
      }
      if let promised = stream.promised, !stream.hasNoBody {
        require(offset + payload.count <= promised, "more than Content-Length")
      }
      switch role {
      case .client: ledger.checkAnswerBody(stream.attempt, from: offset, payload)
      case .target: ledger.checkRequestBody(stream.request, from: offset, payload)
      }
      if isEnd { takeEnd(head.stream) }
    }

    /// END_STREAM came.
    private func takeEnd(_ id: UInt32) {
      guard let stream = streams[id] else { return }
      if let promised = stream.promised, !stream.hasNoBody {
        require(stream.received == promised, "less than Content-Length")
      }
      switch role {
      case .client: ledger.checkAnswerEnd(stream.attempt, total: stream.received, isHEAD: stream.hasNoBody)
      case .target: ledger.checkRequestEnd(stream.request, total: stream.received)
      }
      update(id) { $0.remoteEnded = true }
    }

    private func takeBlock() {
      guard let (id, endStream, bytes) = block else { return }
      block = nil
      // Literals that the Gate writes never need the table.
      if needsTableChange, let first = bytes.first {
        require(first & 0xE0 == 0x20 && Int(first & 0x1F) <= tableLeast, "no change of the table's size")
        needsTableChange = false
        encoderTable = Int(first & 0x1F)
      }
      bytes.withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress else { fatalError("an empty header block") }
        switch role {
        case .client: takeAnswer(id, base, bytes.count, endStream)
        case .target: takeRequest(id, base, bytes.count, endStream)
        }
      }
    }

    private func takeAnswer(_ id: UInt32, _ block: UnsafePointer<UInt8>, _ count: Int, _ endStream: Bool) {
      let stream = live(id)
      require(!stream.remoteEnded, "HEADERS behind END_STREAM")
      if stream.remoteHead { return takeTrailers(id, block, count, endStream) }
      guard case .head(let length) = tools.heads.readResponse(block, count, &decoder),
        case .complete(length) = tools.head.parseResponse(tools.heads.head, length)
      else { fatalError("an answer that is none") }
      if tools.head.status < 200 { return require(!endStream, "an interim answer as the last") }
      let isHEAD = stream.request.map { ledger.requests[$0].isHEAD } ?? false
      let attempt = value("x-attempt").flatMap { Int($0) }.flatMap { ledger.attempts.indices.contains($0) ? $0 : nil }
      if let attempt, let request = stream.request, let asked = ledger.attempts[attempt].request {
        require(request == asked, "the answer to another request")
      }
      let promised = tools.head.contentLength.map { Int($0) }
      let hasNoBody = isHEAD || tools.head.status == 204 || tools.head.status == 304
      update(id) { stream in
        stream.remoteHead = true
        stream.attempt = attempt
        stream.promised = promised
        stream.hasNoBody = hasNoBody
        // Whether it was HEAD nobody knows of a request that chance wrote.
        if stream.request == nil { stream.promised = nil }
      }
      if endStream { takeEnd(id) }
    }

    private func takeRequest(_ id: UInt32, _ block: UnsafePointer<UInt8>, _ count: Int, _ endStream: Bool) {
      if let stream = streams[id] {
        require(!stream.remoteEnded, "HEADERS behind END_STREAM")
        _ = live(id)
        return takeTrailers(id, block, count, endStream)
      }
      require(id & 1 == 1 && id > lastSeen, "a new stream has a higher number")
      require(position < goAwayKnownAt, "a new stream behind GOAWAY")
      require(openCount < streamsMax, "more streams than SETTINGS_MAX_CONCURRENT_STREAMS")
      lastSeen = id
      guard case .head(let length) = tools.heads.readRequest(block, count, &decoder, hasBody: !endStream),
        case .complete(length) = tools.head.parseRequest(tools.heads.head, length)
      else { fatalError("a request that is none") }
      let path = String(
        decoding: Payload(start: tools.heads.head + tools.head.target.start, count: tools.head.target.count),
        as: UTF8.self)
      let request = ledger.request(path: path)
      ledger.attempts.append(Ledger.Attempt(request: request))
      open(id)
      update(id) { stream in
        stream.remoteHead = true
        stream.request = request
        stream.attempt = ledger.attempts.count - 1
        stream.promised = tools.head.contentLength.map { Int($0) }
      }
      if endStream { takeEnd(id) }
    }

    private func takeTrailers(_ id: UInt32, _ block: UnsafePointer<UInt8>, _ count: Int, _ endStream: Bool) {
      require(endStream, "trailers that do not end the stream")
      guard case .head = tools.heads.readTrailers(block, count, &decoder) else { fatalError("bad trailers") }
      takeEnd(id)
    }

    /// The value of a field of the head at hand.
    private func value(_ name: StaticString) -> String? {
      for index in 0..<tools.head.fieldCount {
        let field = tools.head.fields[index]
        guard Token.matches(tools.heads.head + Int(field.start), Int(field.nameLength), name) else { continue }
        let start = tools.heads.head + Int(field.valueStart)
        return String(decoding: Payload(start: start, count: Int(field.valueLength)), as: UTF8.self)
      }
      return nil
    }

    // MARK: - Streams and the connection

    private func takeReset(_ head: HTTP2.FrameHead, _ payload: Payload) {
      require(head.flags == 0 && payload.count == 4)
      let stream = live(head.stream)
      let code = HTTP2.number(base(payload))
      require(code <= HTTP2.ErrorCode.http11Required.rawValue)
      if role == .client, code == HTTP2.ErrorCode.refusedStream.rawValue {
        require(stream.openAtBirth > announcedStreams, "a stream refused that was allowed")
      }
      // Without an error only what is answered is cut off (section 8.1).
      if role == .client, code == HTTP2.ErrorCode.noError.rawValue { require(stream.remoteEnded) }
      // What the target answers from now on is for nobody.
      if role == .target, let attempt = stream.attempt, !ledger.attempts[attempt].hasEnded {
        ledger.attempts[attempt].isLost = true
      }
      update(head.stream) { $0.remoteReset = code }
    }

    private func takeSettings(_ head: HTTP2.FrameHead, _ payload: Payload) {
      require(head.stream == 0)
      if head.has(HTTP2.Flag.ack) {
        require(head.flags == HTTP2.Flag.ack && payload.isEmpty && !settingsSent.isEmpty)
        return apply(settingsSent.removeFirst())
      }
      require(head.flags == 0 && !hasSettings && payload.count % 6 == 0)
      hasSettings = true
      settingsToAcknowledge += 1
      var values = HTTP2Settings()
      require(values.apply(base(payload), payload.count) == nil)
      announcedStreams = values.maxConcurrentStreams
      let difference = values.initialWindow - announcedWindow
      announcedWindow = values.initialWindow
      for id in numbers { streams[id]?.sendWindow += difference }
      require(announcedWindow <= HTTP2.windowMax)
    }

    /// The Gate follows these from here on.
    private func apply(_ settings: [(id: Int, value: Int)]) {
      for (id, value) in settings {
        switch id {
        case 1:
          if value < encoderTable { needsTableChange = true }
          tableLeast = min(tableLeast, value)
        case 3: streamsMax = value
        case 4:
          for id in numbers { streams[id]?.window += value - initialWindow }
          initialWindow = value
        default: break
        }
      }
    }

    private func takePing(_ head: HTTP2.FrameHead, _ payload: Payload) {
      require(head.stream == 0 && payload.count == 8 && head.flags & ~HTTP2.Flag.ack == 0)
      guard head.has(HTTP2.Flag.ack) else { return pingsToAcknowledge.append(Array(payload)) }
      require(!pingsSent.isEmpty && pingsSent.removeFirst() == Array(payload), "a PING that was not sent")
    }

    private func takeGoAway(_ head: HTTP2.FrameHead, _ payload: Payload) {
      require(head.stream == 0 && head.flags == 0 && payload.count >= 8)
      let last = HTTP2.number(base(payload))
      require(last <= goAwayLast, "GOAWAY with a higher stream than before")
      let code = HTTP2.number(base(payload) + 4)
      require(code <= HTTP2.ErrorCode.http11Required.rawValue)
      if last != HTTP2.streamMax || code != 0 { require(last <= (role == .client ? lastOpened : 0) || mustFail) }
      goAwayLast = last
      goAway = code
      if isTame { require(code == 0 || code == 0xB, "an error \(code) where there was none") }
    }

    private func takeWindowUpdate(_ head: HTTP2.FrameHead, _ payload: Payload) {
      require(head.flags == 0 && payload.count == 4)
      let increment = Int(HTTP2.number(base(payload)))
      require(increment > 0 && increment <= HTTP2.windowMax)
      if head.stream == 0 {
        sendWindow += increment
        require(sendWindow <= 1 << 20 || mustFail, "more of a window than was used")
      } else {
        let stream = live(head.stream)
        require(stream.sendWindow + increment <= announcedWindow, "more of a window than was used")
        streams[head.stream]?.sendWindow += increment
      }
    }

    private func base(_ payload: Payload) -> UnsafePointer<UInt8> {
      guard let base = payload.baseAddress else { fatalError("an empty payload") }
      return base
    }

    // MARK: - The end

    /// The Gate closed the connection.
    func checkEnd() {
      // Who does not read is not waited for: what he has not taken, a GOAWAY too, goes with the connection.
      if role == .client, hasSettings, !hasEndedWriting, lastUnsent == 0 {
        require(goAway != nil, "the end without a GOAWAY")
      }
    }

    /// To be called at rest, when everything that could be read was.
    func check() {
      if let state = socket.state { lastUnsent = state.unsent }
      if isOver || !isHeard { return }
      guard let state = socket.state else { return }
      require(state.unsent <= 24 << 20 && state.pendingMost <= 160 << 10 && state.heldMost <= HTTP2.initialWindow)
      // The rest holds when both know the same.
      if state.unsent > 0 || hasPart || socket.written > 0 || isGarbled || hasFailed { return }
      require(!mustFail || goAway != nil, "an error of the connection that was taken: \(lastSent)")
      if !sentPart.isEmpty || sentBlock != nil || !hasSettings { return }
      if role == .client {
        let open = streams.reduce(0) { $1.value.isClosed || $1.key > goAwayLast ? $0 : $0 + 1 }
        require(state.streams == open, "\(state.streams) streams, which should be \(open)")
      } else {
        require(state.streams == openCount, "\(state.streams) streams, which should be \(openCount)")
      }
      if state.streams == 0 {
        require(sendWindow + state.uncredited == 1 << 20, "a window that does not open again")
      }
    }
  }
#endif
