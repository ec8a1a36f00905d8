// The records of an established connection (RFC 8446, section 5; RFC 5246, section 6.2, with the AEAD suites of RFC 5288,
// RFC 5289 and RFC 7905): a handshake is OpenSSL's affair, and its object weighs more than ten kilobytes; what a
// connection needs from then on is two keys and two counters. Decision 0016.
import COpenSSL
import Glibc

/// An AEAD of OpenSSL's, as records use it.
struct TLSAEAD {
  /// The tag at the end of a record, the same for all.
  static let tagSize = 16

  let cipher: OpaquePointer
  let keySize: Int
  /// The bytes of a nonce that a record of TLS 1.2 carries; those before them come from the handshake.
  let explicitNonceSize: Int
}

/// Why the reading of records ended before all were read.
enum TLSRecordsEnd: Equatable {
  /// The other side will say no more.
  case closed
  /// The other side broke the protocol, and has been told with an alert; or it sent one.
  case failed
}

/// Both directions of a connection. The buffers it writes to, and the ciphers it lends, are its loop's.
final class TLSRecords {
  /// The most plain bytes in a record.
  static let plainMax = 16 << 10
  /// Records of GCM under one key are at most 2^24.5 (RFC 8446, section 5.5).
  static let recordsUnderOneKey: UInt64 = 1 << 24
  /// Empty records, updates of keys and refused renegotiations between two records that carry something.
  static let emptyMax = 32
  private static let secretSize = 48
  private static let directionSize = secretSize + 32 + 12

  enum Direction: Int { case read, write }

  enum ContentType: UInt8 {
    case changeCipherSpec = 20
    case alert, handshake, applicationData
  }

  /// RFC 8446, section 6, and RFC 5246, section 7.2.
  enum Alert: UInt8 {
    case closeNotify = 0
    case unexpectedMessage = 10
    case badRecordMAC = 20
    case recordOverflow = 22
    case illegalParameter = 47
    case decodeError = 50
    case internalError = 80
    case userCanceled = 90
    case noRenegotiation = 100
  }

  private let pool: TLSCipherPool
  private let aead: TLSAEAD
  private let digest: TLSDigest
  private let isTLS13: Bool
  /// The most plain bytes in a record to the other side: it may have asked for less (RFC 6066, section 4).
  private let fragmentSize: Int
  /// Secret, key and the nonce's fixed part of each direction.
  private let memory: UnsafeMutablePointer<UInt8>
  private var readSequence: UInt64
  private var writeSequence: UInt64
  private(set) var emptyCount = 0
  /// Its place in the pool, and the number under which it has it.
  fileprivate var slot = 0
  fileprivate let number: UInt64
  /// The last alert that came, but the one that says goodbye.
  private(set) var receivedAlert: UInt8?

  /// - Parameters:
  ///   - keys: what the handshake agreed on.
  ///   - fragmentSize: the most plain bytes in a record to the other side.
  /// - Returns: nil when OpenSSL cannot derive the keys.
  init?(_ keys: TLSKeys, pool: TLSCipherPool, fragmentSize: Int) {
    self.pool = pool
    aead = keys.aead
    digest = keys.digest
    isTLS13 = keys.isTLS13
    readSequence = keys.readSequence
    writeSequence = keys.writeSequence
    self.fragmentSize = min(fragmentSize, Self.plainMax)
    number = pool.nextNumber()
    memory = .allocate(capacity: 2 * Self.directionSize)
    memory.initialize(repeating: 0, count: 2 * Self.directionSize)
    for (direction, material) in [(Direction.read, keys.reads), (.write, keys.writes)] {
      switch material {
      case .secret(let secret):
        guard secret.count == digest.size else { return nil }
        copy(secret, to: self.secret(direction))
        if !deriveKey(direction) { return nil }
      case .key(let key, let iv):
        copy(key, to: self.key(direction))
        copy(iv, to: self.iv(direction))
      }
    }
  }

  deinit {
    OPENSSL_cleanse(memory, 2 * Self.directionSize)
    pool.release(self)
    memory.deallocate()
  }

  private func copy(_ bytes: [UInt8], to place: UnsafeMutablePointer<UInt8>) {
    for index in bytes.indices { place[index] = bytes[index] }
  }

  private func secret(_ direction: Direction) -> UnsafeMutablePointer<UInt8> {
    memory + direction.rawValue * Self.directionSize
  }
  private func key(_ direction: Direction) -> UnsafeMutablePointer<UInt8> { secret(direction) + Self.secretSize }
  private func iv(_ direction: Direction) -> UnsafeMutablePointer<UInt8> { key(direction) + 32 }

