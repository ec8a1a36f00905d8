// What both sides of a connection agreed on in their handshake, as logs and headers tell it.
import COpenSSL

/// Read from OpenSSL's object; it does not need that afterwards.
struct TLSAgreement {
  let version: Int32
  /// OpenSSL's description of the suite, which lives as long as OpenSSL.
  let suite: OpaquePointer?
  let wasResumed: Bool
  /// The host that the client asked for (SNI).
  let serverName: String?
  /// The protocol that was agreed on (ALPN), empty when none was.
  let applicationProtocol: String

  init(_ ssl: OpaquePointer) {
    version = SSL_version(ssl)
    suite = SSL_get_current_cipher(ssl)
    wasResumed = SSL_session_reused(ssl) == 1
    serverName = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    var bytes: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &bytes, &count)
    applicationProtocol = String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
  }

  /// The version's name in OpenSSL.
  var versionName: String {
    switch version {
    case TLS1_3_VERSION: "TLSv1.3"
    case TLS1_2_VERSION: "TLSv1.2"
    case TLS1_1_VERSION: "TLSv1.1"
    case TLS1_VERSION: "TLSv1"
    default: "unknown"
    }
  }

  /// The suite's name in OpenSSL.
  var suiteName: String { suite.flatMap { SSL_CIPHER_get_name($0) }.map { String(cString: $0) } ?? "-" }
}
