// A request and the web ACL of its load balancer: judged once its head (and as much of its body as the rules look at)
// is there, before anything else is done with it.
import GateProtocol
import HTTPWire
import WebACL

/// A request whose body is waited for.
struct BodyHold {
  /// Bytes of head and body that are needed; with chunks, how far the body was looked through.
  var wanted: Int
  /// Bytes of the body that the web ACL looks at.
  let limit: Int
  let headLength: Int
  let isChunked: Bool
  var reader = BodyReader(.chunked)
  /// What the chunks held.
  var data: [UInt8] = []
  var isComplete = false
  /// More of the body is to come than was waited for, though less than the limit has come.
  var isCut = false
}

extension Exchange {
  enum Judgement {
    case passes
    /// More of the body is needed; `begin` is to be called again with it.
    case waits
    case answered(LocalAnswer)
  }

  /// Judges the request in `loop.requestHead`.
  final func judge(
    _ webACL: WebACLRuntime, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int, _ target: TargetParts
  ) -> Judgement {
    insertedLines.removeAll(keepingCapacity: true)
    guard let evaluator = webACL.evaluator else {
      // The ACL cannot be evaluated at all.
      hold = nil
      return webACL.failsOpen ? .passes : .answered(LocalAnswer(status: 500))
    }
    let needed = evaluator.acl.bodyNeeded
    // A web ACL that was changed meanwhile may look at more than the one for which the request waited.
    if let waited = hold, waited.limit < needed { hold = nil }
    if needed > 0, !request.body.isDone, hold == nil, canHoldBody, mustHold(bytes, headLength, count, needed) {
      return .waits
    }
    fill(evaluator.request, bytes, target)
    if needed > 0 { fillBody(evaluator.request, bytes, headLength, count, needed) }
    if evaluator.acl.isLogged { describe(evaluator.request) }
    loop.webACLs.noteActivity(loop.control)
    let verdict = evaluator.evaluate(time: loop.wallMilliseconds, resource: balancer.id)
    hold = nil
    if verdict.isBlocked { return .answered(LocalAnswer(blocked: verdict.response)) }
    for header in verdict.inserted { insertedLines.append(contentsOf: "\(header.name): \(header.value)\r\n".utf8) }
    return .passes
  }

  private func fill(_ view: WebRequest, _ bytes: UnsafePointer<UInt8>, _ target: TargetParts) {
    func piece(_ start: Int, _ count: Int) -> ByteView { ByteView(start: bytes + start, count: count) }
    view.begin(
      source: SourceAddress(v4: source), method: piece(loop.requestHead.method.start, loop.requestHead.method.count),
      path: piece(target.path.start, target.path.count), query: piece(target.query.start, target.query.count),
      version: request.isOldVersion ? "HTTP/1.0" : protocolName)
    view.fingerprints = tls?.fingerprints
    for index in 0..<loop.requestHead.fieldCount {
      let field = loop.requestHead.fields[index]
      view.add(
        name: piece(Int(field.start), Int(field.nameLength)),
        value: piece(Int(field.valueStart), Int(field.valueLength)))
    }
  }

  // MARK: - The body

  /// Whether the request must wait for its body; what is at hand is then noted.
  private func mustHold(_ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int, _ needed: Int) -> Bool {
    if let (body, isAll) = bodyAtHand {
      if isAll || body.count > needed { return false }
      hold = BodyHold(wanted: needed + 1, limit: needed, headLength: headLength, isChunked: false)
      if loop.requestHead.expectsContinue, body.isEmpty { sayContinue() }
      return true
    }
    let fresh: BodyHold
    switch loop.requestHead.requestFraming {
    case .length(let total):
      let wanted = headLength + Int(min(total, UInt64(needed)))
      if count >= wanted { return false }
      fresh = BodyHold(wanted: wanted, limit: needed, headLength: headLength, isChunked: false)
    case .chunked: fresh = BodyHold(wanted: headLength, limit: needed, headLength: headLength, isChunked: true)
    case .none, .untilClose: return false
    }
    hold = fresh
    if hasEnoughBody(bytes, count) { return false }
    if loop.requestHead.expectsContinue, count == headLength { sayContinue() }
    return true
  }

