// The TLS of one connection: OpenSSL's object, and how far it has come; and for a client whose handshake is over, records
// of our own in its place. It reads and writes the buffers of its thread's engine only; sockets are the connection's affair.
import COpenSSL
import GateProtocol
import WebACL

/// One side of a TLS connection.
final class TLSSession {
  /// OpenSSL's object; nil once `settle` has put records in its place.
  private var object: OpaquePointer?
  /// What the handshake agreed on, once it is over and somebody asked.
  private var agreement: TLSAgreement?
  /// In the place of OpenSSL's object.
  private(set) var records: TLSRecords?
  /// Whether `settle` is worth its price; decided before the handshake.
  private let settles: Bool
  /// Of a server's handshake, until `settle`.
  private var secrets = TLSSecrets()
  /// How often something was read.
  var reads = 0
  let engine: TLSEngine
  let library: TLSLibrary
  /// What the session was made of; it lives as long as the session.
  private let origin: AnyObject
  /// The handshake is complete.
  var isEstablished = false
  /// The other side has said its last: close_notify, or the end of the connection.
  var hasEnded = false
  var hasFailed = false
  var hasSentClose = false
  /// How long the handshake took, in microseconds.
  var handshakeTime: UInt64 = 0
  /// OpenSSL holds plain bytes that did not fit; or, without it, there may be whole records in `leftover`.
  var hasMore = false
  /// Bytes from the socket that came behind the handshake and are not decrypted yet, or the beginning of a record.
  var leftover = Bytes()
  /// All bytes that were given to the socket, sent or waiting.
  var wireBytes: UInt64 = 0
  /// The header lines that tell targets who the client is.
  var identityLines: [UInt8] = []
  /// The header lines that tell targets version and suite.
  private(set) lazy var versionLines: [UInt8] = Array(
    "X-Amzn-Tls-Version: \(version)\r\nX-Amzn-Tls-Cipher-Suite: \(suite)\r\n".utf8)
  /// Which of the listener's certificates the client was shown.
  var certificateIndex = 0
  /// What was wrong with a client's certificate (`X509_V_ERR_*`), 0 for nothing.
  var verifyError: Int32 = 0
  /// What the client listed as application protocols, as it wrote them; only where there is a choice.
  var offeredProtocols: [UInt8] = []
  /// For `watchAlerts`: whether a ClientHello came, and the last alert but the one that says goodbye.
  private(set) var isWatched = false
  private(set) var sawHello = false
  private var watchedAlert: UInt8?
  var receivedAlert: UInt8? { records?.receivedAlert ?? watchedAlert }
  /// Of the client's hello, where a web ACL wants them.
  private(set) var fingerprints: ClientFingerprints?
  private var wantsFingerprints = false
  /// For connections to targets: where their sessions are kept.
  var sessions: TLSSessionStore?

