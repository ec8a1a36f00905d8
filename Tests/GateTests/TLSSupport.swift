// Certificates made with the openssl command, programs as clients, and a TLS client on raw sockets.
import COpenSSL
import GateProtocol
import Glibc
import Synchronization
import Testing
import WebACL

@testable import GateCore

/// Runs a program to its end; its output and error output together.
func run(_ arguments: [String], input: String = "") async throws -> (status: Int32, output: String) {
  try await onThread { try runBlocking(arguments, input: input) }
}

func runBlocking(_ arguments: [String], input: String = "") throws -> (status: Int32, output: String) {
  // Both directions in one, closed in children of other threads.
  var ends: [Int32] = [0, 0]
  guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
    throw TestFailure("no socket pair")
  }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
  var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
  pointers.append(nil)
  defer { for pointer in pointers { free(pointer) } }
  var child: pid_t = 0
  let result = posix_spawnp(&child, arguments[0], &actions, nil, pointers, environ)
  close(ends[1])
  defer { close(ends[0]) }
  guard result == 0 else { throw TestFailure("cannot start \(arguments[0])") }
  let bytes = Array(input.utf8)
  // It may have ended without reading.
  _ = send(ends[0], bytes, bytes.count, Int32(MSG_NOSIGNAL))
  shutdown(ends[0], Int32(SHUT_WR))
  var output: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 16 << 10)
  while true {
    let count = read(ends[0], &buffer, buffer.count)
    if count <= 0 { break }
    output += buffer[0..<count]
  }
  var status: Int32 = 0
  waitpid(child, &status, 0)
  return (status >> 8 & 255, String(decoding: output, as: UTF8.self))
}

/// Certificates of an authority of the tests' own, made once.
struct TestCertificates: Sendable {
  let folder: String
  let authority: String
  let rsa: GateSnapshot.Certificate
  let ecdsa: GateSnapshot.Certificate
  let wildcard: GateSnapshot.Certificate
  let other: GateSnapshot.Certificate

  var all: [GateSnapshot.Certificate] { [rsa, ecdsa, wildcard, other] }

  /// Made by the first test that asks; the folder is removed when the tests end.
  static let shared = Result { try TestCertificates() }

  private init() throws {
    let folder = try temporaryFolder()
    self.folder = folder
    exitFolders.withLock { $0.append(folder) }
    atexit { for folder in exitFolders.withLock({ $0 }) { _ = try? runBlocking(["rm", "-rf", folder]) } }
    try Self.authority("ca", "Castle Test Authority", folder)
    authority = try text(folder + "/ca.pem")
    rsa = try Self.make("rsa", ["shop.test", "www.shop.test"], "rsa:2048", folder)
    ecdsa = try Self.make("ecdsa", ["shop.test"], "ec", folder)
    wildcard = try Self.make("wildcard", ["*.shop.test"], "ec", folder)
    other = try Self.make("other", ["other.test"], "ec", folder)
  }

  static func authority(_ name: String, _ subject: String, _ folder: String) throws {
    try openssl([
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
      "\(folder)/\(name).key", "-out", "\(folder)/\(name).pem", "-days", "2", "-subj", "/CN=\(subject)", "-addext",
      "keyUsage=critical,keyCertSign,cRLSign",
    ])
  }

  /// A certificate of the authority; its files are called after its id.
  static func make(
    _ id: String, _ names: [String], _ algorithm: String, _ folder: String, authority: String = "ca",
    subject: String? = nil, days: Int = 2, extra: [String] = []
  ) throws -> GateSnapshot.Certificate {
    let alternative = names.map { "DNS:\($0)" }.joined(separator: ",")
    try openssl(
      ["req", "-x509", "-newkey", algorithm]
        + (algorithm == "ec" ? ["-pkeyopt", "ec_paramgen_curve:P-256"] : [])
        + [
          "-nodes", "-keyout", "\(folder)/\(id).key", "-out", "\(folder)/\(id).pem", "-days", "\(days)", "-subj",
          subject ?? "/CN=\(id)", "-CA", "\(folder)/\(authority).pem", "-CAkey", "\(folder)/\(authority).key",
          "-addext", "basicConstraints=critical,CA:FALSE",
        ]
        + (names.isEmpty ? [] : ["-addext", "subjectAltName=\(alternative)"]) + extra)
    return GateSnapshot.Certificate(
      id: id, chain: try text("\(folder)/\(id).pem"), privateKey: try text("\(folder)/\(id).key"))
  }

