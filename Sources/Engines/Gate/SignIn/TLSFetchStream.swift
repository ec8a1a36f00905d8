// TLS of the blocking client: providers are verified by name against the authorities that the machine trusts.
import COpenSSL
import Glibc

/// An encrypted connection of one thread.
final class TLSFetchStream: FetchStream {
  private let context: OpaquePointer
  private let ssl: OpaquePointer

  /// nil when the handshake fails.
  init?(host: String, descriptor: Int32, authorities: String?) {
    // OpenSSL writes with write(2), whose signal would end the process; it stays pending for this thread only.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    guard let context = SSL_CTX_new(TLS_client_method()) else { return nil }
    guard let ssl = SSL_new(context) else {
      SSL_CTX_free(context)
      return nil
    }
    self.context = context
    self.ssl = ssl
    SSL_CTX_set_default_verify_paths(context)
    if let authorities { Self.trust(authorities, context) }
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nil)
    guard SSL_set1_host(ssl, host) == 1, castle_tls_set_host(ssl, host) == 1, SSL_set_fd(ssl, descriptor) == 1,
      SSL_connect(ssl) == 1
    else { return nil }
  }

  private static func trust(_ authorities: String, _ context: OpaquePointer) {
    var text = authorities
    text.withUTF8 { bytes in
      guard let base = bytes.baseAddress, let bio = castle_memory_bio(base, Int32(bytes.count)) else { return }
      defer { BIO_free(bio) }
      while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate)
        X509_free(certificate)
      }
    }
    // The end of the text is an error to OpenSSL.
    ERR_clear_error()
  }

  deinit {
    SSL_free(ssl)
    SSL_CTX_free(context)
  }

  func send(_ bytes: [UInt8]) -> Bool { SSL_write(ssl, bytes, Int32(bytes.count)) == Int32(bytes.count) }

  func receive(into buffer: inout [UInt8]) -> Int {
    let count = SSL_read(ssl, &buffer, Int32(buffer.count))
    if count > 0 { return Int(count) }
    if SSL_get_error(ssl, count) == SSL_ERROR_ZERO_RETURN { return 0 }
    return -1
  }
}
