// The derived key of one secret, day, region and service, and a bounded cache of such keys.

import Crypto
import Synchronization

extension SigV4 {
  /// The key that signs strings for one day, region and service (four HMACs away from the secret access key).
  public struct SigningKey: Sendable {
    public let scope: Scope
    /// The code's state once it has taken in the key: half of its work for a text as short as a string to sign.
    private let keyed: HMAC<SHA256>

    public init(secretAccessKey: String, scope: Scope) {
      self.scope = scope
      func mac(_ key: SymmetricKey, _ text: String) -> SymmetricKey {
        SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
      }
      let date = mac(SymmetricKey(data: Array("AWS4\(secretAccessKey)".utf8)), scope.date)
      keyed = HMAC(key: mac(mac(mac(date, scope.region), scope.service), "aws4_request"))
    }

    /// The signature of a string, 64 hexadecimal digits. Also what an S3 POST policy (in base64) is signed with.
    public func signature(of stringToSign: String) -> String {
      var text = stringToSign
      var mac = keyed
      text.withUTF8 { mac.update(data: UnsafeRawBufferPointer($0)) }
      return SigV4.hex(mac.finalize())
    }
  }

  /// Signing keys already derived. Holds at most `capacity` of them, the longest unused going first. Thread-safe.
  public final class SigningKeyCache: Sendable {
    private struct Key: Hashable {
      let secret: String
      let scope: Scope
    }
    // Two generations: when the young one is full it becomes the old one, whose unused half is forgotten.
    private struct State {
      var young: [Key: SigningKey] = [:]
      var old: [Key: SigningKey] = [:]
    }
    private let generationMax: Int
    private let state = Mutex(State())

    /// - Parameter capacity: the number of keys held at most.
    public init(capacity: Int = 1024) { generationMax = max(1, capacity / 2) }

    /// How many keys are held.
    public var count: Int { state.withLock { $0.young.count + $0.old.count } }

    /// The key of a secret and scope, derived when it is not there yet.
    public func key(secretAccessKey: String, scope: Scope) -> SigningKey {
      let id = Key(secret: secretAccessKey, scope: scope)
      if let found = state.withLock({ s -> SigningKey? in
        if let key = s.young[id] { return key }
        guard let key = s.old.removeValue(forKey: id) else { return nil }
        keep(key, id, &s)
        return key
      }) {
        return found
      }
      let key = SigningKey(secretAccessKey: secretAccessKey, scope: scope)
      state.withLock { keep(key, id, &$0) }
      return key
    }

    private func keep(_ key: SigningKey, _ id: Key, _ s: inout State) {
      if s.young.count >= generationMax {
        s.old = s.young
        s.young = [:]
      }
      s.young[id] = key
    }
  }
}
