// What a client says in its ClientHello, as far as the choice of a certificate depends on it.
import COpenSSL

/// The abilities of a client. Read from bytes that anybody may have sent: what is malformed counts as absent.
struct ClientHello {
  var host: String?
  var speaksTLS13 = false
  var signatureSchemes: [UInt16]?
  var groups: [UInt16]?
  /// It offers a suite of TLS 1.2 or older that the listener takes, with a key of this kind.
  var offersECDSA = false
  var offersRSA = false

  init() {}

  /// Reads what OpenSSL has parsed so far. Only to be called in its callback for the ClientHello.
  init(_ ssl: OpaquePointer, _ suites: TLSSuites) {
    if let bytes = Self.field(ssl, 0) { host = Self.serverName(bytes) }
    if let bytes = Self.field(ssl, 43), bytes.count > 1 {
      speaksTLS13 = suites.hasTLS13 && Self.numbers(bytes, skipping: 1)?.contains(0x0304) ?? false
    }
    if let bytes = Self.field(ssl, 13) { signatureSchemes = Self.numbers(bytes, skipping: 2) }
    if let bytes = Self.field(ssl, 10) { groups = Self.numbers(bytes, skipping: 2) }
    var offered: UnsafePointer<UInt8>?
    let count = SSL_client_hello_get0_ciphers(ssl, &offered)
    guard let offered else { return }
    for index in stride(from: 0, to: max(0, count - 1), by: 2) {
      let suite = UInt16(offered[index]) << 8 | UInt16(offered[index + 1])
      if suites.ecdsa.contains(suite) { offersECDSA = true }
      if suites.rsa.contains(suite) { offersRSA = true }
    }
  }

  private static func field(_ ssl: OpaquePointer, _ type: UInt32) -> UnsafeBufferPointer<UInt8>? {
    var bytes: UnsafePointer<UInt8>?
    var count = 0
    guard SSL_client_hello_get0_ext(ssl, type, &bytes, &count) == 1 else { return nil }
    return UnsafeBufferPointer(start: bytes, count: count)
  }

  /// The host of a server_name extension (RFC 6066, section 3), lower case.
  static func serverName(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    guard bytes.count >= 5, Int(bytes[0]) << 8 | Int(bytes[1]) == bytes.count - 2, bytes[2] == 0 else { return nil }
    let length = Int(bytes[3]) << 8 | Int(bytes[4])
    guard length > 0, length <= 255, length <= bytes.count - 5 else { return nil }
    var name: [UInt8] = []
    for index in 5..<5 + length {
      let byte = bytes[index]
      if byte <= 0x20 || byte >= 0x7F { return nil }
      name.append(byte &- 0x41 < 26 ? byte | 0x20 : byte)
    }
    if name.last == 0x2E { name.removeLast() }
    return String(decoding: name, as: UTF8.self)
  }

  /// A list of two-byte numbers behind a length of `skipping` bytes.
  static func numbers(_ bytes: UnsafeBufferPointer<UInt8>, skipping: Int) -> [UInt16]? {
    guard bytes.count >= skipping, (bytes.count - skipping) % 2 == 0 else { return nil }
    return stride(from: skipping, to: bytes.count, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
  }

  /// Whether the client could finish a handshake with this certificate.
  func supports(_ certificate: TLSCertificate) -> Bool {
    if speaksTLS13, let signatureSchemes {
      if certificate.isECDSA {
        if signatureSchemes.contains(0x0403 + (certificate.curve - 23) << 8) { return true }
      } else if signatureSchemes.contains(where: { 0x0804...0x0806 ~= $0 }) {
        return true
      }
    }
    if certificate.isECDSA {
      return offersECDSA && signatureSchemes?.contains { $0 & 0xFF == 3 } ?? true
        && groups?.contains(certificate.curve) ?? true
    }
    return offersRSA
  }
}

/// The suites of a listener below TLS 1.3, by the kind of key they want.
struct TLSSuites {
  var hasTLS13 = false
  var ecdsa: Set<UInt16> = []
  var rsa: Set<UInt16> = []
}