  static func openssl(_ arguments: [String]) throws {
    let (status, output) = try runBlocking(["openssl"] + arguments)
    guard status == 0 else { throw TestFailure("openssl \(arguments): \(output)") }
  }
}

private let exitFolders = Mutex<[String]>([])

func text(_ path: String) throws -> String {
  guard let file = fopen(path, "r") else { throw TestFailure("no file \(path)") }
  defer { fclose(file) }
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = fread(&buffer, 1, buffer.count, file)
    if count <= 0 { return String(decoding: all, as: UTF8.self) }
    all += buffer[0..<count]
  }
}

/// A blocking TLS connection that trusts everybody, over the Gate's own sessions.
final class TLSTestClient {
  let socket: RawSocket
  let session: TLSSession
  private let engine: TLSEngine

  /// - Parameter host: what to ask for (SNI).
  init(
    port: UInt16, host: String? = nil, context: TLSClientContext? = nil, sessions: TLSSessionStore? = nil,
    protocols: [String] = []
  ) throws {
    socket = try RawSocket(port: port)
    engine = TLSEngine()
    let context = try context ?? TLSClientContext(TLSLibrary())
    session = try context.session(engine, sessions: sessions, protocols: protocols)
    if let host { _ = castle_tls_set_host(session.ssl, host) }
    try shakeHands()
  }

  /// The server's side of an accepted connection.
  init(serving socket: RawSocket, _ context: TLSServerContext) throws {
    self.socket = socket
    engine = TLSEngine()
    engine.ticketKeys = Self.ticketKeys
    session = try context.session(engine)
    try shakeHands()
  }

  private static let ticketKeys = [try? TLSTicketKey()].compactMap(\.self)

  private func shakeHands() throws {
    while true {
      let outcome = castle_tls_handshake(session.ssl)
      try flush()
      if outcome == Int32(castle_tls_done.rawValue) { return }
      guard outcome == Int32(castle_tls_wants_more.rawValue) else { throw TestFailure(TLSFailure.lastError()) }
      let bytes = try socket.receive()
      if bytes.isEmpty { throw TestFailure("the connection ended inside the handshake") }
      feed(bytes)
    }
  }

  private func feed(_ bytes: [UInt8]) {
    precondition(bytes.count <= 64 << 10)
    for (index, byte) in bytes.enumerated() { window[index] = byte }
    engine.io.pointee.in = UnsafePointer(window)
    engine.io.pointee.in_count = bytes.count
  }

  private let window = UnsafeMutablePointer<UInt8>.allocate(capacity: 64 << 10)

  deinit { window.deallocate() }

  private func flush() throws {
    guard let bytes = engine.io.pointee.out, engine.io.pointee.out_count > 0 else { return }
    let all = Array(UnsafeBufferPointer(start: bytes, count: engine.io.pointee.out_count))
    engine.io.pointee.out_count = 0
    try socket.send(all)
  }

  func send(_ text: String) throws {
    let bytes = Array(text.utf8)
    guard castle_tls_write(session.ssl, bytes, bytes.count) == 1 else { throw TestFailure(TLSFailure.lastError()) }
    try flush()
  }

  /// Says that nothing more comes, and goes on reading.
  func endWriting() throws {
    SSL_shutdown(session.ssl)
    try flush()
  }

  /// Changes the keys of this direction and asks the other side to do the same.
  func updateKeys() throws {
    SSL_key_update(session.ssl, SSL_KEY_UPDATE_REQUESTED)
  }

