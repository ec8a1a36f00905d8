// SHA-224 and HMAC with it (RFC 2104, RFC 4231): swift-crypto has no SHA-224, and HMAC_224 keys need it.

import Digests

/// SHA-224.
enum SHA224 {
  private static let blockBytes = 64

  /// The 28-byte digest of `message`.
  static func hash(_ message: [UInt8]) -> [UInt8] { message.withUnsafeBufferPointer { SHA2.sha224($0) } }

  /// The 28-byte code of `message` under `key`.
  static func hmac(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var block = key.count > blockBytes ? hash(key) : key
    block += [UInt8](repeating: 0, count: blockBytes - block.count)
    return hash(block.map { $0 ^ 0x5c } + hash(block.map { $0 ^ 0x36 } + message))
  }
}
