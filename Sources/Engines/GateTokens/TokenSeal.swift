// Texts that only the Gate can make and read: what its cookies hold.
import Crypto
import FoundationEssentials

/// Seals bytes with AES-256-GCM into text that fits a cookie. Whoever has the key can open it, in every loop and after
/// every restart; nobody else can read or change it.
public struct TokenSeal: Sendable {
  private let key: SymmetricKey

  /// - Parameter key: 32 bytes; nil is returned for another number.
  public init?(key: [UInt8]) {
    guard key.count == 32 else { return nil }
    self.key = SymmetricKey(data: key)
  }

  /// A key that nobody else has.
  public init() { key = SymmetricKey(size: .bits256) }

  /// - Parameter purpose: what the bytes mean; a text sealed for one purpose does not open for another.
  /// - Returns: Base64; nil when the system gives no randomness.
  public func seal(_ bytes: [UInt8], purpose: String) -> String? {
    let box = try? AES.GCM.seal(bytes, using: key, authenticating: Array(purpose.utf8))
    return box?.combined?.base64EncodedString()
  }

  /// The bytes of a sealed text; nil for every text that was not sealed with this key for this purpose.
  public func open(_ text: UnsafeBufferPointer<UInt8>, purpose: String) -> [UInt8]? {
    guard text.count <= 16 << 10, let data = Data(base64Encoded: Data(text)),
      let box = try? AES.GCM.SealedBox(combined: data),
      let plain = try? AES.GCM.open(box, using: key, authenticating: Array(purpose.utf8))
    else { return nil }
    return Array(plain)
  }
}

/// Base64 as JSON Web Tokens use it (RFC 4648, section 5), without padding.
public enum Base64URL {
  /// nil for what is not Base64.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count + 3)
    for byte in text {
      switch byte {
      case UInt8(ascii: "-"): bytes.append(UInt8(ascii: "+"))
      case UInt8(ascii: "_"): bytes.append(UInt8(ascii: "/"))
      case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): return nil
      default: bytes.append(byte)
      }
    }
    while bytes.count % 4 != 0 { bytes.append(UInt8(ascii: "=")) }
    return Data(base64Encoded: Data(bytes)).map { Array($0) }
  }

  public static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for character in Data(bytes).base64EncodedString() {
      switch character {
      case "+": text.append("-")
      case "/": text.append("_")
      case "=": break
      default: text.append(character)
      }
    }
    return text
  }
}