  /// Empty at the end.
  func receive() throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      var outcome: Int32 = 0
      let count = castle_tls_read(session.ssl, engine.io, &buffer, buffer.count, &outcome)
      try flush()
      if count > 0 { return Array(buffer[0..<count]) }
      if outcome == Int32(castle_tls_closed.rawValue) { return [] }
      if outcome == Int32(castle_tls_failed.rawValue) { throw TestFailure(TLSFailure.lastError()) }
      let bytes = try socket.receive()
      if bytes.isEmpty { return [] }
      feed(bytes)
    }
  }

  var reader: MessageReader { MessageReader { [self] in try receive() } }

  /// The subject's common name of the server's certificate.
  var serverName: String {
    guard let certificate = SSL_get0_peer_certificate(session.ssl) else { return "" }
    return String(decoding: MutualTLS.name(X509_get_subject_name(certificate)), as: UTF8.self)
  }
}

/// One GET over a new TLS connection.
func getTLS(_ port: UInt16, _ path: String = "/", host: String? = "shop.test") async throws -> Message {
  try await onThread {
    let client = try TLSTestClient(port: port, host: host)
    try client.send("GET \(path) HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    guard let message = try client.reader.next() else { throw TestFailure("no answer") }
    return message
  }
}

extension GateFixture {
  /// Applies one load balancer with one HTTPS listener; returns its port.
  @discardableResult
  func serveTLS(
    _ version: UInt64 = 1, targets: [GateSnapshot.Target], tls: GateSnapshot.ListenerTLS? = nil,
    certificates: [GateSnapshot.Certificate]? = nil, trustStores: [GateSnapshot.TrustStore] = [],
    attributes: GateSnapshot.Attributes = .init(), action: GateSnapshot.Action = .forward(to: "tg"),
    headers: GateSnapshot.HeaderModification = .init(), logs: GateSnapshot.Logs = .init(), webACLs: [WebACL] = []
  ) async throws -> UInt16 {
    let made = try certificates ?? TestCertificates.shared.get().all
    let tls = tls ?? .init(certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06")
    var snapshot = GateSnapshot(
      version: version,
      loadBalancers: [
        .init(
          id: "lb", address: "127.0.0.1",
          listeners: [
            .init(id: "listener", port: 0, transport: .https, tls: tls, defaultAction: action, headers: headers)
          ], attributes: attributes, logs: logs)
      ],
      targetGroups: [.init(id: "tg", targets: targets, healthCheck: .init(probe: .none))],
      certificates: made, trustStores: trustStores)
    snapshot.webACLs = webACLs.isEmpty ? nil : webACLs
    let status = try await client.apply(snapshot)
    guard let binding = status.listener("listener"), let port = binding.port, binding.error == nil else {
      throw TestFailure("not bound: \(status)")
    }
    return port
  }
}

/// What `openssl s_client` says of a connection that it makes and ends.
func handshake(_ port: UInt16, _ arguments: [String] = []) async throws -> String {
  try await run(["openssl", "s_client", "-connect", "127.0.0.1:\(port)"] + arguments, input: "").output
}

/// Something that is set once, by any thread.
final class Flag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}

/// A target that speaks TLS.
final class TLSTestServer: Sendable {
  /// What the connections' threads count.
  final class Counts: Sendable {
    fileprivate let values = Mutex((handshakes: 0, resumed: 0))
  }

  let server: TestServer
  private let counts: Counts

  var handshakes: Int { counts.values.withLock { $0.handshakes } }
  var resumed: Int { counts.values.withLock { $0.resumed } }

  init(
    policy: String = "ELBSecurityPolicy-TLS13-1-2-2021-06",
    _ answer: @escaping @Sendable (Message) throws -> String
  ) throws {
    let made = try TestCertificates.shared.get()
    let description = try TLSDescription(
      listener: "target", .init(certificates: ["other"], securityPolicy: policy), certificates: ["other": made.other],
      trustStores: [:])
    let context = try TLSServerContext(description, TLSLibrary())
    let counts = Counts()
    self.counts = counts
    server = try TestServer { socket, core in
      let connection = try TLSTestClient(serving: socket, context)
      let wasResumed = connection.session.wasResumed
      counts.values.withLock {
        $0.handshakes += 1
        if wasResumed { $0.resumed += 1 }
      }
      let reader = connection.reader
      while let message = try reader.next() {
        core.countRequest()
        let text = try answer(message)
        if text.isEmpty { return }
        try connection.send(text)
      }
    }
  }
}
