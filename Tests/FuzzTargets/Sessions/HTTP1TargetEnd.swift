// A target that speaks HTTP/1.1 and keeps to the rules: it checks each request it gets, and answers as the input says.
#if DEBUG
  import Glibc
  import HTTPWire

  /// The other end of one of the Gate's connections to a target.
  final class HTTP1TargetEnd {
    private enum Phase { case head, body, done }

    private let socket: BenchSocket
    private let ledger: Ledger
    private var phase = Phase.head
    private var input: [UInt8] = []
    private let tools: HTTP2End.Tools
    private var body = BodyReader(.none)
    private var received = 0
    private var hasLength = false
    private var promised: UInt64?
    /// The request at hand.
    private(set) var attempt: Int?
    private var lastAttempt: Int?
    private var request: Int?
    private var outbox: [UInt8] = []
    private var framing = BodyFraming.none
    private var left = 0
    private var hasAnswered = false
    private var closesWhenSent = false
    private(set) var isOver = false

    init(_ socket: BenchSocket, _ ledger: Ledger) {
      self.socket = socket
      self.ledger = ledger
      tools = socket.bench.tools
    }

    func leave() {
      if isOver { return }
      isOver = true
      if let lastAttempt {
        if !outbox.isEmpty { ledger.attempts[lastAttempt].isLost = true }
        if framing == .untilClose {
          // Nobody can tell this end from the one that was meant.
          ledger.attempts[lastAttempt].hasEnded = true
          if !outbox.isEmpty { ledger.attempts[lastAttempt].isTainted = true }
        }
      }
      close(socket.descriptor)
    }

    // MARK: - Requests

    /// Reads what there is, up to so many bytes; true when anything came.
    func receive(_ most: Int = .max) -> Bool {
      let (hasMoved, hasEnded) = socket.read(most, until: isOver) {
        input.append(contentsOf: $0)
        parse()
      }
      if hasEnded { leave() }
      return hasMoved
    }

    private func parse() {
      while !input.isEmpty, phase != .done || hasAnswered {
        let used = input.withUnsafeBufferPointer { bytes in bytes.baseAddress.map { parse($0, bytes.count) } ?? 0 }
        if used == 0 { return }
        input.removeFirst(used)
      }
      require(input.isEmpty, "bytes behind a request that is not answered")
    }

    private func parse(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
      if phase == .done { phase = .head }
      if phase == .head {
        switch tools.head.parseRequest(bytes, count) {
        case .incomplete: return 0
        case .refused(let refusal): fatalError("a request that is none: \(refusal)")
        case .complete(let length):
          begin(bytes)
          return length
        }
      }
      let outcome = body.unwrap(bytes, count) { data, size in
        ledger.checkRequestBody(request, from: received, UnsafeBufferPointer(start: data, count: size))
        received += size
      }
      guard case .body(let taken, let isEnd) = outcome else { fatalError("broken chunks") }
      if isEnd { end() }
      return taken
    }

    private func begin(_ bytes: UnsafePointer<UInt8>) {
      let target = UnsafeBufferPointer(start: bytes + tools.head.target.start, count: tools.head.target.count)
      request = ledger.request(path: String(decoding: target, as: UTF8.self))
      ledger.attempts.append(Ledger.Attempt(request: request))
      attempt = ledger.attempts.count - 1
      lastAttempt = attempt
      hasAnswered = false
      received = 0
      hasLength = tools.head.contentLength != nil
      body = BodyReader(tools.head.requestFraming)
      phase = .body
      if body.isDone { end() }
    }

    private func end() {
      phase = .done
      // With a length a request is complete when that much has come, whether or not the client says so.
      if !hasLength { ledger.checkRequestEnd(request, total: received) }
    }

    // MARK: - Answers

    /// Says what waits to be said; true when anything went.
    @discardableResult
    func pushOut() -> Bool {
      var hasMoved = false
      while !outbox.isEmpty, !isOver {
        let count = outbox.withUnsafeBytes {
          send(socket.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count <= 0 { break }
        hasMoved = true
        outbox.removeFirst(count)
      }
      if closesWhenSent, outbox.isEmpty { leave() }
      return hasMoved
    }

    private func say(_ text: String) { outbox += Array(text.utf8) }

    /// One move: a head, a part of the body, or the end.
    func move(_ script: inout Script) {
      let move = script.byte()
      guard !isOver, outbox.count < 1 << 19, let attempt else { return }
      if move & 0xF0 == 0xF0 { return leave() }
      if !hasAnswered { return answer(attempt, move) }
      guard framing != .none, left > 0 else { return }
      let count = min(left, script.short() & 0x3FFF)
      if count > 0 { sendBody(attempt, count) }
      if move & 7 == 0 { left = 0 }
      if framing == .chunked, left == 0 {
        say("0\r\n\(move & 8 == 0 ? "" : "X-Trailer: 1\r\n")\r\n")
        finish(attempt)
      } else if framing == .untilClose, left == 0 {
        finish(attempt)
        closesWhenSent = true
        pushOut()
      } else if left == 0 {
        // With a length the answer is complete only if all of it was sent.
        let isWhole = ledger.attempts[attempt].sent == promised.map { Int($0) }
        if isWhole { finish(attempt) } else { leave() }
      }
    }

    private func sendBody(_ attempt: Int, _ count: Int) {
      let bytes = Ledger.body(Ledger.answerTag(attempt), from: ledger.attempts[attempt].sent, count)
      ledger.attempts[attempt].sent += count
      left -= count
      if framing == .chunked { say("\(String(count, radix: 16))\r\n") }
      outbox += bytes
      if framing == .chunked { say("\r\n") }
      pushOut()
    }

    private func finish(_ attempt: Int) {
      ledger.attempts[attempt].hasEnded = true
      left = 0
      self.attempt = nil
    }

    private func answer(_ attempt: Int, _ move: Int) {
      if move & 7 == 7 { return say("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n") }
      hasAnswered = true
      let isHEAD = request.map { ledger.requests[$0].isHEAD } ?? false
      let status = [200, 404, 204, 304, 503, 200, 200][move & 7]
      say("HTTP/1.1 \(status) Text\r\nX-Attempt: \(attempt)\r\n")
      if move & 0x80 != 0 { say("X-Large: \(String(repeating: "a", count: 9000))\r\n") }
      promised = nil
      left = 40_000
      switch move >> 3 & 3 {
      case _ where status == 204 || status == 304: framing = .none
      case 0:
        promised = UInt64(move >> 5) * 3000
        framing = .length(promised ?? 0)
        left = Int(promised ?? 0)
        say("Content-Length: \(left)\r\n")
      case 1, 2:
        framing = .chunked
        say("Transfer-Encoding: chunked\r\n")
      default: framing = .untilClose
      }
      say("\r\n")
      if isHEAD || framing == .none || framing == .length(0) {
        framing = .none
        finish(attempt)
      }
      pushOut()
    }
  }
#endif
