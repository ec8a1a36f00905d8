// OpenSSL for one loop: a library context of its own, so that loops share no lock, and the buffers its sessions use in
// turn.
import COpenSSL
import Glibc
import Synchronization

/// Why something of TLS cannot be used.
struct TLSFailure: Error, CustomStringConvertible, Sendable {
  let description: String

  init(_ what: String) { description = what }

  /// With OpenSSL's last error behind it.
  static func openSSL(_ what: String) -> TLSFailure { TLSFailure("\(what): \(lastError())") }

  /// Empties OpenSSL's queue of errors, which belongs to the thread: nobody else may find this connection's in it.
  static func forget() { ERR_clear_error() }

  /// OpenSSL's last error; its queue is then empty.
  static func lastError() -> String {
    var text = [CChar](repeating: 0, count: 256)
    castle_tls_error(&text, text.count)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// A library context of OpenSSL. The control thread makes the contexts of a loop's listeners in it, the loop uses them.
// OpenSSL's library contexts may be used by several threads; what is held here never changes.
final class TLSLibrary: @unchecked Sendable {
  /// What is never freed: each thread that has used a library context looks into it once more when the thread ends
  /// (OPENSSL_thread_stop), which may be after the last owner has gone. It is lent to the next owner instead.
  // Pointers that are handed over whole.
  private struct Parts: @unchecked Sendable {
    let context: OpaquePointer
    let ticketCipher: OpaquePointer
    let hmac: OpaquePointer
    /// nil for what OpenSSL was built without.
    let aes128: OpaquePointer?
    let aes256: OpaquePointer?
    let chacha20: OpaquePointer?
  }
  private static let unused = Mutex<[Parts]>([])

  private let parts: Parts
  let bioMethod: OpaquePointer
  var context: OpaquePointer { parts.context }
  /// AES-256-CBC, found once: looking it up by name for each ticket would take a lock.
  var ticketCipher: OpaquePointer { parts.ticketCipher }
  /// HMAC, for the derivation of keys.
  var hmac: OpaquePointer { parts.hmac }

  /// The AEAD that OpenSSL numbers so; nil when records of our own do not use it.
  func aead(_ number: Int32) -> TLSAEAD? {
    switch number {
    case NID_aes_128_gcm: parts.aes128.map { TLSAEAD(cipher: $0, keySize: 16, explicitNonceSize: 8) }
    case NID_aes_256_gcm: parts.aes256.map { TLSAEAD(cipher: $0, keySize: 32, explicitNonceSize: 8) }
    case NID_chacha20_poly1305: parts.chacha20.map { TLSAEAD(cipher: $0, keySize: 32, explicitNonceSize: 0) }
    default: nil
    }
  }

  /// The same for all; never freed.
  private static let sharedMethod = Method()

  // The method is written once, before anybody can see it.
  private struct Method: @unchecked Sendable {
    let pointer: OpaquePointer?

    init() {
      // Else OpenSSL takes itself apart in exit() while the loops' threads still use it.
      OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
      pointer = castle_tls_bio_method()
    }
  }

  init() throws(TLSFailure) {
    guard let method = Self.sharedMethod.pointer else { throw .openSSL("OpenSSL cannot be set up") }
    bioMethod = method
    if let used = Self.unused.withLock({ $0.popLast() }) { parts = used } else { parts = try Self.make() }
  }

  deinit { Self.unused.withLock { [parts] in $0.append(parts) } }

  private static func make() throws(TLSFailure) -> Parts {
    guard let context = OSSL_LIB_CTX_new() else { throw .openSSL("OpenSSL cannot be set up") }
    guard let cipher = EVP_CIPHER_fetch(context, "AES-256-CBC", nil), let hmac = EVP_MAC_fetch(context, "HMAC", nil)
    else {
      // Only this thread has used it.
      OSSL_LIB_CTX_free(context)
      throw .openSSL("OpenSSL has no AES or no HMAC")
    }
    defer { ERR_clear_error() }
    return Parts(
      context: context, ticketCipher: cipher, hmac: hmac, aes128: EVP_CIPHER_fetch(context, "AES-128-GCM", nil),
      aes256: EVP_CIPHER_fetch(context, "AES-256-GCM", nil),
      chacha20: EVP_CIPHER_fetch(context, "ChaCha20-Poly1305", nil))
  }
}

/// The buffers of one thread's TLS sessions, and the keys of its tickets.
final class TLSEngine {
  /// Bytes read from a socket at once. With what may be inside of an unfinished record their plain text always fits
  /// into a loop's read buffer, so that nothing readable is ever left behind in a session.
  static let inputSize = 47 << 10
  /// The most plain bytes in one record.
  static let recordSize = 16 << 10

  let io: UnsafeMutablePointer<castle_tls_io>
  let input: UnsafeMutablePointer<UInt8>
  let staging: UnsafeMutablePointer<UInt8>
  /// The newest first: it encrypts, all decrypt.
  var ticketKeys: [TLSTicketKey] = []
  /// The ciphers of connections whose handshake is over; made when there is the first.
  private var ciphers: TLSCipherPool?

  init() {
    io = .allocate(capacity: 1)
    io.initialize(to: castle_tls_io())
    input = .allocate(capacity: Self.inputSize)
    staging = .allocate(capacity: Self.recordSize)
  }

  deinit {
    free(io.pointee.out)
    io.deallocate()
    input.deallocate()
    staging.deallocate()
  }

  /// - Parameter library: the one that belongs to this engine's thread.
  func ciphers(of library: TLSLibrary) -> TLSCipherPool? {
    if ciphers == nil { ciphers = TLSDerivation(library.hmac).map { TLSCipherPool($0) } }
    return ciphers
  }

  /// Whether something was written that is to be sent.
  var hasOutput: Bool { io.pointee.out_count > 0 }
}
