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
    // Eight bytes a draw: each is a system call.
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
      while filled < count {
        var word = generator.next()
        for _ in 0..<min(8, count - filled) {
          bytes.initializeElement(at: filled, to: UInt8(truncatingIfNeeded: word))
          word >>= 8
          filled += 1
        }
      }
    }
  }
}

extension IdentifierSource {
  /// Lower-case hexadecimal digits, as in `vpc-0a1b2c3d4e5f60718` (17) or a load balancer's `50dc6c495c0c9188` (16).
  public func hex(_ digits: Int) -> String {
    String(hexadecimal(randomBytes((digits + 1) / 2)).prefix(digits))
  }

  /// A version 4 UUID in lower case (RFC 9562).
  public func uuid() -> String {
    var bytes = randomBytes(16)
    bytes[6] = (bytes[6] & 0x0f) | 0x40
    bytes[8] = (bytes[8] & 0x3f) | 0x80
    return String(unsafeUninitializedCapacity: 36) { out in
      var at = 0
      for (index, byte) in bytes.enumerated() {
        if index == 4 || index == 6 || index == 8 || index == 10 {
          out[at] = UInt8(ascii: "-")
          at += 1
        }
        out[at] = hexadecimalDigit(byte >> 4)
        out[at + 1] = hexadecimalDigit(byte & 15)
        at += 2
      }
      return at
    }
  }

  /// `prefix-` and 17 hexadecimal digits, the form of EC2's resource ids.
  public func ec2(_ prefix: String) -> String { "\(prefix)-\(hex(17))" }

  /// Characters drawn evenly from an alphabet.
  public func characters(_ count: Int, from alphabet: [Character]) -> String {
    var result = ""
    result.reserveCapacity(count)
    for index in indices(count, below: alphabet.count) { result.append(alphabet[index]) }
    return result
  }

  /// Numbers below a limit of at most 256, drawn evenly.
  private func indices(_ count: Int, below limit: Int) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(count)
    let even = 256 - 256 % limit
    while result.count < count {
      // Bytes above the largest multiple are thrown away, so that each number is equally likely.
      for byte in randomBytes(count) where Int(byte) < even && result.count < count {
        result.append(Int(byte) % limit)
      }
    }
    return result
  }

  private func ascii(_ count: Int, from alphabet: StaticString) -> String {
    String(decoding: indices(count, below: alphabet.utf8CodeUnitCount).map { alphabet.utf8Start[$0] }, as: UTF8.self)
  }

  /// Mixed-case letters and digits, as behind a secret's name in its ARN.
  public func alphanumeric(_ count: Int) -> String {
    ascii(count, from: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
  }

  /// Upper-case letters and digits, as in an IAM unique id behind its four-letter prefix (`AROA…`).
  public func upperAlphanumeric(_ count: Int) -> String {
    ascii(count, from: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
  }
}

/// Lower-case hexadecimal digits of some bytes.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let quick = bytes.withContiguousStorageIfAvailable { hexadecimal(UnsafeRawBufferPointer($0)) }
  if let quick { return quick }
  var out: [UInt8] = []
  out.reserveCapacity(bytes.underestimatedCount * 2)
  for byte in bytes {
    out.append(hexadecimalDigit(byte >> 4))
    out.append(hexadecimalDigit(byte & 15))
  }
  return String(decoding: out, as: UTF8.self)
}

/// Lower-case hexadecimal digits of bytes in memory, such as a digest's, whose own sequence is slow to walk.
public func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> String {
  String(unsafeUninitializedCapacity: bytes.count * 2) { out in
    var at = 0
    for byte in bytes {
      out[at] = hexadecimalDigit(byte >> 4)
      out[at + 1] = hexadecimalDigit(byte & 15)
      at += 2
    }
    return at
  }
}

/// The lower-case digit of a number below 16, in ASCII.
@inline(__always)
private func hexadecimalDigit(_ number: UInt8) -> UInt8 { number < 10 ? number + 48 : number + 87 }
