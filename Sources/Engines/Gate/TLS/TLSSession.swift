// The TLS of one connection: OpenSSL's object, and how far it has come. It reads and writes the buffers of its thread's
// engine only; sockets are the connection's affair.
import COpenSSL
import GateProtocol

/// One side of a TLS connection.
final class TLSSession {
  let ssl: OpaquePointer
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
  /// OpenSSL holds plain bytes that did not fit.
  var hasMore = false
  /// Bytes from the socket that came behind the handshake and are not decrypted yet.
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
  private(set) var receivedAlert: UInt8?
  /// For connections to targets: where their sessions are kept.
  var sessions: TLSSessionStore?

  /// - Parameters:
  ///   - context: OpenSSL's context.
  ///   - origin: what owns the context.
  init(context: OpaquePointer, origin: AnyObject, library: TLSLibrary, engine: TLSEngine) throws(TLSFailure) {
    guard let ssl = SSL_new(context) else { throw .openSSL("no TLS session") }
    self.ssl = ssl
    self.engine = engine
    self.library = library
    self.origin = origin
    guard castle_tls_attach(ssl, library.bioMethod, engine.io) == 1 else {
      throw .openSSL("no TLS session")
    }
    castle_tls_set_owner(ssl, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    // Else OpenSSL takes a session that ended without close_notify for one that must not be resumed.
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    SSL_free(ssl)
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
      if event & SSL_CB_READ_ALERT == SSL_CB_READ_ALERT, alert != 0 { session.receivedAlert = alert }
    }
  }

  var server: TLSServerContext? { origin as? TLSServerContext }

  /// `TLSv1.3`, as OpenSSL writes it.
  var version: String { String(cString: SSL_get_version(ssl)) }
  /// The suite's name in OpenSSL.
  var suite: String {
    guard let cipher = SSL_get_current_cipher(ssl), let name = SSL_CIPHER_get_name(cipher) else { return "-" }
    return String(cString: name)
  }
  /// The host that the client asked for (SNI), for logs.
  var serverName: String? { SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) } }
  /// The id of the certificate that the client was shown, for logs.
  var certificateID: String? { server?.table.all[certificateIndex].id }
  var wasResumed: Bool { SSL_session_reused(ssl) == 1 }

  /// The protocol that was agreed on, empty when none was.
  var applicationProtocol: String {
    var bytes: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &bytes, &count)
    return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
  }

  /// Whether the agreed protocol is HTTP/2.
  var isHTTP2: Bool {
    var bytes: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &bytes, &count)
    guard let bytes, count == 2 else { return false }
    return bytes[0] == 0x68 && bytes[1] == 0x32
  }
}
