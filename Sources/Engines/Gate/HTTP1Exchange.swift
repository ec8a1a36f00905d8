// How an HTTP/1.1 client gets its answer: the target's head spliced, not rebuilt, and sent in one piece with what has
// come of the body.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// The exchange of an HTTP/1.1 client's connection.
final class HTTP1Exchange: Exchange {
  // The connection owns this exchange, and the loop keeps a closed connection to the end of its batch.
  unowned(unsafe) var owner: HTTP1Connection?

  private var connection: HTTP1Connection { owner.unsafelyUnwrapped }

  init(loop: EventLoop, listener: ListenerRuntime, source: UInt32) {
    super.init(loop: loop, listener: listener, source: source, node: listener.loadBalancer.nodes[0])
  }

  override var facts: ConnectionFacts { connection.facts() }
  override var sourcePort: UInt16 { connection.port }

  override var takesAnswer: Bool { connection.out.isEmpty }

  override var answersTo: Connection? { connection }

  override func touch() { connection.touch() }

  override func noteProtocol() {
    request.takesChunks = !request.isOldVersion
    request.body = BodyReader(loop.requestHead.requestFraming)
  }

  override var canHoldBody: Bool { true }

  override func willDispatch() { connection.phase = .proxying }

  override func resumeBody() { if connection.mayRead, !request.body.isDone { connection.onReadable() } }

  override func resumeBodyLater() { if connection.mayRead { loop.enqueue(connection) } }

  // MARK: - The answer

  override func sendInterim(_ bytes: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    // HTTP/1.0 clients do not know them.
    request.isOldVersion || connection.write(bytes, length)
  }

  /// The head for the client, in the loop's scratch buffer.
  override func buildAnswer(_ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ framing: BodyFraming) {
    // Without length or chunks the client, too, learns the end of the body from the end of the connection.
    let unwrapsChunks = !request.takesChunks && framing == .chunked
    if framing == .untilClose || unwrapsChunks || !request.body.isDone { request.keepsAlive = false }
    loop.scratch.clear()
    _ = loop.scratch.reserve(headLength + 64)
    var run = 0
    let fields = loop.responseHead.fields
    let modifies = !listener.answerHeaders.isEmpty
    for index in 0..<loop.responseHead.fieldCount {
      let field = fields[index]
      let drops: Bool
      switch field.kind {
      case .connection, .keepAlive, .proxyConnection, .upgrade, .superfluous: drops = true
      case .transferEncoding: drops = unwrapsChunks
      case .other:
        drops =
          (loop.responseHead.nominatesFields && loop.responseHead.nominates(field, in: bytes))
          || (modifies && listener.answerHeaders.replaces(bytes + Int(field.start), Int(field.nameLength)))
      default: drops = false
      }
      if drops {
        loop.scratch.append(bytes + run, Int(field.start) - run)
        run = Int(field.end)
      }
    }
    // All but the empty line.
    loop.scratch.append(bytes + run, headLength - 2 - run)
    if loop.responseHead.minorVersion == 0 {
      (loop.scratch.first + loop.responseHead.minorVersionOffset).pointee = 0x31
    }
    if modifies || sticky != nil || !sessionLines.isEmpty { appendAnswerLines(bytes, to: &loop.scratch) }
    if connection.isLastAnswer {
      loop.scratch.append("Connection: close\r\n\r\n")
      request.keepsAlive = false
    } else if request.isOldVersion {
      loop.scratch.append("Connection: keep-alive\r\n\r\n")
    } else {
      loop.scratch.append("\r\n")
    }
  }

  /// Sends the head in the scratch buffer and the first bytes of the body in one packet.
  override func sendFirst(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) -> Bool {
    countSent(loop.scratch.count + count)
    if count <= 4096 {
      loop.scratch.append(bytes, count)
      return connection.write(loop.scratch.first, loop.scratch.count)
    }
    return connection.write(loop.scratch.first, loop.scratch.count, bytes, count)
  }

  override func sendBody(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) -> Bool {
    if count == 0 { return true }
    countSent(count)
    return connection.write(bytes, count)
  }

  override func finish() {
    group = nil
    endRecord()
    connection.finishRequest()
  }

  override func breakOff() { connection.close() }
  override func clientFailed() { connection.onFailure() }

  // MARK: - Upgrade

  override func becomeTunnel(
    with upstream: UpstreamConnection, _ bytes: UnsafePointer<UInt8>, _ count: Int
  ) -> Bool {
    let connection = connection
    connection.phase = .tunnel
    connection.peer = upstream
    upstream.peer = connection
    countSent(count)
    let early = connection.inbox.count
    // Head and first frames together, untouched: Connection and Upgrade belong to this answer.
    if !connection.write(bytes, count) { return false }
    if early > 0 {
      let sent = upstream.write(connection.inbox.first, early)
      connection.inbox.release(keeping: 0)
      if !sent { return false }
    }
    connection.touch()
    return true
  }

  // MARK: - Answers of the load balancer's own

  override func answer(_ local: LocalAnswer, closing: Bool) {
    if closing { request.keepsAlive = false }
    node.statistics.elb.count(local.status)
    request.status = local.status
    let isLast = connection.isLastAnswer
    loop.scratch.clear()
    loop.scratch.append("HTTP/1.1 ")
    loop.scratch.append(decimal: UInt64(local.status))
    loop.scratch.append(byte: 0x20)
    loop.scratch.append(text: LocalAnswer.reason(local.status))
    if listener.answerHeaders.sendsServer { loop.scratch.append("\r\nServer: awselb/2.0") }
    loop.scratch.append("\r\nDate: ")
    loop.scratch.append(loop.dateLine())
    if local.hasBody {
      if !local.body.isEmpty || local.contentType != "text/html" {
        loop.scratch.append("\r\nContent-Type: ")
        loop.scratch.append(text: local.contentType)
      }
      loop.scratch.append("\r\nContent-Length: ")
      loop.scratch.append(decimal: UInt64(local.body.count))
    }
    if let location = local.location {
      loop.scratch.append("\r\nLocation: ")
      loop.scratch.append(text: location)
    }
    loop.scratch.append("\r\n")
    loop.scratch.append(listener.answerHeaders.lines)
    loop.scratch.append(sessionLines)
    for (name, value) in local.headers {
      loop.scratch.append(text: name)
      loop.scratch.append(": ")
      loop.scratch.append(text: value)
      loop.scratch.append("\r\n")
    }
    loop.scratch.append("Connection: ")
    if isLast { loop.scratch.append("close\r\n\r\n") } else { loop.scratch.append("keep-alive\r\n\r\n") }
    if local.hasBody && !request.isHEAD { loop.scratch.append(local.body) }
    countSent(loop.scratch.count)
    request.keepsAlive = !isLast
    if !connection.write(loop.scratch.first, loop.scratch.count) { return connection.close() }
    finish()
  }
}
