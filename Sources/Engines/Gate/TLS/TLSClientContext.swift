// TLS to targets: their certificates are not verified, as with Elastic Load Balancing, which trusts its network instead;
// their sessions are kept and taken up again.
import COpenSSL
import GateProtocol

/// The client's side of TLS for the connections of one loop to targets.
// The control thread makes it; from then on one loop uses it. OpenSSL counts references to the context atomically.
final class TLSClientContext: @unchecked Sendable {
  let context: OpaquePointer
  let library: TLSLibrary
  /// The policy of connections to targets.
  static let policy = "ELBSecurityPolicy-TLS13-1-0-2021-06"

  init(_ library: TLSLibrary) throws(TLSFailure) {
    self.library = library
    guard let policy = TLSSecurityPolicy.named(Self.policy),
      let context = SSL_CTX_new_ex(library.context, nil, TLS_client_method())
    else { throw .openSSL("no TLS context") }
    self.context = context
    try TLSSettings.apply(policy, to: context)
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    castle_tls_set_cache(context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    SSL_CTX_sess_set_new_cb(context) { ssl, fresh in
      guard let ssl, let fresh, let owner = TLSSession.of(ssl), let store = owner.sessions else { return 0 }
      store.keep(fresh, of: owner.library)
      return 1
    }
  }

  deinit { SSL_CTX_free(context) }

  /// A session for a connection to a target.
  /// - Parameters:
  ///   - sessions: where the target's sessions are kept.
  ///   - protocols: what to offer as application protocol; nothing for none.
  func session(_ engine: TLSEngine, sessions: TLSSessionStore?, protocols: [String] = []) throws(TLSFailure)
    -> TLSSession
  {
    let session = try TLSSession(context: context, origin: self, library: library, engine: engine)
    session.sessions = sessions
    SSL_set_connect_state(session.ssl)
    if !protocols.isEmpty {
      let wire = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
      SSL_set_alpn_protos(session.ssl, wire, UInt32(wire.count))
    }
    if let known = sessions?.session { SSL_set_session(session.ssl, known) }
    return session
  }
}

/// The last session with one target, for the next connection.
final class TLSSessionStore {
  private(set) var session: OpaquePointer?
  /// A session holds its target's certificate, whose key lives in the library context: that must not go before it.
  private var library: TLSLibrary?

  /// Takes over a reference.
  func keep(_ fresh: OpaquePointer, of library: TLSLibrary) {
    if let session { SSL_SESSION_free(session) }
    session = fresh
    self.library = library
  }

  deinit { if let session { SSL_SESSION_free(session) } }
}
