// Secrets at rest: AES-256-GCM under the root key of this installation.

import Crypto
import FoundationEssentials

/// Encrypts small pieces of data so that state.sqlite alone does not give them away.
public struct Sealer: Sendable {
  /// The first byte of what `seal` returns, should there ever be another form.
  private static let version: UInt8 = 1
  private let key: SymmetricKey

  init(key: SymmetricKey) { self.key = key }

  /// A sealer under a given root key, for tests and tools.
  /// - Parameter rootKey: 32 bytes.
  /// - Throws: `StoreError` (`rootKeyMalformed`).
  public init(rootKey: [UInt8]) throws {
    guard rootKey.count == RootKey.byteCount else {
      throw StoreError(.rootKeyMalformed, "A root key has \(RootKey.byteCount) bytes, not \(rootKey.count).")
    }
    self.init(key: SymmetricKey(data: rootKey))
  }

  /// Encrypts.
  /// - Parameters:
  ///   - bytes: what to hide.
  ///   - context: what it belongs to, as in "kms.key/1234abcd"; needed again to open, so that one record's bytes
  ///     cannot be put into another.
  /// - Returns: version byte, 12 bytes nonce, ciphertext, 16 bytes tag.
  public func seal(_ bytes: [UInt8], context: String) throws -> [UInt8] {
    let box = try AES.GCM.seal(bytes, using: key, authenticating: Array(context.utf8))
    return [Self.version] + Array(box.nonce) + box.ciphertext + box.tag
  }

  /// Decrypts what `seal` returned for the same context.
  /// - Throws: `StoreError` (`sealBroken`) when bytes, context or root key are not the same.
  public func open(_ sealed: [UInt8], context: String) throws -> [UInt8] {
    guard sealed.first == Self.version else {
      throw StoreError(.sealBroken, "The sealed data of \"\(context)\" has no known form.")
    }
    do {
      let box = try AES.GCM.SealedBox(combined: sealed.dropFirst())
      return Array(try AES.GCM.open(box, using: key, authenticating: Array(context.utf8)))
    } catch {
      throw StoreError(
        .sealBroken, "The sealed data of \"\(context)\" does not open: changed, moved, or another root key (\(error)).")
    }
  }
}

/// Sealed data as a property of a record; base64 in its JSON.
public struct SealedBytes: Codable, Sendable, Hashable {
  /// What ``Sealer/seal(_:context:)`` returned.
  public var sealed: [UInt8]

  public init(sealed: [UInt8]) { self.sealed = sealed }

  /// Seals `bytes` for `context`.
  public init(_ bytes: [UInt8], sealer: Sealer, context: String) throws {
    sealed = try sealer.seal(bytes, context: context)
  }

  /// The bytes that were sealed for `context`.
  /// - Throws: `StoreError` (`sealBroken`).
  public func open(_ sealer: Sealer, context: String) throws -> [UInt8] {
    try sealer.open(sealed, context: context)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let data = Data(base64Encoded: try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "Sealed bytes are not base64.")
    }
    sealed = Array(data)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Data(sealed).base64EncodedString())
  }
}
