// What a listener negotiates, as OpenSSL wants it: made by the control thread for one loop, then never changed. A
// listener whose certificates change gets another; connections keep the one they were made with.
import COpenSSL
import GateProtocol
import Glibc

/// A listener's TLS with everything that the snapshot names found.
struct TLSDescription: Equatable, Sendable {
  var listener: String
  var certificates: [GateSnapshot.Certificate]
  var policy: TLSSecurityPolicy
  var alpn: GateSnapshot.ListenerTLS.ALPNPolicy
  var mutual: GateSnapshot.MutualAuthentication
  var trustStore: GateSnapshot.TrustStore?

  /// Throws when the snapshot does not have what the listener names.
  init(
    listener: String, _ tls: GateSnapshot.ListenerTLS?, certificates: [String: GateSnapshot.Certificate],
    trustStores: [String: GateSnapshot.TrustStore]
  ) throws(TLSFailure) {
    guard let tls else { throw TLSFailure("the listener says nothing of TLS") }
    self.listener = listener
    guard let policy = TLSSecurityPolicy.named(tls.securityPolicy) else {
      throw TLSFailure("there is no security policy \(tls.securityPolicy)")
    }
    self.policy = policy
    self.certificates = []
    for id in tls.certificates {
      guard let certificate = certificates[id] else { throw TLSFailure("certificate \(id) is not in the snapshot") }
      self.certificates.append(certificate)
    }
    if self.certificates.isEmpty { throw TLSFailure("the listener has no certificate") }
    alpn = tls.alpn
    mutual = tls.mutual
    if case .verify(let id, _, _) = tls.mutual {
      guard let store = trustStores[id] else { throw TLSFailure("trust store \(id) is not in the snapshot") }
      trustStore = store
    }
  }
}

/// The server's side of TLS for the connections of one listener in one loop.
// The control thread makes it; from then on one loop uses it. OpenSSL counts references to the context atomically.
final class TLSServerContext: @unchecked Sendable {
  let context: OpaquePointer
  let library: TLSLibrary
  let mutual: GateSnapshot.MutualAuthentication
  let table: TLSCertificateTable
  private(set) var suites = TLSSuites()
  let clients = TLSClientHabits()
  /// The protocols in the order of preference, as they are on the wire.
  private let protocols: UnsafeMutableBufferPointer<UInt8>

  init(_ description: TLSDescription, _ library: TLSLibrary) throws(TLSFailure) {
    self.library = library
    mutual = description.mutual
    var loaded: [TLSCertificate] = []
    for certificate in description.certificates { loaded.append(try TLSCertificate(certificate, library)) }
    table = TLSCertificateTable(loaded)
    guard let context = SSL_CTX_new_ex(library.context, nil, TLS_server_method()) else {
      throw .openSSL("no TLS context")
    }
    self.context = context
    let wire = description.alpn.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    protocols = .allocate(capacity: max(1, wire.count))
    for (index, byte) in wire.enumerated() { protocols[index] = byte }
    try setUp(description)
    if !wire.isEmpty {
      SSL_CTX_set_alpn_select_cb(context, Self.chooseProtocol, Unmanaged.passUnretained(self).toOpaque())
    }
    if loaded.count > 1 {
      suites = Self.suites(context, description.policy)
      SSL_CTX_set_client_hello_cb(context, Self.chooseCertificate, Unmanaged.passUnretained(self).toOpaque())
    }
  }

  deinit {
    SSL_CTX_free(context)
    protocols.deallocate()
  }

