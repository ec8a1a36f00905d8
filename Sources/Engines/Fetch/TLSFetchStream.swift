// TLS of the blocking client: servers are verified by name against the authorities that the machine trusts.
import COpenSSL
import Glibc

/// An encrypted connection of one thread.
final class TLSFetchStream: FetchStream {
  private let socket: FetchSocket
  private let context: OpaquePointer
  private let ssl: OpaquePointer

  /// Shakes hands.
  /// - Parameter authorities: PEM, besides those of the machine.
  init(host: String, _ socket: FetchSocket, authorities: String?) throws(FetchProblem) {
    // OpenSSL writes with write(2), whose signal would end the process; it stays pending for this thread only.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    guard let context = SSL_CTX_new(TLS_client_method()) else { throw .failed("no TLS") }
    guard let ssl = SSL_new(context) else {
      SSL_CTX_free(context)
      throw .failed("no TLS")
    }
    self.socket = socket
    self.context = context
    self.ssl = ssl
    SSL_CTX_set_default_verify_paths(context)
    if let authorities { Self.trust(authorities, context) }
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nil)
    guard Self.name(host, ssl), SSL_set_fd(ssl, socket.descriptor) == 1 else { throw .failed("no TLS with \(host)") }
    while true {
      let result = SSL_connect(ssl)
      if result == 1 { return }
      try wait(result) { "no TLS with \(host): \($0)" }
    }
  }

  /// Says whose certificate it must be.
  private static func name(_ host: String, _ ssl: OpaquePointer) -> Bool {
    var address = in_addr()
    guard inet_pton(AF_INET, host, &address) == 1 else {
      return SSL_set1_host(ssl, host) == 1 && castle_tls_set_host(ssl, host) == 1
    }
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
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

  /// Waits for what OpenSSL wants next.
  /// - Parameter reason: makes a sentence of OpenSSL's words.
  private func wait(_ result: Int32, _ reason: (String) -> String) throws(FetchProblem) {
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ: try socket.wait(for: POLLIN)
    case SSL_ERROR_WANT_WRITE: try socket.wait(for: POLLOUT)
    default:
      var text = [CChar](repeating: 0, count: 256)
      castle_tls_error(&text, text.count)
      throw .failed(reason(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)))
    }
  }

  func send(_ bytes: [UInt8]) throws(FetchProblem) {
    while true {
      let count = SSL_write(ssl, bytes, Int32(bytes.count))
      // Without partial writes it is all or nothing.
      if count == Int32(bytes.count) { return }
      try wait(count) { "the request cannot be sent: \($0)" }
    }
  }

  func receive(into buffer: inout [UInt8]) throws(FetchProblem) -> Int {
    while true {
      let count = SSL_read(ssl, &buffer, Int32(buffer.count))
      if count > 0 { return Int(count) }
      if SSL_get_error(ssl, count) == SSL_ERROR_ZERO_RETURN { return 0 }
      try wait(count) { $0 }
    }
  }
}
