// Clients with certificates: what is asked of them, and what targets are told.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
import COpenSSL
import GateProtocol
import Glibc

enum MutualTLS {
  /// Sets up a listener's context. Throws when the trust store cannot be read.
  static func setUp(_ context: OpaquePointer, _ description: TLSDescription, _ library: TLSLibrary) throws(TLSFailure) {
    switch description.mutual {
    case .off: return
    case .passthrough:
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
      // The target is to judge; a client without a certificate is let in too.
      SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
    case .verify(_, _, let advertises):
      guard let store = description.trustStore else { throw TLSFailure("the listener has no trust store") }
      try trust(store, context, library, advertises: advertises)
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, judge)
      SSL_CTX_set_verify_depth(context, 4)
    }
    // A resumed session would bring along neither the chain nor what was revoked meanwhile.
    SSL_CTX_set_options(context, castle_ssl_no_ticket())
    SSL_CTX_set_num_tickets(context, 0)
  }

  private static func trust(
    _ description: GateSnapshot.TrustStore, _ context: OpaquePointer, _ library: TLSLibrary, advertises: Bool
  ) throws(TLSFailure) {
    guard let store = SSL_CTX_get_cert_store(context) else { throw .openSSL("no trust store") }
    let authorities = try PEM.certificates(description.authorities, library)
    defer { for authority in authorities { X509_free(authority) } }
    if authorities.isEmpty { throw TLSFailure("trust store \(description.id) is empty") }
    for authority in authorities {
      X509_STORE_add_cert(store, authority)
      if advertises { SSL_CTX_add_client_CA(context, authority) }
    }
    for text in description.revocations {
      var text = text
      let isRead = text.withUTF8 { bytes -> Bool in
        guard let base = bytes.baseAddress, let bio = castle_memory_bio(base, Int32(bytes.count)) else { return false }
        defer { BIO_free(bio) }
        return castle_add_revocations(store, bio) > 0
      }
      if !isRead { throw .openSSL("a revocation list of trust store \(description.id) cannot be read") }
    }
    if !description.revocations.isEmpty {
      X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
    }
    ERR_clear_error()
  }

  /// OpenSSL's callback for each certificate of a client's chain.
  private static let judge: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isGood, verification in
    guard isGood != 1, let verification else { return isGood }
    let error = X509_STORE_CTX_get_error(verification)
    guard let raw = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()),
      let session = TLSSession.of(OpaquePointer(raw)), let server = session.server,
      case .verify(_, let ignoresExpiry, _) = server.mutual
    else { return 0 }
    // An authority without a list revokes nothing.
    if error == X509_V_ERR_UNABLE_TO_GET_CRL { return 1 }
    if error == X509_V_ERR_CERT_HAS_EXPIRED, ignoresExpiry, X509_STORE_CTX_get_error_depth(verification) == 0 {
      return 1
    }
    session.verifyError = error
    return 0
  }

  // MARK: - What targets are told

  /// The header lines about a client whose handshake is complete.
  static func lines(_ session: TLSSession) -> [UInt8] {
    switch session.server?.mutual {
    case .passthrough:
      let chain = SSL_get_peer_cert_chain(session.ssl)
      var text: [UInt8] = []
      if let leaf = SSL_get0_peer_certificate(session.ssl) { text += encoded(leaf) }
      // A server's chain of its peer begins behind the leaf.
      for index in 0..<castle_x509_count(chain) {
        if let chain, let each = castle_x509_at(chain, index) { text += encoded(each) }
      }
      return text.isEmpty ? [] : line("X-Amzn-Mtls-Clientcert", text)
    case .verify:
      guard let leaf = SSL_get0_peer_certificate(session.ssl) else { return [] }
      return line("X-Amzn-Mtls-Clientcert-Serial-Number", serialNumber(leaf))
        + line("X-Amzn-Mtls-Clientcert-Issuer", name(X509_get_issuer_name(leaf)))
        + line("X-Amzn-Mtls-Clientcert-Subject", name(X509_get_subject_name(leaf)))
        + line("X-Amzn-Mtls-Clientcert-Validity", Array(validity(leaf).utf8))
        + line("X-Amzn-Mtls-Clientcert-Leaf", encoded(leaf))
    default: return []
    }
  }

  private static func line(_ name: String, _ value: [UInt8]) -> [UInt8] {
    // Names of X.509 may hold anything; a header line may not.
    Array("\(name): ".utf8) + value.map { $0 < 0x20 || $0 == 0x7F ? 0x3F : $0 } + [13, 10]
  }

  /// Upper-case hexadecimal.
  static func serialNumber(_ certificate: OpaquePointer) -> [UInt8] {
    guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else { return [] }
    defer { BN_free(number) }
    guard let text = BN_bn2hex(number) else { return [] }
    defer { castle_free(text) }
    return Array(String(cString: text).utf8)
  }

  /// A distinguished name as RFC 2253 has it.
  static func name(_ name: OpaquePointer?) -> [UInt8] {
    guard let name, let bio = BIO_new(BIO_s_mem()) else { return [] }
    defer { BIO_free(bio) }
    X509_NAME_print_ex(bio, name, 0, castle_rfc2253())
    return bytes(bio)
  }

  /// `NotBefore=2023-09-21T01:50:17Z;NotAfter=…`.
  static func validity(_ certificate: OpaquePointer) -> String {
    "NotBefore=\(time(X509_get0_notBefore(certificate)));NotAfter=\(time(X509_get0_notAfter(certificate)))"
  }

  private static func time(_ time: UnsafePointer<ASN1_TIME>?) -> String {
    var parts = tm()
    guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return "-" }
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }

  /// PEM, URL-encoded with `+`, `=` and `/` as they are.
  private static func encoded(_ certificate: OpaquePointer) -> [UInt8] {
    guard let bio = BIO_new(BIO_s_mem()) else { return [] }
    defer { BIO_free(bio) }
    guard PEM_write_bio_X509(bio, certificate) == 1 else { return [] }
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in bytes(bio) {
      let isPlain: Bool
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x2F, 0x3D, 0x5F, 0x7E: isPlain = true
      default: isPlain = false
      }
      if isPlain {
        result.append(byte)
      } else {
        result += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return result
  }

  private static func bytes(_ bio: OpaquePointer) -> [UInt8] {
    var count = 0
    guard let start = castle_bio_bytes(bio, &count) else { return [] }
    return start.withMemoryRebound(to: UInt8.self, capacity: count) {
      Array(UnsafeBufferPointer(start: $0, count: count))
    }
  }
}
