// A certificate with its key, and which of several a client is shown.
import COpenSSL
import GateProtocol
import Glibc

/// A loaded certificate. It belongs to the library context of one loop.
// Made by the control thread, then only read, by one loop.
final class TLSCertificate: @unchecked Sendable {
  /// As the snapshot calls it.
  let id: String
  let certificate: OpaquePointer
  let key: OpaquePointer
  let chain: OpaquePointer?
  /// Lower case; a first label of `*` stands for any one.
  let names: [String]
  let isECDSA: Bool
  let bits: Int32
  /// The number of the key's curve in TLS (RFC 8446, section 4.2.7); 0 for RSA.
  let curve: UInt16
  private let notBefore: Int
  private let notAfter: Int
  private let isWeaklySigned: Bool

  /// Throws when the PEM cannot be read or key and certificate do not belong together.
  init(_ description: GateSnapshot.Certificate, _ library: TLSLibrary) throws(TLSFailure) {
    let all = try PEM.certificates(description.chain, library)
    id = description.id
    guard let leaf = all.first else { throw TLSFailure("certificate \(description.id) is empty") }
    let rest = castle_x509_stack()
    for each in all.dropFirst() { _ = rest.map { castle_x509_push($0, each) } }
    certificate = leaf
    chain = rest
    do {
      key = try PEM.privateKey(description.privateKey, library)
    } catch {
      X509_free(leaf)
      castle_x509_free_stack(rest)
      throw TLSFailure("certificate \(description.id): \(error)")
    }
    isECDSA = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
    bits = EVP_PKEY_get_bits(key)
    curve = isECDSA ? (bits == 256 ? 23 : bits == 384 ? 24 : 25) : 0
    names = Self.names(leaf)
    notBefore = Self.seconds(X509_get0_notBefore(leaf))
    notAfter = Self.seconds(X509_get0_notAfter(leaf))
    let digest = X509_get_signature_nid(leaf)
    isWeaklySigned = digest == NID_md5WithRSAEncryption || digest == NID_sha1WithRSAEncryption
    if X509_check_private_key(leaf, key) != 1 {
      throw .openSSL("certificate \(description.id) does not belong to its private key")
    }
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
    castle_x509_free_stack(chain)
  }

  private static func names(_ certificate: OpaquePointer) -> [String] {
    var names: [String] = []
    var text = [CChar](repeating: 0, count: 256)
    while names.count < 1000 {
      let count = castle_x509_name(certificate, Int32(names.count), &text, Int32(text.count))
      if count < 0 { break }
      names.append(
        String(decoding: text[0..<Int(count)].map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased())
    }
    return names
  }

  /// Seconds since 1970.
  static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int {
    var parts = tm()
    guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
    return timegm(&parts)
  }

  /// Whether it is to be preferred: public key algorithm, expiry, hash, length of the key, validity period, in this
  /// order (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/https-listener-certificates.html).
  func isBetter(than other: TLSCertificate, now: Int) -> Bool {
    if isECDSA != other.isECDSA { return isECDSA }
    if (notAfter > now) != (other.notAfter > now) { return notAfter > now }
    if isWeaklySigned != other.isWeaklySigned { return !isWeaklySigned }
    if bits != other.bits { return bits > other.bits }
    return notAfter - notBefore > other.notAfter - other.notBefore
  }
}

/// The certificates of a listener by the names they have.
struct TLSCertificateTable {
  let all: [TLSCertificate]
  private var exact: [String: [Int]] = [:]
  /// By what follows the star and its dot.
  private var wildcards: [String: [Int]] = [:]

  init(_ certificates: [TLSCertificate]) {
    all = certificates
    for (index, certificate) in certificates.enumerated() {
      for name in certificate.names {
        if name.hasPrefix("*.") {
          wildcards[String(name.dropFirst(2)), default: []].append(index)
        } else {
          exact[name, default: []].append(index)
        }
      }
    }
  }

  /// The certificate for a client that asks for `host` and can do what `hello` says; the default one without a match.
  func choose(host: String?, _ hello: ClientHello, now: Int) -> Int {
    guard let host else { return 0 }
    var matches = exact[host] ?? []
    if let dot = host.firstIndex(of: "."), let more = wildcards[String(host[host.index(after: dot)...])] {
      matches += more
    }
    guard var best = matches.first else { return 0 }
    for index in matches.dropFirst() {
      let (one, other) = (hello.supports(all[index]), hello.supports(all[best]))
      if one != other ? one : all[index].isBetter(than: all[best], now: now) { best = index }
    }
    return best
  }
}

/// Reading PEM into a library context.
enum PEM {
  /// All certificates in a text, in their order. The caller frees them.
  static func certificates(_ text: String, _ library: TLSLibrary) throws(TLSFailure) -> [OpaquePointer] {
    var text = text
    let result = text.withUTF8 { bytes -> Result<[OpaquePointer], TLSFailure> in
      var found: [OpaquePointer] = []
      guard let base = bytes.baseAddress, let bio = castle_memory_bio(base, Int32(bytes.count)) else {
        return .success([])
      }
      defer { BIO_free(bio) }
      while let certificate = castle_read_certificate(bio, library.context) { found.append(certificate) }
      if castle_pem_ended() == 0 {
        for certificate in found { X509_free(certificate) }
        return .failure(.openSSL("a certificate cannot be read"))
      }
      ERR_clear_error()
      return .success(found)
    }
    return try result.get()
  }

  static func privateKey(_ text: String, _ library: TLSLibrary) throws(TLSFailure) -> OpaquePointer {
    var text = text
    let key = text.withUTF8 { bytes -> OpaquePointer? in
      guard let base = bytes.baseAddress, let bio = castle_memory_bio(base, Int32(bytes.count)) else { return nil }
      defer { BIO_free(bio) }
      return castle_read_key(bio, library.context)
    }
    guard let key else { throw .openSSL("the private key cannot be read") }
    ERR_clear_error()
    let kind = EVP_PKEY_get_base_id(key)
    guard kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC else {
      EVP_PKEY_free(key)
      throw TLSFailure("the private key is neither RSA nor ECDSA")
    }
    return key
  }
}