  // MARK: - Keys

  /// The key and nonce of a direction's secret (RFC 8446, section 7.3).
  private func deriveKey(_ direction: Direction) -> Bool {
    pool.derivation.expand(digest, secret(direction), "key", to: key(direction), aead.keySize)
      && pool.derivation.expand(digest, secret(direction), "iv", to: iv(direction), 12)
  }

  /// The next secret of a direction (RFC 8446, section 7.2).
  private func updateKey(_ direction: Direction) -> Bool {
    let secret = secret(direction)
    guard pool.derivation.expand(digest, secret, "traffic upd", to: secret, digest.size), deriveKey(direction) else {
      return false
    }
    if direction == .read { readSequence = 0 } else { writeSequence = 0 }
    return pool.rekey(self, direction)
  }

  fileprivate func start(_ cipher: OpaquePointer, _ direction: Direction) -> Bool {
    EVP_CipherInit_ex2(cipher, aead.cipher, key(direction), nil, direction == .write ? 1 : 0, nil) == 1
  }

  /// The fixed part with the record's number over its end.
  @inline(__always)
  private func withNonce<Result>(
    _ direction: Direction, _ sequence: UInt64, _ body: (UnsafeMutablePointer<UInt8>) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 12) { nonce in
      // The allocation has a place, being larger than nothing.
      let place = nonce.baseAddress.unsafelyUnwrapped
      memcpy(place, iv(direction), 12)
      let tail = UnsafeMutableRawPointer(place + 4)
      let mixed = tail.loadUnaligned(as: UInt64.self) ^ sequence.bigEndian
      tail.storeBytes(of: mixed, as: UInt64.self)
      return body(place)
    }
  }

  // MARK: - Writing

  /// Encrypts bytes into records behind what waits to be sent. False when OpenSSL failed.
  func seal(_ bytes: UnsafePointer<UInt8>, _ count: Int, to io: UnsafeMutablePointer<castle_tls_io>) -> Bool {
    var done = 0
    while done < count {
      if isTLS13, writeSequence >= Self.recordsUnderOneKey, !sendKeyUpdate(to: io) { return false }
      let length = min(count - done, fragmentSize)
      if !seal(.applicationData, bytes + done, length, to: io) { return false }
      done += length
    }
    return true
  }

  /// Says something about the connection.
  func tell(_ alert: Alert, to io: UnsafeMutablePointer<castle_tls_io>) -> Bool {
    let isWarning = alert == .closeNotify || alert == .noRenegotiation
    return seal(.alert, [isWarning ? 1 : 2, alert.rawValue], 2, to: io)
  }

  /// - Parameter requests: asks the other side for the same.
  func sendKeyUpdate(requests: Bool = false, to io: UnsafeMutablePointer<castle_tls_io>) -> Bool {
    seal(.handshake, [24, 0, 0, 1, requests ? 1 : 0], 5, to: io) && updateKey(.write)
  }

  /// One record of any kind.
  func seal(
    _ type: ContentType, _ bytes: UnsafePointer<UInt8>, _ count: Int, to io: UnsafeMutablePointer<castle_tls_io>
  ) -> Bool {
    let explicit = isTLS13 ? 0 : aead.explicitNonceSize
    let innerSize = count + (isTLS13 ? 1 : 0)
    let length = explicit + innerSize + TLSAEAD.tagSize
    guard let cipher = pool.cipher(for: self, .write), let record = castle_tls_reserve(io, 5 + length) else {
      return false
    }
    record[0] = isTLS13 ? ContentType.applicationData.rawValue : type.rawValue
    record[1] = 3
    record[2] = 3
    record[3] = UInt8(truncatingIfNeeded: length >> 8)
    record[4] = UInt8(truncatingIfNeeded: length)
    let text = record + 5 + explicit
    let outcome: Int32
    if isTLS13 {
      outcome = withNonce(.write, writeSequence) {
        castle_aead_seal(cipher, $0, record, 5, bytes, Int32(count), Int32(type.rawValue), text, text + innerSize)
      }
    } else {
      if explicit > 0 {
        UnsafeMutableRawPointer(record + 5).storeBytes(of: writeSequence.bigEndian, as: UInt64.self)
      }
      outcome = withNonce(.write, writeSequence) { nonce in
        withAdditionalData(type.rawValue, writeSequence, count) {
          castle_aead_seal(cipher, nonce, $0, 13, bytes, Int32(count), -1, text, text + innerSize)
        }
      }
    }
    guard outcome == 1 else { return false }
    writeSequence += 1
    io.pointee.out_count += 5 + length
    return true
  }

  /// What a record of TLS 1.2 vouches for beside its text.
  @inline(__always)
  private func withAdditionalData<Result>(
    _ type: UInt8, _ sequence: UInt64, _ count: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 13) { bytes in
      let data = bytes.baseAddress.unsafelyUnwrapped
      UnsafeMutableRawPointer(data).storeBytes(of: sequence.bigEndian, as: UInt64.self)
      data[8] = type
      data[9] = 3
      data[10] = 3
      data[11] = UInt8(truncatingIfNeeded: count >> 8)
      data[12] = UInt8(truncatingIfNeeded: count)
      return body(data)
    }
  }

  // MARK: - Reading

  /// Decrypts all whole records of a window.
  /// - Parameters:
  ///   - plain: room for as many bytes as the window has.
  ///   - used: how many bytes of the window are done with; behind them is the beginning of a record, or what follows the
  ///     end of the connection.
  ///   - end: why no more will be read.
  ///   - io: where answers go to: updated keys, alerts.
  /// - Returns: the number of plain bytes.
  func open(
    _ window: UnsafePointer<UInt8>, _ count: Int, into plain: UnsafeMutablePointer<UInt8>, used: inout Int,
    end: inout TLSRecordsEnd?, io: UnsafeMutablePointer<castle_tls_io>
  ) -> Int {
    var total = 0
    used = 0
    while end == nil, count - used >= 5 {
      let record = window + used
      let length = Int(record[3]) << 8 | Int(record[4])
      let explicit = isTLS13 ? 0 : aead.explicitNonceSize
      let overhead = explicit + (isTLS13 ? 1 : 0) + TLSAEAD.tagSize
      if isTLS13 ? record[0] != ContentType.applicationData.rawValue : record[0] &- 20 > 3 {
        end = refuse(.unexpectedMessage, io)
        break
      }
      if length > Self.plainMax + overhead + (isTLS13 ? 255 - TLSAEAD.tagSize : 0) {
        end = refuse(.recordOverflow, io)
        break
      }
      if count - used - 5 < length { break }
      used += 5 + length
      guard length >= overhead, var size = decrypt(record, length, into: plain + total) else {
        end = refuse(.badRecordMAC, io)
        break
      }
      var type = record[0]
      if isTLS13 {
        // The type stands before the padding of zeros.
        while size > 0, plain[total + size - 1] == 0 { size -= 1 }
        if size == 0 {
          end = refuse(.unexpectedMessage, io)
          break
        }
        size -= 1
        type = plain[total + size]
      }
      if size > Self.plainMax {
        end = refuse(.recordOverflow, io)
        break
      }
      if type == ContentType.applicationData.rawValue, size > 0 {
        emptyCount = 0
        total += size
      } else {
        end = note(type, plain + total, size, io)
      }
    }
    return total
  }

  /// The text of one record; nil when it is not what the other side sealed.
  private func decrypt(
    _ record: UnsafePointer<UInt8>, _ length: Int, into plain: UnsafeMutablePointer<UInt8>
  ) -> Int? {
    guard let cipher = pool.cipher(for: self, .read) else { return nil }
    let outcome: Int32
    let size: Int
    if isTLS13 {
      size = length - TLSAEAD.tagSize
      outcome = withNonce(.read, readSequence) {
        castle_aead_open(cipher, $0, record, 5, record + 5, Int32(size), plain)
      }
    } else {
      let explicit = aead.explicitNonceSize
      size = length - explicit - TLSAEAD.tagSize
      outcome = withNonce(.read, readSequence) { nonce in
        if explicit > 0 { memcpy(nonce + 4, record + 5, 8) }
        return withAdditionalData(record[0], readSequence, size) {
          castle_aead_open(cipher, nonce, $0, 13, record + 5 + explicit, Int32(size), plain)
        }
      }
    }
    guard outcome == 1 else { return nil }
    readSequence += 1
    return size
  }

  /// What is not data of the application.
  private func note(
    _ type: UInt8, _ bytes: UnsafePointer<UInt8>, _ count: Int, _ io: UnsafeMutablePointer<castle_tls_io>
  ) -> TLSRecordsEnd? {
    emptyCount += 1
    if emptyCount > Self.emptyMax { return refuse(.unexpectedMessage, io) }
    switch ContentType(rawValue: type) {
    case .applicationData: return nil
    case .alert:
      if count != 2 { return refuse(.decodeError, io) }
      if bytes[1] == Alert.closeNotify.rawValue { return .closed }
      receivedAlert = bytes[1]
      // Followed by a goodbye; and a warning of TLS 1.2 is no more than that.
      if bytes[1] == Alert.userCanceled.rawValue || !isTLS13 && bytes[0] == 1 { return nil }
      return .failed
    case .handshake where isTLS13:
      guard count == 5, bytes[0] == 24, bytes[1] == 0, bytes[2] == 0, bytes[3] == 1 else {
        return refuse(.unexpectedMessage, io)
      }
      if bytes[4] > 1 { return refuse(.illegalParameter, io) }
      guard updateKey(.read), bytes[4] == 0 || sendKeyUpdate(to: io) else { return refuse(.internalError, io) }
      return nil
    case .handshake:
      // It would like to begin anew.
      return tell(.noRenegotiation, to: io) ? nil : .failed
    default: return refuse(.unexpectedMessage, io)
    }
  }

  private func refuse(_ alert: Alert, _ io: UnsafeMutablePointer<castle_tls_io>) -> TLSRecordsEnd {
    // Told if it can be told; the connection ends either way.
    _ = tell(alert, to: io)
    return .failed
  }
}