  /// What a client waits for that does not send its body unasked; a target's own answer comes later and is passed on too.
  private func sayContinue() {
    let line: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
    _ = loop.responseHead.parseResponse(line.utf8Start, line.utf8CodeUnitCount)
    _ = sendInterim(line.utf8Start, line.utf8CodeUnitCount)
  }

  /// Bytes of chunks' sizes and extensions that are kept for one body: with one byte of data in a chunk the rest would
  /// be a thousand times as much. Whoever needs more is judged by what has come, as a body over the limit is.
  private static let framingMax = 64 << 10

  /// Whether the body that is held back is now enough to be judged. The bytes begin with the head.
  final func hasEnoughBody(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    guard var state = hold else { return true }
    if !state.isChunked { return count >= state.wanted }
    hold = nil
    while state.wanted < count, !state.isComplete, state.data.count <= state.limit {
      let outcome = state.reader.unwrap(bytes + state.wanted, count - state.wanted) { data, length in
        let room = state.limit + 1 - state.data.count
        if room > 0 { state.data.append(contentsOf: UnsafeBufferPointer(start: data, count: min(room, length))) }
      }
      switch outcome {
      case .body(let taken, let isEnd):
        state.wanted += taken
        state.isComplete = isEnd
      // Broken chunks are refused by whoever reads the body to pass it on.
      case .invalid: state.isComplete = true
      }
    }
    if !state.isComplete, state.wanted - state.headLength - state.data.count > Self.framingMax {
      state.isComplete = true
      state.isCut = true
    }
    let isEnough = state.isComplete || state.data.count > state.limit
    hold = state
    return isEnough
  }

  private func fillBody(
    _ view: WebRequest, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int, _ needed: Int
  ) {
    if let (body, isAll) = bodyAtHand {
      view.setBody(UnsafeBufferPointer(rebasing: body.prefix(needed)), isCut: body.count > needed || !isAll)
      return
    }
    switch loop.requestHead.requestFraming {
    case .length(let total):
      let length = max(0, min(count - headLength, Int(min(total, UInt64(needed)))))
      view.setBody(ByteView(start: bytes + headLength, count: length), isCut: total > UInt64(length))
    case .chunked:
      // Nobody held it back: none of it was looked at.
      guard let state = hold else { return view.setBody(ByteView(start: nil, count: 0), isCut: true) }
      loop.webACLs.setBody(state.data, needed, isCut: state.isCut, in: view)
    case .none, .untilClose: break
    }
  }

  /// What only the log wants to know.
  private func describe(_ view: WebRequest) {
    if tls != nil { view.scheme = "https" }
    if let (body, isAll) = bodyAtHand {
      view.bodySize = isAll ? UInt64(body.count) : loop.requestHead.contentLength
      return
    }
    switch loop.requestHead.requestFraming {
    case .none: view.bodySize = 0
    case .length(let total): view.bodySize = total
    case .chunked, .untilClose:
      guard let state = hold, state.isComplete, !state.isCut, state.data.count <= state.limit else { return }
      view.bodySize = UInt64(state.data.count)
    }
  }

  /// Whether a client wrote a header line that only the web ACL may write.
  final func isInserted(_ field: HeaderField, _ bytes: UnsafePointer<UInt8>) -> Bool {
    Int(field.nameLength) > 11 && Token.equals(bytes + Int(field.start), "x-amzn-waf-", 11)
  }
}

extension LocalAnswer {
  /// The answer to a blocked request.
  init(blocked response: WebACL.Response?) {
    self.init(status: response?.status ?? 403)
    guard let response else { return }
    if let contentType = response.contentType {
      self.contentType = contentType
      body = Array(response.body.utf8)
    }
    headers = response.headers.map { ($0.name, $0.value) }
  }
}
