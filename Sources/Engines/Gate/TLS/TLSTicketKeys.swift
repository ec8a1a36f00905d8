// The keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): made by the control thread, the same in all loops,
// kept over changes of the configuration, replaced on time.
import COpenSSL

/// A key that seals the state of sessions, so that clients can come back to any loop.
struct TLSTicketKey: Sendable, Equatable {
  static let nameSize = 16
  static let keySize = 32

  let name: [UInt8]
  let cipherKey: [UInt8]
  let macKey: [UInt8]

  init() throws(TLSFailure) {
    var bytes = [UInt8](repeating: 0, count: Self.nameSize + 2 * Self.keySize)
    guard RAND_bytes(&bytes, Int32(bytes.count)) == 1 else { throw .openSSL("no random numbers") }
    name = Array(bytes[0..<Self.nameSize])
    cipherKey = Array(bytes[Self.nameSize..<Self.nameSize + Self.keySize])
    macKey = Array(bytes[(Self.nameSize + Self.keySize)...])
  }
}

/// The ring of keys: one that seals, and those before it whose tickets still live.
struct TLSTicketKeys {
  /// Seconds for which a session may be taken up again.
  static let lifetime = 3600
  /// Microseconds after which another key seals.
  static let rotation: UInt64 = 3_600_000_000

  private(set) var keys: [TLSTicketKey] = []
  private(set) var rotatesAt: UInt64 = 0

  /// Makes a new key when it is time; true when there is one.
  mutating func rotate(now: UInt64) throws(TLSFailure) -> Bool {
    if now < rotatesAt { return false }
    // A ticket sealed in the last moment of a key's time lives as long again.
    keys = [try TLSTicketKey()] + keys.prefix(1)
    rotatesAt = now + Self.rotation
    return true
  }

  /// OpenSSL's callback: finds the key of a ticket, or gives the one for a new ticket.
  static let callback:
    @convention(c) (
      OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?, Int32
    ) -> Int32 = { ssl, name, iv, cipher, mac, encrypts in
      guard let ssl, let name, let iv, let cipher, let mac, let session = TLSSession.of(ssl) else { return -1 }
      let engine = session.engine
      let algorithm = session.library.ticketCipher
      if encrypts != 0 {
        guard let key = engine.ticketKeys.first else { return 0 }
        for index in 0..<TLSTicketKey.nameSize { name[index] = key.name[index] }
        guard RAND_bytes(iv, 16) == 1, EVP_EncryptInit_ex2(cipher, algorithm, key.cipherKey, iv, nil) == 1,
          castle_ticket_mac(mac, key.macKey, key.macKey.count) == 1
        else { return -1 }
        return 1
      }
      for (index, key) in engine.ticketKeys.enumerated() {
        guard (0..<TLSTicketKey.nameSize).allSatisfy({ name[$0] == key.name[$0] }) else { continue }
        guard castle_ticket_mac(mac, key.macKey, key.macKey.count) == 1,
          EVP_DecryptInit_ex2(cipher, algorithm, key.cipherKey, iv, nil) == 1
        else { return -1 }
        // 2: the client gets a new ticket. In TLS 1.3 it uses each only once (RFC 8446, appendix C.4).
        return index == 0 && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2
      }
      return 0
    }
}
