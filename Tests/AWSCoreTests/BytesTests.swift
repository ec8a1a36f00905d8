// Base64 and the cyclic redundancy checks, against published values and against slower ways.

import Foundation
import Testing

@testable import AWSCore

@Suite("Base64")
struct Base64Tests {
  @Test("the examples of RFC 4648 go there and back")
  func examples() {
    let examples = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ]
    for (plain, text) in examples {
      #expect(Base64.encode(Array(plain.utf8)) == text)
      #expect(Base64.encodeBytes(Array(plain.utf8)) == Array(text.utf8))
      #expect(Base64.decode(text) == Array(plain.utf8))
      #expect(Base64.decodeLenient(text) == Array(plain.utf8))
    }
  }

  @Test("bytes of every length and value are written as Foundation writes them, and read back")
  func lengths() {
    for count in 0..<300 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 67 &+ count) }
      let text = Base64.encode(bytes)
      #expect(text == Data(bytes).base64EncodedString())
      #expect(Base64.decode(text) == bytes)
      #expect(Base64.decodeLenient(text) == bytes)
    }
  }

  @Test("the strict way refuses what is not base64 with its padding")
  func refusals() {
    for bad in [
      "a", "ab", "abc", "ab=", "a===", "====", "=", "ab=c", "a b=", "ab\n=", "äb==", "YWJj\n", "YQ==YQ==", "YQ==YWJj",
      "ab-_",
      "YWJjYQ", "YWJj====",
    ] { #expect(Base64.decode(bad) == nil, "\(bad)") }
  }

  @Test("the lenient way skips white space and does without padding, and refuses the rest")
  func leniency() {
    for (text, plain) in [
      ("Zg", "f"), ("Zg=", "f"), ("Zm8", "fo"), (" Zm9v\r\nYmFy\t", "foobar"), ("Z m 9 v Y g = =", "foob"), (" ", ""),
      ("Zm9v\nYmE=\n", "fooba"),
    ] { #expect(Base64.decodeLenient(text) == Array(plain.utf8), "\(text)") }
    for bad in ["a", "Zm9v=", "=", "Zg===", "Zg==Zg==", "Zm-_", "Zmä", "Zm9vZ", "Zm9v\u{0}"] {
      #expect(Base64.decodeLenient(bad) == nil, "\(bad)")
    }
  }
}

@Suite("Cyclic redundancy checks")
struct CRCTests {
  private func crc32c(_ bytes: [UInt8], pieces: Int) -> UInt32 {
    var crc = CRC32C()
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      bytes[start..<min(bytes.count, start + pieces)].withUnsafeBytes { crc.update($0) }
    }
    return crc.value
  }

  @Test("CRC-32C has its published check values, in one piece and in many")
  func published() {
    for pieces in [1, 3, 8, 100] {
      #expect(crc32c(Array("123456789".utf8), pieces: pieces) == 0xe306_9283)
      #expect(crc32c([UInt8](repeating: 0, count: 32), pieces: pieces) == 0x8a91_36aa)
      #expect(crc32c(Array(0..<32), pieces: pieces) == 0x46dd_794e)
    }
    #expect(CRC32C().value == 0)
  }

  @Test("the processor's CRC-32C and the tables' are the same, at any length and alignment")
  func twoWays() {
    let data = (0..<4200).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 5) }
    for start in 0..<9 {
      for count in Array(0..<40) + [63, 64, 65, 1000, 4096] {
        let bytes = Array(data[start..<(start + count)])
        let byTable = ~bytes.withUnsafeBytes { CRC32C.table.update(.max, $0) }
        #expect(data[start..<(start + count)].withUnsafeBytes { Self.value($0) } == byTable)
      }
    }
  }

  private static func value(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var crc = CRC32C()
    crc.update(bytes)
    return crc.value
  }

  @Test("the checks of two parts combine to the check of both")
  func combine() {
    let data = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for cut in [0, 1, 7, 4096, 5000] {
      func sums(_ bytes: ArraySlice<UInt8>) -> (CRC32, CRC32C, CRC64NVME) {
        var sums = (CRC32(), CRC32C(), CRC64NVME())
        bytes.withUnsafeBytes {
          sums.0.update($0)
          sums.1.update($0)
          sums.2.update($0)
        }
        return sums
      }
      let (a, b, whole) = (sums(data[..<cut]), sums(data[cut...]), sums(data[...]))
      let n = data.count - cut
      #expect(CRC32.combine(a.0.value, b.0.value, secondLength: n) == whole.0.value)
      #expect(CRC32C.combine(a.1.value, b.1.value, secondLength: n) == whole.1.value)
      #expect(CRC64NVME.combine(a.2.value, b.2.value, secondLength: n) == whole.2.value)
    }
  }
}
