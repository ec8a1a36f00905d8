// Identifiers in the forms AWS gives them. Randomness comes in, so that tests can repeat a run.

/// Makes the random parts of identifiers. Thread-safe.
public protocol IdentifierSource: Sendable {
  /// Sixteen-fold random: `count` bytes nobody can guess.
  func randomBytes(_ count: Int) -> [UInt8]
}

/// The system's secure random numbers.
public struct SystemIdentifiers: IdentifierSource {
  public init() {}
  public func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    var bytes = [UInt8](repeating: 0, count: count)
    for i in 0..<count { bytes[i] = UInt8.random(in: 0...255, using: &generator) }
    return bytes
  }
}

extension IdentifierSource {
  /// Lower-case hexadecimal digits, as in `vpc-0a1b2c3d4e5f60718` (17) or a load balancer's `50dc6c495c0c9188` (16).
  public func hex(_ digits: Int) -> String {
    String(hexadecimal(randomBytes((digits + 1) / 2)).prefix(digits))
  }

  /// A version 4 UUID in lower case (RFC 9562).
  public func uuid() -> String {
    var b = randomBytes(16)
    b[6] = (b[6] & 0x0f) | 0x40
    b[8] = (b[8] & 0x3f) | 0x80
    let h = Array(hexadecimal(b))
    return String(h[0..<8]) + "-" + String(h[8..<12]) + "-" + String(h[12..<16]) + "-" + String(h[16..<20]) + "-"
      + String(h[20..<32])
  }

  /// `prefix-` and 17 hexadecimal digits, the form of EC2's resource ids.
  public func ec2(_ prefix: String) -> String { "\(prefix)-\(hex(17))" }

  /// Characters drawn evenly from an alphabet.
  public func characters(_ count: Int, from alphabet: [Character]) -> String {
    var result = ""
    let limit = 256 - 256 % alphabet.count
    while result.count < count {
      // Bytes above the largest multiple are thrown away, so that each character is equally likely.
      for byte in randomBytes(count) where Int(byte) < limit && result.count < count {
        result.append(alphabet[Int(byte) % alphabet.count])
      }
    }
    return result
  }

  /// Mixed-case letters and digits, as behind a secret's name in its ARN.
  public func alphanumeric(_ count: Int) -> String {
    characters(count, from: Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"))
  }

  /// Upper-case letters and digits, as in an IAM unique id behind its four-letter prefix (`AROA…`).
  public func upperAlphanumeric(_ count: Int) -> String {
    characters(count, from: Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
  }
}

/// Lower-case hexadecimal digits of some bytes.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var out: [UInt8] = []
  for byte in bytes {
    out.append(digits[Int(byte >> 4)])
    out.append(digits[Int(byte & 15)])
  }
  return String(decoding: out, as: UTF8.self)
}