  private func setUp(_ description: TLSDescription) throws(TLSFailure) {
    try TLSSettings.apply(description.policy, to: context)
    let certificate = table.all[0]
    if castle_tls_use_by_default(context, certificate.certificate, certificate.key, certificate.chain) != 1 {
      throw .openSSL("certificate \(description.certificates[0].id) cannot be used")
    }
    SSL_CTX_set_timeout(context, TLSTicketKeys.lifetime)
    // Sessions live in tickets only; one of them is enough for a client.
    castle_tls_set_cache(context, Int(SSL_SESS_CACHE_OFF))
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, TLSTicketKeys.callback)
    SSL_CTX_set_num_tickets(context, 1)
    // A session belongs to its listener: another may ask more of clients.
    var name = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 32
    let listener = Array(description.listener.utf8)
    EVP_Digest(listener, listener.count, &name, &length, EVP_sha256(), nil)
    SSL_CTX_set_session_id_context(context, name, 32)
    TLSSession.observe(context)
    try MutualTLS.setUp(context, description, library)
  }

  private static func suites(_ context: OpaquePointer, _ policy: TLSSecurityPolicy) -> TLSSuites {
    var result = TLSSuites(hasTLS13: policy.versions.contains(.tls13))
    let ciphers = SSL_CTX_get_ciphers(context)
    for index in 0..<castle_cipher_count(ciphers) {
      guard let cipher = castle_cipher_at(ciphers, index) else { continue }
      let number = SSL_CIPHER_get_protocol_id(cipher)
      switch SSL_CIPHER_get_auth_nid(cipher) {
      case NID_auth_ecdsa: result.ecdsa.insert(number)
      case NID_auth_rsa: result.rsa.insert(number)
      default: break
      }
    }
    return result
  }

  /// A session for an accepted connection.
  func session(_ engine: TLSEngine) throws(TLSFailure) -> TLSSession {
    clients.came()
    let session = try TLSSession(context: context, origin: self, library: library, engine: engine)
    SSL_set_accept_state(session.ssl)
    return session
  }

  // MARK: - OpenSSL's callbacks

  private static let chooseProtocol:
    @convention(c) (
      OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
      UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> Int32 = { ssl, chosen, count, offered, offeredCount, own in
      guard let own, let chosen else { return SSL_TLSEXT_ERR_NOACK }
      let server = Unmanaged<TLSServerContext>.fromOpaque(own).takeUnretainedValue()
      if let session = ssl.flatMap({ TLSSession.of($0) }), session.isWatched {
        session.offeredProtocols = Array(UnsafeBufferPointer(start: offered, count: Int(offeredCount)))
      }
      var found: UnsafeMutablePointer<UInt8>?
      let result = SSL_select_next_proto(
        &found, count, server.protocols.baseAddress, UInt32(server.protocols.count), offered, offeredCount)
      guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_NOACK }
      chosen.pointee = UnsafePointer(found)
      return SSL_TLSEXT_ERR_OK
    }

  private static let chooseCertificate:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = { ssl, _, own in
      guard let ssl, let own else { return SSL_CLIENT_HELLO_SUCCESS }
      let server = Unmanaged<TLSServerContext>.fromOpaque(own).takeUnretainedValue()
      let hello = ClientHello(ssl, server.suites)
      let index = server.table.choose(host: hello.host, hello, now: time(nil))
      if index == 0 { return SSL_CLIENT_HELLO_SUCCESS }
      let certificate = server.table.all[index]
      guard castle_tls_use(ssl, certificate.certificate, certificate.key, certificate.chain) == 1 else {
        return SSL_CLIENT_HELLO_ERROR
      }
      TLSSession.of(ssl)?.certificateIndex = index
      return SSL_CLIENT_HELLO_SUCCESS
    }
}

/// A security policy as settings of OpenSSL.
enum TLSSettings {
  static func apply(_ policy: TLSSecurityPolicy, to context: OpaquePointer) throws(TLSFailure) {
    SSL_CTX_set_options(context, CASTLE_TLS_OPTIONS)
    castle_tls_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS))
    // TLS below 1.2 signs with SHA-1, which OpenSSL allows at level 0 only.
    SSL_CTX_set_security_level(context, policy.versions.contains { $0 < .tls12 } ? 0 : 1)
    guard let lowest = policy.versions.first, let highest = policy.versions.last,
      castle_tls_set_versions(context, number(lowest), number(highest)) == 1
    else { throw .openSSL("the versions of \(policy.name) are not to be had") }
    let tls13 = policy.ciphers.filter { $0.hasPrefix("TLS_") }.joined(separator: ":")
    let others = policy.ciphers.filter { !$0.hasPrefix("TLS_") }.joined(separator: ":")
    if SSL_CTX_set_ciphersuites(context, tls13) != 1 { throw .openSSL("the suites of \(policy.name)") }
    if !others.isEmpty, SSL_CTX_set_cipher_list(context, others) != 1 { throw .openSSL("the suites of \(policy.name)") }
    // The library leaves out without a word what it was built without.
    ERR_clear_error()
    var groups = policy.isFIPS ? "P-256:P-384:P-521" : "X25519:P-256:P-384:P-521"
    if policy.isPostQuantum { groups = "X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:" + groups }
    if castle_tls_set_groups(context, groups) != 1 {
      ERR_clear_error()
      throw TLSFailure(
        policy.isPostQuantum
          ? "\(policy.name) needs ML-KEM, which OpenSSL has from 3.5 on; here is \(String(cString: OpenSSL_version(0)))"
          : "the groups of \(policy.name) are not to be had")
    }
  }

  private static func number(_ version: TLSSecurityPolicy.Version) -> Int32 {
    switch version {
    case .tls10: TLS1_VERSION
    case .tls11: TLS1_1_VERSION
    case .tls12: TLS1_2_VERSION
    case .tls13: TLS1_3_VERSION
    }
  }
}

extension GateSnapshot.ListenerTLS.ALPNPolicy {
  /// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html
  var protocols: [String] {
    switch self {
    case .none: []
    case .http1Only: ["http/1.1", "http/1.0"]
    case .http2Only: ["h2"]
    case .http2Optional: ["http/1.1", "http/1.0", "h2"]
    case .http2Preferred: ["h2", "http/1.1", "http/1.0"]
    }
  }
}