/// OpenSSL's ciphers for the connections of one loop. A cipher with its key weighs a kilobyte, and most connections are
/// idle: those that were used last have one, the others get one when they have something to say.
final class TLSCipherPool {
  static let capacity = 512

  private struct Place {
    let read: OpaquePointer
    let write: OpaquePointer
    var owner: UInt64 = 0
    var wasUsed = false
  }

  let derivation: TLSDerivation
  private var places: [Place] = []
  /// Those whose connection has ended.
  private var vacant: [Int] = []
  private var hand = 0
  private var lastNumber: UInt64 = 0

  init(_ derivation: TLSDerivation) { self.derivation = derivation }

  deinit {
    for place in places {
      EVP_CIPHER_CTX_free(place.read)
      EVP_CIPHER_CTX_free(place.write)
    }
  }

  fileprivate func nextNumber() -> UInt64 {
    lastNumber += 1
    return lastNumber
  }

  /// The cipher of one direction, with its key set; nil without memory.
  @inline(__always)
  fileprivate func cipher(for records: TLSRecords, _ direction: TLSRecords.Direction) -> OpaquePointer? {
    if records.slot < places.count, places[records.slot].owner == records.number {
      places[records.slot].wasUsed = true
    } else if !claim(for: records) {
      return nil
    }
    return direction == .read ? places[records.slot].read : places[records.slot].write
  }

