// A health check over TLS, on the control thread: a handshake, a request, the beginning of an answer.
import CLinux
import COpenSSL
import Glibc

/// The TLS of one probe.
final class TLSProbe {
  enum Progress { case wantsMore, ended, failed }

  /// Bytes that are taken at once.
  private static let answerMax = 64 << 10

  private let session: TLSSession
  private let request: [UInt8]
  private var unsent = Bytes()
  private var answer: [UInt8] = []

  /// - Parameter protocols: what is offered as application protocol.
  init(
    _ context: TLSClientContext, _ engine: TLSEngine, request: [UInt8], protocols: [String]
  ) throws(TLSFailure) {
    session = try context.session(engine, sessions: nil, protocols: protocols)
    self.request = request
  }

  /// What the target answered since the last call.
  func takeAnswer() -> [UInt8] {
    defer { answer = [] }
    return answer
  }

  /// Goes on with what the socket has and takes.
  func advance(_ descriptor: Int32) -> Progress {
    let io = session.engine.io
    while true {
      var outcome = castle_tls_handshake(session.ssl)
      if outcome == Int32(castle_tls_done.rawValue), !session.isEstablished {
        session.isEstablished = true
        if castle_tls_write(session.ssl, request, request.count) != 1 { outcome = Int32(castle_tls_failed.rawValue) }
      }
      if outcome == Int32(castle_tls_done.rawValue), io.pointee.in_count > 0 { outcome = decrypt() }
      io.pointee.in_count = 0
      if !send(descriptor) { return .failed }
      if outcome == Int32(castle_tls_closed.rawValue) || answer.count > Self.answerMax { return .ended }
      if outcome == Int32(castle_tls_failed.rawValue) {
        TLSFailure.forget()
        return .failed
      }
      let count = gate_recv(descriptor, session.engine.input, TLSEngine.inputSize)
      if count == -Int(EAGAIN) { return .wantsMore }
      if count <= 0 { return .ended }
      io.pointee.in = UnsafePointer(session.engine.input)
      io.pointee.in_count = count
    }
  }

  private func decrypt() -> Int32 {
    var outcome: Int32 = 0
    var buffer = [UInt8](repeating: 0, count: EventLoop.readSize)
    let count = castle_tls_read(session.ssl, session.engine.io, &buffer, buffer.count, &outcome)
    answer += buffer[0..<count]
    return outcome
  }

  private func send(_ descriptor: Int32) -> Bool {
    let io = session.engine.io
    if let bytes = io.pointee.out { unsent.append(bytes, io.pointee.out_count) }
    io.pointee.out_count = 0
    if unsent.isEmpty { return true }
    let sent = gate_send(descriptor, unsent.first, unsent.count)
    if sent < 0 { return sent == -Int(EAGAIN) }
    unsent.consume(sent)
    return true
  }
}
