// What a handshake agreed on, taken out of OpenSSL when it is over: for TLS 1.3 the traffic secrets, for TLS 1.2 the block
// of keys that comes of the master secret.
import COpenSSL
import Glibc

/// The digest of a suite.
enum TLSDigest {
  case sha256, sha384

  var size: Int { self == .sha256 ? 32 : 48 }
  var name: String { self == .sha256 ? "SHA256" : "SHA384" }
}

/// The derivation of keys with one loop's HMAC.
final class TLSDerivation {
  private let sha256: OpaquePointer
  private let sha384: OpaquePointer

  /// - Parameter algorithm: OpenSSL's HMAC.
  init?(_ algorithm: OpaquePointer) {
    guard let sha256 = Self.make(algorithm, .sha256) else { return nil }
    guard let sha384 = Self.make(algorithm, .sha384) else {
      EVP_MAC_CTX_free(sha256)
      return nil
    }
    self.sha256 = sha256
    self.sha384 = sha384
  }

  deinit {
    EVP_MAC_CTX_free(sha256)
    EVP_MAC_CTX_free(sha384)
  }

  private static func make(_ algorithm: OpaquePointer, _ digest: TLSDigest) -> OpaquePointer? {
    guard let mac = EVP_MAC_CTX_new(algorithm) else { return nil }
    if castle_hmac_digest(mac, digest.name) == 1 { return mac }
    EVP_MAC_CTX_free(mac)
    return nil
  }

  private func mac(_ digest: TLSDigest) -> OpaquePointer { digest == .sha256 ? sha256 : sha384 }

  /// HKDF-Expand-Label without a context (RFC 8446, section 7.1), of no more bytes than the digest has.
  func expand(
    _ digest: TLSDigest, _ secret: UnsafePointer<UInt8>, _ label: StaticString, to out: UnsafeMutablePointer<UInt8>,
    _ count: Int
  ) -> Bool {
    precondition(count <= digest.size)
    var info: [UInt8] = [0, UInt8(count), UInt8(6 + label.utf8CodeUnitCount)]
    info += Array("tls13 ".utf8)
    info += UnsafeBufferPointer(start: label.utf8Start, count: label.utf8CodeUnitCount)
    info += [0, 1]
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { block in
      let bytes = block.baseAddress.unsafelyUnwrapped
      defer { OPENSSL_cleanse(bytes, 64) }
      guard castle_hmac(mac(digest), secret, digest.size, info, info.count, bytes, 64) == digest.size else {
        return false
      }
      memcpy(out, bytes, count)
      return true
    }
  }

  /// The pseudorandom function of TLS 1.2 (RFC 5246, section 5); nil when OpenSSL failed.
  func prf(_ digest: TLSDigest, secret: [UInt8], seed: [UInt8], count: Int) -> [UInt8]? {
    var out: [UInt8] = []
    var chain = seed
    while out.count < count {
      guard let next = hmac(digest, secret, chain), let block = hmac(digest, secret, next + seed) else { return nil }
      chain = next
      out += block
    }
    return Array(out.prefix(count))
  }

  private func hmac(_ digest: TLSDigest, _ key: [UInt8], _ text: [UInt8]) -> [UInt8]? {
    var out = [UInt8](repeating: 0, count: digest.size)
    let count = castle_hmac(mac(digest), key, key.count, text, text.count, &out, out.count)
    return count == out.count ? out : nil
  }
}

/// The traffic secrets of TLS 1.3 as OpenSSL tells them, and how many records it wrote under them: the server's ticket
/// for the next session goes out before anything else.
struct TLSSecrets {
  /// A record's header, among the types that OpenSSL tells of.
  private static let header: Int32 = 256

  private var client: [UInt8] = []
  private var server: [UInt8] = []
  private var records: UInt64 = 0
  private var tickets: UInt64 = 0

  var readSecret: [UInt8] { client }
  var writeSecret: [UInt8] { server }
  /// How many records were written under the server's secret; nil when the two ways of counting do not agree.
  var written: UInt64? { records == tickets ? records : nil }

