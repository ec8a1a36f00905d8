// A connection's reading and writing when it speaks TLS: whole batches of records at a time, so that a read costs one
// system call as without TLS, and what waits to be sent in `out` is already encrypted.
import CLinux
import COpenSSL
import Glibc

extension Connection {
  enum HandshakeProgress {
    case wantsMore, done, failed
  }

  /// Goes on with the handshake, as far as the other side has answered.
  final func shakeHands(_ tls: TLSSession) -> HandshakeProgress {
    let engine = tls.engine
    while true {
      let outcome = castle_tls_handshake(tls.ssl)
      if engine.hasOutput, !sendRecords(tls) {
        engine.io.pointee.in_count = 0
        return .failed
      }
      switch outcome {
      case Int32(castle_tls_wants_more.rawValue): break
      case Int32(castle_tls_done.rawValue):
        // The first request often comes in one packet with the end of the handshake.
        if let rest = engine.io.pointee.in, engine.io.pointee.in_count > 0 {
          tls.leftover.append(rest, engine.io.pointee.in_count)
          engine.io.pointee.in_count = 0
          mayRead = true
        }
        tls.isEstablished = true
        return .done
      default:
        engine.io.pointee.in_count = 0
        tls.hasFailed = true
        return .failed
      }
      if !mayRead { return .wantsMore }
      let count = fill(tls, behind: 0)
      if count <= 0 { return count == -1 ? .wantsMore : .failed }
      engine.io.pointee.in = UnsafePointer(engine.input)
      engine.io.pointee.in_count = count
    }
  }

  /// Reads from the socket into the engine's room for encrypted bytes.
  /// - Parameter held: bytes at its beginning that stay.
  /// - Returns: as `receive`: how many came, 0 for the end, -1 for nothing now, -2 for a failure.
  private final func fill(_ tls: TLSSession, behind held: Int) -> Int {
    let room = TLSEngine.inputSize - held
    let count = gate_recv(descriptor, tls.engine.input + held, room)
    if count > 0 {
      if count < room, !sawEnd { mayRead = false }
      return count
    }
    mayRead = false
    if count == 0 { tls.hasEnded = true }
    return count == 0 ? 0 : count == -Int(EAGAIN) || count == -Int(EINTR) ? -1 : -2
  }

  /// `receive` of a connection with TLS.
  @inline(never)
  final func receiveDecrypted(_ tls: TLSSession) -> Int {
    if let records = tls.records { return receive(tls, records) }
    let io = tls.engine.io
    while true {
      if tls.hasFailed || tls.hasEnded {
        mayRead = false
        return tls.hasFailed ? -2 : 0
      }
      let comesFromLeftover = tls.hasMore || !tls.leftover.isEmpty
      if comesFromLeftover {
        io.pointee.in = tls.leftover.isEmpty ? nil : UnsafePointer(tls.leftover.first)
        io.pointee.in_count = tls.leftover.count
      } else {
        let count = fill(tls, behind: 0)
        if count <= 0 { return count }
        io.pointee.in = UnsafePointer(tls.engine.input)
        io.pointee.in_count = count
      }
      var outcome: Int32 = 0
      let plain = castle_tls_read(tls.ssl, io, loop.readBuffer, EventLoop.readSize, &outcome)
      keepRest(tls, outcome, wasLeftover: comesFromLeftover)
      // Answers to updated keys, alerts.
      if tls.engine.hasOutput, !sendRecords(tls) { tls.hasFailed = true }
      if plain > 0 {
        tls.reads += 1
        receivedBytes &+= UInt64(plain)
        // What ended the connection is found again by the next call.
        if tls.hasFailed || tls.hasEnded || comesFromLeftover { mayRead = true }
        return plain
      }
      if comesFromLeftover || tls.hasFailed || tls.hasEnded { continue }
      if !mayRead { return -1 }
    }
  }

