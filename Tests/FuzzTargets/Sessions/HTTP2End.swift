// The other end of one of the Gate's HTTP/2 connections: a client of it, or a target. It keeps account of what it said
// (HTTP2End+Sent.swift) and reads strictly what the Gate says (HTTP2End+Received.swift).
#if DEBUG
  import Glibc
  import HTTPWire

  /// One end of an HTTP/2 connection.
  final class HTTP2End {
    enum Role { case client, target }

    /// A stream, as this end knows it.
    struct Stream {
      /// DATA that the Gate may still send, by what was said to it.
      var window: Int
      /// DATA that the Gate takes, by what it said.
      var sendWindow = HTTP2.initialWindow
      /// END_STREAM was sent, or came.
      var localEnded = false
      var remoteEnded = false
      var localReset = false
      var remoteReset: UInt32?
      /// From this place on in what the Gate writes it knows that the stream is closed.
      var closedAt = Int.max
      /// Headers that are not interim ones were sent, or came.
      var localHead = false
      var remoteHead = false
      /// Bytes of the body that came, and that Content-Length promised; that were sent.
      var received = 0
      var promised: Int?
      var sent = 0
      /// Which request it is, and for targets and answered clients which attempt at it.
      var request: Int?
      var attempt: Int?
      var hasNoBody = false
      /// Taken, and not yet allowed anew.
      var owed = 0

      /// Streams that were open with it when it was opened.
      var openAtBirth = 0

      var isClosed: Bool { localReset || remoteReset != nil || (localEnded && remoteEnded) }
    }

    let role: Role
    let ledger: Ledger
    let socket: BenchSocket
    /// It says only what RFC 9113 allows, so that the Gate has no reason for an error.
    let isTame: Bool

    // What was said.
    var streams: [UInt32: Stream] = [:]
    /// The numbers of `streams`, in the order they came.
    var numbers: [UInt32] = []
    /// What the socket did not take yet.
    var outbox: [UInt8] = []
    var outboxStart = 0
    private var sentTotal = 0
    /// Part of a frame that was sent.
    var sentPart: [UInt8] = []
    var prefaceLeft: Int
    var hasSentSettings = false
    /// Frames that the Gate must not take: it has to end the connection.
    var mustFail = false
    var lastSent = HTTP2.FrameHead(length: 0, type: 0, flags: 0, stream: 0)
    /// What was sent cannot be told apart any more.
    var isGarbled = false
    /// A block whose end has not been sent.
    var sentBlock: (stream: UInt32, endStream: Bool)?
    var lastOpened: UInt32 = 0
    /// What the next stream that is opened asks for.
    var nextRequest: Int?
    /// SETTINGS and PING that wait for their acknowledgement.
    var settingsSent: [[(id: Int, value: Int)]] = []
    var pingsSent: [[UInt8]] = []
    /// GOAWAY was sent: from this place on the Gate knows.
    var goAwaySent = false
    var goAwayKnownAt = Int.max
    /// Streams above this one were not looked at, as it said.
    var leftBehind = UInt32.max
    /// Streams that closed, of which the Gate may not know yet.
    var closing: [UInt32] = []
    var hasEndedWriting = false
    /// What the Gate had for this end and could not send, when it was last looked at.
    var lastUnsent = 0
    /// Frames of which the Gate takes only so many.
    var resetsSent = 0

    /// What Content-Length promised of bodies that are sent by the rules.
    var promisedBodies: [UInt32: Int] = [:]

    // What came.
    private var input: [UInt8] = []
    /// Bytes read, up to the frame at hand.
    var position = 0
    var prefaceAwaited: Bool
    var hasSettings = false
    /// What this end's acknowledged SETTINGS say.
    var initialWindow = HTTP2.initialWindow
    var streamsMax = Int.max
    /// The table that the Gate may still use, and the smallest that was asked for.
    var encoderTable = HTTP2.tableSizeDefault
    var tableLeast = HTTP2.tableSizeDefault
    /// The next block has to begin with a change of the table's size.
    var needsTableChange = false
    /// DATA that the Gate may still send.
    var window = HTTP2.initialWindow
    /// DATA that the Gate takes.
    var sendWindow = HTTP2.initialWindow
    var announcedStreams = Int.max
    var announcedWindow = HTTP2.initialWindow
    var goAway: UInt32?
    var goAwayLast = UInt32.max
    var block: (stream: UInt32, endStream: Bool, bytes: [UInt8])?
    var lastSeen: UInt32 = 0
    var settingsToAcknowledge = 0
    var pingsToAcknowledge: [[UInt8]] = []
    var owed = 0
    var hasEnded = false
    var decoder = HPACKDecoder()
    let tools: Tools

    /// Prints the frames, for a look at a finding.
    static let isTraced = getenv("CASTLE_FUZZ_TRACE") != nil

    func trace(_ what: String, _ head: HTTP2.FrameHead) {
      if !Self.isTraced { return }
      let line = "\(role) \(socket.descriptor) \(what) \(head.type) \(head.flags) on \(head.stream), \(head.length)\n"
      _ = write(STDERR_FILENO, line, line.utf8.count)
    }

    /// What all ends of a bench read heads with; costly to make.
    final class Tools {
      var heads = HTTP2HeadReader()
      var head = MessageHead()
    }

    init(_ role: Role, _ socket: BenchSocket, _ ledger: Ledger, isTame: Bool) {
      self.role = role
      tools = socket.bench.tools
      self.socket = socket
      self.ledger = ledger
      self.isTame = isTame
      prefaceLeft = role == .client ? HTTP2.prefaceLength : 0
      prefaceAwaited = role == .target
    }

    deinit { if !isLeft { close(socket.descriptor) } }

    private var isLeft = false

    /// Closes this end, whatever was under way.
    func leave() {
      if isLeft { return }
      isLeft = true
      hasEnded = true
      if role == .target {
        for stream in streams.values { if let attempt = stream.attempt { ledger.attempts[attempt].isLost = true } }
      }
      close(socket.descriptor)
    }

    var isOver: Bool { isLeft || hasEnded }

    // MARK: - Bytes

    /// Says something, which goes as far as the Gate reads.
    func send(_ bytes: [UInt8], always: Bool = false) {
      // Enough to fill every window; an input that could say more would only take longer.
      if isOver || hasEndedWriting || (sentTotal > 1_300_000 && !always) { return }
      sentTotal += bytes.count
      note(sent: bytes)
      outbox += bytes
      pushOut()
    }

    /// Says what waits to be said; true when anything went.
    @discardableResult
    func pushOut() -> Bool {
      let before = outbox.count - outboxStart
      while outboxStart < outbox.count, !isOver {
        let count = outbox[outboxStart...].withUnsafeBytes {
          Glibc.send(socket.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count <= 0 { break }
        outboxStart += count
      }
      if outboxStart == outbox.count {
        outbox.removeAll(keepingCapacity: true)
        outboxStart = 0
      }
      return outbox.count - outboxStart < before
    }

    func endWriting() {
      if isOver || hasEndedWriting || !outbox.isEmpty { return }
      hasEndedWriting = true
      shutdown(socket.descriptor, Int32(SHUT_WR))
    }

    /// Reads what there is, up to so many bytes; true when anything came.
    @discardableResult
    func receive(_ most: Int = .max) -> Bool {
      let (hasMoved, isLast) = socket.read(most, until: isOver) {
        input.append(contentsOf: $0)
        takeInput()
      }
      if isLast {
        hasEnded = true
        checkEnd()
      }
      return hasMoved
    }

    /// Takes the whole frames of what came.
    private func takeInput() {
      var start = 0
      input.withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress else { return }
        if prefaceAwaited {
          if bytes.count < HTTP2.prefaceLength { return }
          for index in 0..<HTTP2.prefaceLength { require(base[index] == HTTP2.preface.utf8Start[index]) }
          prefaceAwaited = false
          start = HTTP2.prefaceLength
          position += start
        }
        while bytes.count - start >= HTTP2.frameHeadLength {
          let head = HTTP2.FrameHead(base + start)
          require(base[start + 5] & 0x80 == 0, "the reserved bit")
          require(head.length <= HTTP2.initialFrameMax, "a frame larger than SETTINGS_MAX_FRAME_SIZE")
          let end = start + HTTP2.frameHeadLength + head.length
          if end > bytes.count { return }
          take(head, UnsafeBufferPointer(start: base + start + HTTP2.frameHeadLength, count: head.length))
          position += end - start
          start = end
        }
      }
      if start > 0 { input.removeFirst(start) }
    }

    /// Whether part of a frame came.
    var hasPart: Bool { !input.isEmpty }

    // MARK: - At rest

    /// All that was sent has been read by the Gate.
    var isHeard: Bool { !isOver && outbox.isEmpty && socket.hasBeenRead }

    /// Notes what the Gate knows by now; to be called when the loop is at rest.
    func settle() {
      guard isHeard, sentPart.isEmpty, sentBlock == nil else { return }
      if closing.isEmpty && (!goAwaySent || goAwayKnownAt != .max) { return }
      let written = position + input.count + socket.written
      for id in closing { update(id) { $0.closedAt = min($0.closedAt, written) } }
      closing.removeAll(keepingCapacity: true)
      if goAwaySent { goAwayKnownAt = min(goAwayKnownAt, written) }
    }

    /// Nothing was said, or came, that ends the connection.
    var canGoOn: Bool {
      !isOver && !hasEndedWriting && !isGarbled && !mustFail && !hasFailed && hasSettings && prefaceLeft == 0
        && sentPart.isEmpty && sentBlock == nil && outbox.isEmpty && socket.isOpen
    }

    /// Streams that are open in this end's view.
    var openCount: Int { streams.values.reduce(0) { $1.isClosed ? $0 : $0 + 1 } }

    func update(_ id: UInt32, _ change: (inout Stream) -> Void) {
      guard var stream = streams[id] else { return }
      let wasClosed = stream.isClosed
      change(&stream)
      if !wasClosed, stream.isClosed { closing.append(id) }
      streams[id] = stream
    }

    func open(_ id: UInt32) {
      var stream = Stream(window: initialWindow)
      stream.sendWindow = announcedWindow
      stream.openAtBirth = openCount + 1
      if role == .target, id > leftBehind { stream.localReset = true }
      streams[id] = stream
      numbers.append(id)
    }
  }
#endif
