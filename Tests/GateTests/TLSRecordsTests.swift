// Records of our own against OpenSSL, in memory: what one seals the other opens.
import COpenSSL
import GateProtocol
import Glibc
import Testing

@testable import GateCore

/// A client of OpenSSL's and a server's session whose handshake is over, joined by nothing but bytes.
private final class RecordsPair {
  let client: TLSSession
  let server: TLSSession
  /// What the server wrote and nobody took yet.
  private(set) var onWire: [UInt8] = []

  /// - Parameters:
  ///   - suite: OpenSSL's name.
  ///   - fragment: OpenSSL's code of the client's wish (RFC 6066, section 4); 0 for none.
  init(
    version: Int32 = TLS1_3_VERSION, suite: String = "TLS_AES_128_GCM_SHA256", fragment: UInt8 = 0,
    certificate: GateSnapshot.Certificate? = nil, engine: TLSEngine = TLSEngine()
  ) throws {
    let made = try certificate ?? TestCertificates.shared.get().ecdsa
    let context = try TLSServerContext(
      try TLSDescription(
        listener: "records", .init(certificates: [made.id], securityPolicy: "ELBSecurityPolicy-TLS13-1-0-2021-06"),
        certificates: [made.id: made], trustStores: [:]), TLSLibrary())
    #expect(SSL_CTX_set_cipher_list(context.context, "ALL") == 1)
    if suite.hasPrefix("TLS_") { #expect(SSL_CTX_set_ciphersuites(context.context, suite) == 1) }
    let clients = try TLSClientContext(TLSLibrary())
    #expect(castle_tls_set_versions(clients.context, version, version) == 1)
    client = try clients.session(TLSEngine(), sessions: nil)
    server = try context.session(engine)
    if suite.hasPrefix("TLS_") {
      #expect(SSL_set_ciphersuites(client.ssl, suite) == 1)
    } else {
      #expect(SSL_set_cipher_list(client.ssl, suite) == 1)
    }
    if fragment > 0 { #expect(SSL_set_tlsext_max_fragment_length(client.ssl, fragment) == 1) }
    engine.ticketKeys = [try TLSTicketKey()]
    var isDone = (client: false, server: false)
    var said: [UInt8] = []
    while !isDone.client || !isDone.server {
      if !isDone.client {
        isDone.client = try Self.goOn(client, said)
        said = Self.take(client.engine)
      }
      if !isDone.server {
        isDone.server = try Self.goOn(server, said)
        said = Self.take(engine)
      }
    }
    // The ticket behind the handshake.
    onWire = said
    server.isEstablished = true
    server.settle()
  }

  static func take(_ engine: TLSEngine) -> [UInt8] {
    defer { engine.io.pointee.out_count = 0 }
    return Array(UnsafeBufferPointer(start: engine.io.pointee.out, count: engine.io.pointee.out_count))
  }

  private static func goOn(_ session: TLSSession, _ bytes: [UInt8]) throws -> Bool {
    let outcome = bytes.withUnsafeBufferPointer {
      session.engine.io.pointee.in = $0.baseAddress
      session.engine.io.pointee.in_count = $0.count
      return castle_tls_handshake(session.ssl)
    }
    try #require(outcome == 0 || outcome == 1, "\(TLSFailure.lastError())")
    return outcome == 1
  }

  var records: TLSRecords { get throws { try #require(server.records) } }

  func serverSays(_ bytes: [UInt8]) throws {
    #expect(try records.seal(bytes, bytes.count, to: server.engine.io))
    onWire += Self.take(server.engine)
  }

  /// What OpenSSL reads of all that the server said.
  func clientReads() -> (bytes: [UInt8], outcome: Int32) {
    let bytes = onWire + Self.take(server.engine)
    onWire = []
    var plain = [UInt8](repeating: 0, count: 1 << 20)
    var outcome: Int32 = 0
    let count = bytes.withUnsafeBufferPointer { window in
      client.engine.io.pointee.in = window.baseAddress
      client.engine.io.pointee.in_count = window.count
      return castle_tls_read(client.ssl, client.engine.io, &plain, plain.count, &outcome)
    }
    return (Array(plain[0..<count]), outcome)
  }

  func clientSays(_ bytes: [UInt8]) throws -> [UInt8] {
    try #require(castle_tls_write(client.ssl, bytes, bytes.count) == 1)
    return Self.take(client.engine)
  }

  /// What the records read, and how it ended.
  func serverReads(_ window: [UInt8]) throws -> (bytes: [UInt8], used: Int, end: TLSRecordsEnd?) {
    var plain = [UInt8](repeating: 0, count: window.count + 1)
    var used = 0
    var end: TLSRecordsEnd?
    let count = try records.open(window, window.count, into: &plain, used: &used, end: &end, io: server.engine.io)
    return (Array(plain[0..<count]), used, end)
  }
}

@Suite("Records of TLS")
struct TLSRecordsTests {
  struct Choice: Sendable, CustomTestStringConvertible {
    let version: Int32
    let suite: String
    var rsa = false
    var testDescription: String { suite }
  }

  static let choices = [
    Choice(version: TLS1_3_VERSION, suite: "TLS_AES_128_GCM_SHA256"),
    Choice(version: TLS1_3_VERSION, suite: "TLS_AES_256_GCM_SHA384"),
    Choice(version: TLS1_3_VERSION, suite: "TLS_CHACHA20_POLY1305_SHA256"),
    Choice(version: TLS1_2_VERSION, suite: "ECDHE-ECDSA-AES128-GCM-SHA256"),
    Choice(version: TLS1_2_VERSION, suite: "ECDHE-ECDSA-AES256-GCM-SHA384"),
    Choice(version: TLS1_2_VERSION, suite: "ECDHE-RSA-AES256-GCM-SHA384", rsa: true),
    Choice(version: TLS1_2_VERSION, suite: "AES128-GCM-SHA256", rsa: true),
    Choice(version: TLS1_2_VERSION, suite: "ECDHE-ECDSA-CHACHA20-POLY1305"),
  ]

  private func pair(_ choice: Choice) throws -> RecordsPair {
    let made = try TestCertificates.shared.get()
    return try RecordsPair(
      version: choice.version, suite: choice.suite, certificate: choice.rsa ? made.rsa : made.ecdsa)
  }

  private func text(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) } }

  @Test("what OpenSSL seals is opened, and the other way round, with every suite and of every size", arguments: choices)
  func sizes(_ choice: Choice) throws {
    let pair = try pair(choice)
    #expect(pair.server.suite == choice.suite)
    for size in [1, 2, 15, 16, 17, 1000, 16383, 16384, 16385, 40000] {
      let said = text(size)
      let heard = try pair.serverReads(pair.clientSays(said))
      #expect(heard.bytes == said && heard.end == nil, "\(size)")
      try pair.serverSays(said)
      let answer = pair.clientReads()
      #expect(answer.bytes == said, "\(size)")
    }
  }

  @Test("a suite that is no AEAD of ours is left to OpenSSL")
  func cbc() throws {
    let pair = try RecordsPair(version: TLS1_2_VERSION, suite: "ECDHE-ECDSA-AES128-SHA256")
    #expect(pair.server.records == nil)
    #expect(pair.server.suite == "ECDHE-ECDSA-AES128-SHA256")
  }

  @Test("records come in whatever pieces the network makes of them", arguments: choices.prefix(5))
  func pieces(_ choice: Choice) throws {
    let pair = try pair(choice)
    let said = [text(10), text(300), text(1), text(5000)]
    let wire = try said.flatMap { try pair.clientSays($0) }
    var random = Random(seed: 3)
    var held: [UInt8] = []
    var heard: [UInt8] = []
    var at = 0
    while at < wire.count {
      let next = min(wire.count, at + 1 + Int(random.next() % 700))
      held += wire[at..<next]
      at = next
      let outcome = try pair.serverReads(held)
      #expect(outcome.end == nil)
      heard += outcome.bytes
      held.removeFirst(outcome.used)
    }
    #expect(held.isEmpty)
    #expect(heard == said.flatMap(\.self))
  }

  @Test("one changed bit anywhere ends the connection, and the other side is told", arguments: choices.prefix(5))
  func tampering(_ choice: Choice) throws {
    for bit in stride(from: 0, to: 8 * 60, by: 7) {
      let pair = try pair(choice)
      _ = try pair.serverReads(pair.clientSays(text(10)))
      var wire = try pair.clientSays(text(20))
      guard bit / 8 < wire.count else { break }
      // Of the length only what makes it no longer than the window: else more is awaited.
      if bit / 8 == 3 || bit / 8 == 4, wire[bit / 8] & 1 << (bit % 8) == 0 { continue }
      // The version of TLS 1.2 is vouched for as it must be, not as it stands there (RFC 8446, section 5.1).
      if !(TLS1_3_VERSION == choice.version), bit / 8 == 1 || bit / 8 == 2 { continue }
      wire[bit / 8] ^= 1 << (bit % 8)
      let outcome = try pair.serverReads(wire)
      #expect(outcome.end == .failed && outcome.bytes.isEmpty, "bit \(bit)")
      #expect(pair.clientReads().outcome == 3)
    }
  }

  @Test("a record that comes twice, or after its successor, is refused", arguments: choices.prefix(5))
  func order(_ choice: Choice) throws {
    let twice = try pair(choice)
    let record = try twice.clientSays(text(5))
    #expect(try twice.serverReads(record).end == nil)
    #expect(try twice.serverReads(record).end == .failed)
    let swapped = try pair(choice)
    let first = try swapped.clientSays(text(5))
    let second = try swapped.clientSays(text(6))
    #expect(try swapped.serverReads(second + first).end == .failed)
  }

  @Test("both sides may change their keys at any time, and ask the other to")
  func keyUpdates() throws {
    for choice in Self.choices.prefix(3) {
      let pair = try pair(choice)
      for round in 1...20 {
        if round % 4 == 0 { #expect(SSL_key_update(pair.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1) }
        if round % 4 == 1 { #expect(SSL_key_update(pair.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1) }
        if round % 5 == 0 {
          #expect(try pair.records.sendKeyUpdate(requests: round % 2 == 0, to: pair.server.engine.io))
        }
        let heard = try pair.serverReads(pair.clientSays(text(round)))
        #expect(heard.bytes == text(round) && heard.end == nil)
        try pair.serverSays(text(100 + round))
        #expect(pair.clientReads().bytes == text(100 + round))
      }
    }
  }

  @Test("records are no larger than the client wishes")
  func fragments() throws {
    let pair = try RecordsPair(fragment: 1)
    // Its ticket does not fit into one record of 512 bytes, or does: in both cases the count must be right.
    guard pair.server.records != nil else { return }
    try pair.serverSays(text(2000))
    #expect(pair.clientReads().bytes == text(2000))
    for choice in Self.choices.dropFirst(3).prefix(2) {
      let pair = try RecordsPair(version: choice.version, suite: choice.suite, fragment: 1)
      try pair.serverSays(text(2000))
      #expect(pair.onWire.count > 4 * 24 + 2000)
      #expect(pair.clientReads().bytes == text(2000))
    }
  }

  @Test("goodbye is said and heard", arguments: choices)
  func goodbye(_ choice: Choice) throws {
    let pair = try pair(choice)
    let last = try pair.clientSays(text(9))
    SSL_shutdown(pair.client.ssl)
    let heard = try pair.serverReads(last + RecordsPair.take(pair.client.engine) + [1, 2, 3])
    #expect(heard.bytes == text(9) && heard.end == .closed)
    try pair.serverSays(text(7))
    #expect(try pair.records.tell(.closeNotify, to: pair.server.engine.io))
    let answer = pair.clientReads()
    #expect(answer.bytes == text(7) && answer.outcome == 2)
  }

  @Test("clients that come for one request only are left to OpenSSL, until they stay again")
  func habits() {
    let clients = TLSClientHabits()
    #expect(clients.stay)
    for _ in 0..<300 {
      clients.came()
      clients.left(after: 1)
    }
    #expect(!clients.stay)
    for _ in 0..<100 { clients.came() }
    #expect(clients.stay, "they are still there")
    for _ in 0..<300 {
      clients.came()
      clients.left(after: 2)
    }
    #expect(clients.stay, "they said more than one thing")
  }

  @Test("what breaks the protocol is refused with its alert")
  func offences() throws {
    typealias Case = (name: String, type: TLSRecords.ContentType, bytes: [UInt8], alert: UInt8)
    let cases: [Case] = [
      ("an alert of three bytes", .alert, [1, 0, 0], 50),
      ("a ClientHello", .handshake, [1, 0, 0, 0], 10),
      ("a key update that asks for neither", .handshake, [24, 0, 0, 1, 2], 47),
      ("a key update in two", .handshake, [24, 0, 0], 10),
      ("changed ciphers", .changeCipherSpec, [1], 10),
    ]
    for each in cases {
      let engine = TLSEngine()
      let (ours, theirs) = try Self.twins(engine)
      #expect(theirs.seal(each.type, each.bytes, each.bytes.count, to: engine.io))
      let outcome = Self.open(ours, RecordsPair.take(engine), engine)
      #expect(outcome.end == .failed, "\(each.name)")
      let answer = Self.open(theirs, RecordsPair.take(engine), engine)
      #expect(answer.end == .failed && theirs.receivedAlert == each.alert, "\(each.name)")
    }
  }

  @Test("nothing, said again and again, is refused")
  func empties() throws {
    for (type, bytes) in [(TLSRecords.ContentType.applicationData, []), (.handshake, [24, 0, 0, 1, 1])]
      as [(_, [UInt8])]
    {
      let engine = TLSEngine()
      let (ours, theirs) = try Self.twins(engine)
      var ended = 0
      for round in 1...TLSRecords.emptyMax + 1 where ended == 0 {
        if type == .handshake {
          #expect(theirs.sendKeyUpdate(requests: true, to: engine.io))
        } else {
          #expect(theirs.seal(type, bytes, bytes.count, to: engine.io))
        }
        if Self.open(ours, RecordsPair.take(engine), engine).end == .failed { ended = round }
        _ = Self.open(theirs, RecordsPair.take(engine), engine)
      }
      #expect(ended == TLSRecords.emptyMax + 1)
    }
  }

  @Test("more connections than there are ciphers take turns with them")
  func manyConnections() throws {
    let engine = TLSEngine()
    let pairs = try (0..<TLSCipherPool.capacity + 100).map { _ in try Self.twins(engine) }
    var random = Random(seed: 11)
    for _ in 0..<20_000 {
      let (one, other) = pairs[Int(random.next() % UInt64(pairs.count))]
      let said = text(Int(random.next() % 40) + 1)
      #expect(one.seal(said, said.count, to: engine.io))
      let heard = Self.open(other, RecordsPair.take(engine), engine)
      #expect(heard.bytes == said && heard.end == nil)
    }
  }

  /// Both ends of a connection of TLS 1.3, each other's mirror.
  static func twins(_ engine: TLSEngine) throws -> (TLSRecords, TLSRecords) {
    let library = try TLSLibrary()
    let pool = try #require(engine.ciphers(of: library))
    let aead = try #require(library.aead(NID_aes_128_gcm))
    let (here, there) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
    func end(_ reads: [UInt8], _ writes: [UInt8]) throws -> TLSRecords {
      let keys = TLSKeys(
        aead: aead, digest: .sha256, isTLS13: true, reads: .secret(reads), writes: .secret(writes))
      return try #require(TLSRecords(keys, pool: pool, fragmentSize: TLSRecords.plainMax))
    }
    return (try end(here, there), try end(there, here))
  }

  static func open(
    _ records: TLSRecords, _ window: [UInt8], _ engine: TLSEngine
  ) -> (bytes: [UInt8], used: Int, end: TLSRecordsEnd?) {
    var plain = [UInt8](repeating: 0, count: window.count + 1)
    var used = 0
    var end: TLSRecordsEnd?
    let count = records.open(window, window.count, into: &plain, used: &used, end: &end, io: engine.io)
    return (Array(plain[0..<count]), used, end)
  }
}
