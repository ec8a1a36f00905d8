// Records of TLS, between two ends that have each other's keys and a network that does as it likes.
#if DEBUG
  import COpenSSL
  import GateProtocol

  @testable import GateCore

  enum RecordChecks {
    private static let library: TLSLibrary = {
      guard let library = try? TLSLibrary() else { preconditionFailure("no OpenSSL") }
      return library
    }()

    /// The first byte says which version and suite; then orders: what the other end seals, and what the network does to it.
    /// What is opened must be what was sealed, from its beginning on and in order; once the network has interfered, no more
    /// than that.
    static func run(_ bytes: UnsafeBufferPointer<UInt8>) {
      let engine = TLSEngine()
      var script = bytes[...]
      let choice = script.popFirst() ?? 0
      guard let ours = end(choice, engine, reads: 1, writes: 2), let theirs = end(choice, engine, reads: 2, writes: 1)
      else { return }
      var sealed: [UInt8] = []
      var opened: [UInt8] = []
      var wire: [UInt8] = []
      var isOver = false
      var held = 0
      while let order = script.popFirst(), !isOver {
        let size = Int(script.popFirst() ?? 0) << (order >> 5)
        switch order & 7 {
        case 0, 1:
          let said = (0..<size).map { UInt8(truncatingIfNeeded: $0) ^ order }
          precondition(theirs.seal(said, said.count, to: engine.io))
          sealed += said
        case 2:
          // Of any kind, with any content.
          let content = Array(script.prefix(min(size, 64)))
          script = script.dropFirst(content.count)
          let kinds: [TLSRecords.ContentType] = [.changeCipherSpec, .alert, .handshake, .applicationData]
          let kind = kinds[Int(order >> 3 & 3)]
          if kind == .applicationData { sealed += content }
          precondition(theirs.seal(kind, content, content.count, to: engine.io))
        case 3: if choice & 1 == 0 { precondition(theirs.sendKeyUpdate(requests: order & 8 != 0, to: engine.io)) }
        case 4:
          wire += take(engine)
          wire += script.prefix(min(size, 64))
          script = script.dropFirst(min(size, 64))
        case 5:
          wire += take(engine)
          if !wire.isEmpty { wire[size % wire.count] ^= 1 << (order >> 5) }
        case 6:
          wire += take(engine)
          if !wire.isEmpty { wire.remove(at: size % wire.count) }
        default: break
        }
        wire += take(engine)
        // Each order held back may bring an answer without content, and too many of those in a row are abuse.
        held += 1
        let window = Array(wire.prefix(order & 8 == 0 || held > 20 ? wire.count : size))
        if window.count == wire.count { held = 0 }
        let (plain, used, end) = open(ours, window, engine)
        opened += plain
        wire.removeFirst(used)
        precondition(sealed.starts(with: opened), "something was opened that was not sealed")
        isOver = end != nil
        // Something is said back, or the other end would take answers without content for abuse.
        if !plain.isEmpty, end == nil { precondition(ours.seal([0], 1, to: engine.io)) }
        // Answers are what the other end can open, until an alert ends it.
        let (answer, _, answerEnd) = open(theirs, take(engine), engine)
        precondition(answer.count <= 1, "an answer that nobody gave")
        // What is said back comes behind all answers of a window, so the other end may have its fill of those before.
        let hasFill = theirs.emptyCount > TLSRecords.emptyMax
        precondition(answerEnd == nil || end == .failed || hasFill, "an alert came from a connection that goes on")
        isOver = isOver || answerEnd != nil
        precondition(
          end != .failed || answerEnd == .failed || ours.receivedAlert != nil, "nobody was told why it ended")
      }
    }

    private static func take(_ engine: TLSEngine) -> [UInt8] {
      defer { engine.io.pointee.out_count = 0 }
      return Array(UnsafeBufferPointer(start: engine.io.pointee.out, count: engine.io.pointee.out_count))
    }

    private static func open(_ records: TLSRecords, _ window: [UInt8], _ engine: TLSEngine) -> (
      [UInt8], Int, TLSRecordsEnd?
    ) {
      // No more room than the loop's buffer has: as much as the window.
      let plain = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, window.count))
      defer { plain.deallocate() }
      guard let place = plain.baseAddress else { return ([], 0, nil) }
      var used = 0
      var end: TLSRecordsEnd?
      let count = records.open(window, window.count, into: place, used: &used, end: &end, io: engine.io)
      return (Array(plain[0..<count]), used, end)
    }

    private static func end(_ choice: UInt8, _ engine: TLSEngine, reads: UInt8, writes: UInt8) -> TLSRecords? {
      let suites = [NID_aes_128_gcm, NID_aes_256_gcm, NID_chacha20_poly1305]
      guard let pool = engine.ciphers(of: library), let aead = library.aead(suites[Int(choice >> 1) % 3]) else {
        return nil
      }
      let isTLS13 = choice & 1 == 0
      func material(_ byte: UInt8) -> TLSKeys.Material {
        isTLS13
          ? .secret(Array(repeating: byte, count: 32))
          : .key(
            Array(repeating: byte, count: aead.keySize),
            iv: Array(repeating: byte, count: 12 - aead.explicitNonceSize))
      }
      let keys = TLSKeys(
        aead: aead, digest: .sha256, isTLS13: isTLS13, reads: material(reads), writes: material(writes))
      return TLSRecords(keys, pool: pool, fragmentSize: 512 << Int(choice >> 6))
    }
  }
#endif