  /// Gives it a place; if all are taken, that of whoever has not used his for longest, or nearly so.
  private func claim(for records: TLSRecords) -> Bool {
    let chosen: Int
    if let free = vacant.popLast() {
      chosen = free
    } else if places.count < Self.capacity {
      guard let read = EVP_CIPHER_CTX_new() else { return false }
      guard let write = EVP_CIPHER_CTX_new() else {
        EVP_CIPHER_CTX_free(read)
        return false
      }
      chosen = places.count
      places.append(Place(read: read, write: write))
    } else {
      while places[hand].wasUsed {
        places[hand].wasUsed = false
        hand = (hand + 1) % places.count
      }
      chosen = hand
      hand = (hand + 1) % places.count
    }
    guard records.start(places[chosen].read, .read), records.start(places[chosen].write, .write) else {
      places[chosen].owner = 0
      vacant.append(chosen)
      return false
    }
    places[chosen].owner = records.number
    places[chosen].wasUsed = true
    records.slot = chosen
    return true
  }

  /// A direction has another key.
  fileprivate func rekey(_ records: TLSRecords, _ direction: TLSRecords.Direction) -> Bool {
    guard records.slot < places.count, places[records.slot].owner == records.number else { return true }
    let place = places[records.slot]
    return records.start(direction == .read ? place.read : place.write, direction)
  }

  /// A connection has ended, and its keys were overwritten.
  fileprivate func release(_ records: TLSRecords) {
    guard records.slot < places.count, places[records.slot].owner == records.number else { return }
    let place = places[records.slot]
    // The ciphers forget their keys too. Resetting them would give their memory back, which the next one wants again.
    if !records.start(place.read, .read) || !records.start(place.write, .write) {
      EVP_CIPHER_CTX_reset(place.read)
      EVP_CIPHER_CTX_reset(place.write)
    }
    places[records.slot].owner = 0
    places[records.slot].wasUsed = false
    vacant.append(records.slot)
  }
}