  /// Without OpenSSL's object: what stays behind is never more than the beginning of a record, which the next read goes
  /// on with.
  private final func receive(_ tls: TLSSession, _ records: TLSRecords) -> Int {
    let engine = tls.engine
    while true {
      if tls.hasFailed || tls.hasEnded {
        mayRead = false
        return tls.hasFailed ? -2 : 0
      }
      let held = tls.leftover.count
      if held > 0 { memcpy(engine.input, tls.leftover.first, held) }
      var count = 0
      // What came behind the handshake was not looked at yet.
      if !tls.hasMore {
        count = fill(tls, behind: held)
        if count <= 0 { return count }
      }
      tls.hasMore = false
      var used = 0
      var end: TLSRecordsEnd?
      let plain = records.open(
        engine.input, held + count, into: loop.readBuffer, used: &used, end: &end, io: engine.io)
      if end == .closed { tls.hasEnded = true }
      if end == .failed {
        tls.hasFailed = true
        ERR_clear_error()
      }
      if held > 0 {
        tls.leftover.consume(held)
        if used == held + count || end != nil { tls.leftover.release(keeping: 0) }
      }
      if end == nil, used < held + count { tls.leftover.append(engine.input + used, held + count - used) }
      // Answers to updated keys, alerts.
      if engine.hasOutput, !sendRecords(tls) { tls.hasFailed = true }
      if plain > 0 {
        tls.reads += 1
        receivedBytes &+= UInt64(plain)
        // What ended the connection is found again by the next call.
        if end != nil { mayRead = true }
        return plain
      }
      if end == nil, !mayRead { return -1 }
    }
  }

  /// After a batch was decrypted: notes how it ended, and keeps what was not used.
  private final func keepRest(_ tls: TLSSession, _ outcome: Int32, wasLeftover: Bool) {
    let io = tls.engine.io
    tls.hasMore = outcome == Int32(castle_tls_done.rawValue)
    if outcome == Int32(castle_tls_closed.rawValue) { tls.hasEnded = true }
    if outcome == Int32(castle_tls_failed.rawValue) {
      tls.hasFailed = true
      ERR_clear_error()
    }
    let rest = tls.hasMore ? io.pointee.in_count : 0
    if wasLeftover {
      tls.leftover.consume(tls.leftover.count - rest)
      if rest == 0 { tls.leftover.release(keeping: 0) }
    } else if rest > 0, let bytes = io.pointee.in {
      tls.leftover.append(bytes, rest)
    }
    io.pointee.in_count = 0
    if tls.hasMore { mayRead = true }
  }

  /// `write` of a connection with TLS.
  @inline(never)
  final func writeEncrypted(_ tls: TLSSession, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    encrypt(tls, bytes, count) && sendRecords(tls)
  }

  /// Two pieces: in one record when they are small, in one system call always.
  @inline(never)
  final func writeEncrypted(
    _ tls: TLSSession, _ first: UnsafePointer<UInt8>, _ firstCount: Int, _ second: UnsafePointer<UInt8>,
    _ secondCount: Int
  ) -> Bool {
    if firstCount + secondCount <= TLSEngine.recordSize {
      memcpy(tls.engine.staging, first, firstCount)
      memcpy(tls.engine.staging + firstCount, second, secondCount)
      return encrypt(tls, tls.engine.staging, firstCount + secondCount) && sendRecords(tls)
    }
    return encrypt(tls, first, firstCount) && encrypt(tls, second, secondCount) && sendRecords(tls)
  }

  private final func encrypt(_ tls: TLSSession, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    if tls.hasFailed || tls.hasSentClose { return false }
    if let records = tls.records {
      if records.seal(bytes, count, to: tls.engine.io) { return true }
    } else if castle_tls_write(tls.ssl, bytes, count) == 1 {
      return true
    }
    ERR_clear_error()
    tls.hasFailed = true
    tls.engine.io.pointee.out_count = 0
    return false
  }

  /// Sends what was encrypted, or keeps it behind what waits already.
  private final func sendRecords(_ tls: TLSSession) -> Bool {
    let io = tls.engine.io
    let count = io.pointee.out_count
    guard count > 0, let bytes = io.pointee.out else { return true }
    io.pointee.out_count = 0
    tls.wireBytes += UInt64(count)
    return send(UnsafePointer(bytes), count)
  }

  /// Says that nothing more will be written; at most once.
  final func sendCloseNotify(_ tls: TLSSession) {
    if tls.hasSentClose || tls.hasFailed || !tls.isEstablished { return }
    tls.hasSentClose = true
    if let records = tls.records {
      if !records.tell(.closeNotify, to: tls.engine.io) { ERR_clear_error() }
    } else if SSL_shutdown(tls.ssl) < 0 {
      ERR_clear_error()
    }
    // A connection that cannot take it is closed without.
    if !sendRecords(tls) { tls.hasFailed = true }
  }
}