  /// Something that a server wrote or read in its handshake.
  /// - Returns: whether a secret follows that is wanted: the server's behind its Finished, the client's behind the client's.
  ///   Asking for all of them would cost: OpenSSL prints each, digit by digit.
  mutating func noted(writes: Bool, type: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Bool {
    let message = type == SSL3_RT_HANDSHAKE && count > 0 ? bytes?.pointee : nil
    if writes, !server.isEmpty {
      if type == Self.header { records += 1 }
      // NewSessionTicket, RFC 8446 section 4.6.1.
      if message == 4 { tickets += 1 }
    }
    return message == 20
  }

  /// A line in the format of key logs (`SERVER_TRAFFIC_SECRET_0 RANDOM SECRET`, in hexadecimal digits).
  /// - Returns: whether it is one of the two.
  mutating func add(line: UnsafePointer<CChar>) -> Bool {
    let isClient = Self.begins(line, "CLIENT_TRAFFIC_SECRET_0 ")
    if !isClient, !Self.begins(line, "SERVER_TRAFFIC_SECRET_0 ") { return false }
    // Behind label and random.
    guard let space = strchr(line + 24, 0x20) else { return false }
    let secret = Self.bytes(space + 1)
    if isClient { client = secret } else { server = secret }
    return true
  }

  private static func begins(_ line: UnsafePointer<CChar>, _ label: StaticString) -> Bool {
    strncmp(line, UnsafeRawPointer(label.utf8Start).assumingMemoryBound(to: CChar.self), label.utf8CodeUnitCount) == 0
  }

  /// Of pairs of digits; none when there is something else.
  private static func bytes(_ digits: UnsafePointer<CChar>) -> [UInt8] {
    let count = strlen(digits) / 2
    var isWhole = strlen(digits) % 2 == 0
    let out = [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
      for index in 0..<count {
        guard let high = value(digits[2 * index]), let low = value(digits[2 * index + 1]) else {
          isWhole = false
          break
        }
        bytes[index] = high << 4 | low
        filled = index + 1
      }
    }
    return isWhole ? out : []
  }

  private static func value(_ digit: CChar) -> UInt8? {
    switch digit {
    case 0x30...0x39: UInt8(digit) - 0x30
    case 0x61...0x66: UInt8(digit) - 0x61 + 10
    case 0x41...0x46: UInt8(digit) - 0x41 + 10
    default: nil
    }
  }
}

/// The keys of both directions, and the number of the next record in each.
struct TLSKeys {
  enum Material {
    /// TLS 1.3: a secret, of which keys are derived, again and again.
    case secret([UInt8])
    /// TLS 1.2: a key, and the fixed part of nonces.
    case key([UInt8], iv: [UInt8])
  }

  let aead: TLSAEAD
  let digest: TLSDigest
  let isTLS13: Bool
  let reads: Material
  let writes: Material
  let readSequence: UInt64
  let writeSequence: UInt64

  init(
    aead: TLSAEAD, digest: TLSDigest, isTLS13: Bool, reads: Material, writes: Material, readSequence: UInt64 = 0,
    writeSequence: UInt64 = 0
  ) {
    self.aead = aead
    self.digest = digest
    self.isTLS13 = isTLS13
    self.reads = reads
    self.writes = writes
    self.readSequence = readSequence
    self.writeSequence = writeSequence
  }

  /// Of a server's connection whose handshake has just ended; nil where OpenSSL has to go on with it: with suites that
  /// are no AEAD of ours, and where it holds bytes of its own.
  init?(server ssl: OpaquePointer, _ secrets: TLSSecrets, _ library: TLSLibrary, _ derivation: TLSDerivation) {
    guard SSL_has_pending(ssl) == 0, let suite = SSL_get_current_cipher(ssl) else { return nil }
    guard let aead = library.aead(SSL_CIPHER_get_cipher_nid(suite)) else { return nil }
    guard let hash = SSL_CIPHER_get_handshake_digest(suite) else { return nil }
    let digest: TLSDigest
    switch EVP_MD_get_type(hash) {
    case NID_sha256: digest = .sha256
    case NID_sha384: digest = .sha384
    default: return nil
    }
    switch SSL_version(ssl) {
    case TLS1_3_VERSION:
      guard let written = secrets.written, !secrets.readSecret.isEmpty, !secrets.writeSecret.isEmpty else { return nil }
      self.init(
        aead: aead, digest: digest, isTLS13: true, reads: .secret(secrets.readSecret),
        writes: .secret(secrets.writeSecret), writeSequence: written)
    case TLS1_2_VERSION:
      guard let keys = TLSKeys.block(ssl, aead, digest, derivation) else { return nil }
      self = keys
    default: return nil
    }
  }

  /// The keys of TLS 1.2 (RFC 5246, section 6.3). One record of each side is past: its Finished.
  private static func block(
    _ ssl: OpaquePointer, _ aead: TLSAEAD, _ digest: TLSDigest, _ derivation: TLSDerivation
  ) -> TLSKeys? {
    guard let session = SSL_get_session(ssl) else { return nil }
    var master = [UInt8](repeating: 0, count: 48)
    guard SSL_SESSION_get_master_key(session, &master, master.count) == master.count else { return nil }
    var client = [UInt8](repeating: 0, count: 32)
    var server = client
    guard SSL_get_client_random(ssl, &client, 32) == 32, SSL_get_server_random(ssl, &server, 32) == 32 else {
      return nil
    }
    let fixed = 12 - aead.explicitNonceSize
    let count = 2 * (aead.keySize + fixed)
    guard
      let block = derivation.prf(
        digest, secret: master, seed: Array("key expansion".utf8) + server + client, count: count)
    else { return nil }
    let size = aead.keySize
    let ivs = Array(block[(2 * size)...])
    return TLSKeys(
      aead: aead, digest: digest, isTLS13: false,
      reads: .key(Array(block[..<size]), iv: Array(ivs[..<fixed])),
      writes: .key(Array(block[size..<2 * size]), iv: Array(ivs[fixed...])), readSequence: 1, writeSequence: 1)
  }
}