  /// - Parameters:
  ///   - context: OpenSSL's context.
  ///   - origin: what owns the context.
  init(context: OpaquePointer, origin: AnyObject, library: TLSLibrary, engine: TLSEngine) throws(TLSFailure) {
    guard let ssl = SSL_new(context) else { throw .openSSL("no TLS session") }
    object = ssl
    settles = (origin as? TLSServerContext)?.clients.stay ?? false
    self.engine = engine
    self.library = library
    self.origin = origin
    guard castle_tls_attach(ssl, library.bioMethod, engine.io) == 1 else {
      throw .openSSL("no TLS session")
    }
    castle_tls_set_owner(ssl, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    if isEstablished { server?.clients.left(after: reads) }
    freeObject()
  }

  private func freeObject() {
    guard let object else { return }
    // Else OpenSSL takes a session that ended without close_notify for one that must not be resumed.
    SSL_set_shutdown(object, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    SSL_free(object)
    self.object = nil
  }

  /// OpenSSL's object. Only to be asked for before `settle`, and where `records` is nil.
  var ssl: OpaquePointer {
    guard let object else { preconditionFailure("OpenSSL's object has gone") }
    return object
  }

  /// Called once, when a client's handshake is over: notes what was agreed on, and puts records of our own in the place
  /// of OpenSSL's object, which weighs more than ten kilobytes. Where that is not possible (suites that are no AEAD), or
  /// not worth while (clients that come for one request), OpenSSL goes on.
  func settle() {
    if !settles { return }
    _ = agreed
    let secrets = self.secrets
    self.secrets = TLSSecrets()
    guard let pool = engine.ciphers(of: library), let keys = TLSKeys(server: ssl, secrets, library, pool.derivation),
      let records = TLSRecords(keys, pool: pool, fragmentSize: fragmentSize)
    else { return TLSFailure.forget() }
    self.records = records
    // What came behind the handshake has not been looked at.
    hasMore = !leftover.isEmpty
    freeObject()
  }

  /// The most plain bytes in a record that the other side wants (RFC 6066, section 4).
  private var fragmentSize: Int {
    guard let session = SSL_get_session(ssl) else { return TLSRecords.plainMax }
    let code = Int(SSL_SESSION_get_max_fragment_length(session))
    return (1...4).contains(code) ? 256 << code : TLSRecords.plainMax
  }

  /// From now on the sessions of a server's context see their handshake's messages: the hello, of which fingerprints are
  /// taken, and those that the secrets they agree on follow (`TLSSecrets`). One thread uses a context at a time, and a
  /// secret follows its message in the same call: so the context may be told when to tell.
  static func observe(_ context: OpaquePointer) {
    castle_tls_watch_messages(context) { writes, _, type, bytes, count, ssl, _ in
      guard let ssl, let session = TLSSession.of(ssl) else { return }
      let bytes = bytes?.assumingMemoryBound(to: UInt8.self)
      if session.wantsFingerprints, writes == 0, type == SSL3_RT_HANDSHAKE {
        session.wantsFingerprints = false
        session.fingerprints = ClientFingerprints(hello: UnsafeBufferPointer(start: bytes, count: count))
      }
      guard session.settles, session.secrets.noted(writes: writes == 1, type: type, bytes, count) else { return }
      castle_tls_watch_secrets(ssl) { ssl, line in
        guard let ssl, let line, let session = TLSSession.of(ssl) else { return }
        if session.secrets.add(line: line) { castle_tls_watch_secrets(ssl, nil) }
      }
    }
  }

  /// The session that owns an object of OpenSSL's, for callbacks.
  static func of(_ ssl: OpaquePointer) -> TLSSession? {
    castle_tls_owner(ssl).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
  }

  /// From now on notes what lines in logs of network load balancers tell.
  func watchAlerts() {
    isWatched = true
    SSL_set_info_callback(ssl) { ssl, event, value in
      guard let ssl, let session = TLSSession.of(ssl) else { return }
      if event & SSL_CB_LOOP != 0, SSL_get_state(ssl) == TLS_ST_SR_CLNT_HELLO { session.sawHello = true }
      let alert = UInt8(truncatingIfNeeded: value)
      if event & SSL_CB_READ_ALERT == SSL_CB_READ_ALERT, alert != 0 { session.watchedAlert = alert }
    }
  }

  /// Takes the fingerprints of the hello that is to come, before OpenSSL answers it; only of the first: after a hello
  /// retry request the client repeats itself. For sessions of a context that is observed.
  func watchHello() { wantsFingerprints = true }

  var server: TLSServerContext? { origin as? TLSServerContext }

  /// `TLSv1.3`, as OpenSSL writes it.
  var version: String { agreed.versionName }
  /// The suite's name in OpenSSL.
  var suite: String { agreed.suiteName }
  /// The host that the client asked for (SNI), for logs.
  var serverName: String? { agreed.serverName }
  /// The id of the certificate that the client was shown, for logs.
  var certificateID: String? { server?.table.all[certificateIndex].id }
  var wasResumed: Bool { agreed.wasResumed }
  /// The protocol that was agreed on, empty when none was.
  var applicationProtocol: String { agreed.applicationProtocol }
  /// Whether the agreed protocol is HTTP/2.
  var isHTTP2: Bool { agreed.applicationProtocol == "h2" }
  /// Whether it came so far that a suite was agreed on.
  var hasSuite: Bool { agreed.suite != nil }
  /// The names that logs of load balancers tell: the host that was asked for, and the certificate's id; hyphens for none.
  var names: (domain: String, certificate: String) {
    (serverName ?? "-", wasResumed ? "session-reused" : certificateID ?? "-")
  }

  private var agreed: TLSAgreement {
    if let agreement { return agreement }
    let found = TLSAgreement(ssl)
    if isEstablished { agreement = found }
    return found
  }
}
