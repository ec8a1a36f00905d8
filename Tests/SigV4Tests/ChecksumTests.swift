// Checksums and percent-encoding against published values.

import Testing

@testable import SigV4

@Suite("Checksums and encodings")
struct ChecksumTests {
  @Test(
    "the checksums of 123456789 are the published check values",
    arguments: [
      // The CRCs' check values are those of the CRC catalogue; the hashes are Python's hashlib's.
      (ChecksumAlgorithm.crc32, "y/Q5Jg=="), (.crc32c, "4waSgw=="), (.crc64nvme, "rosUhgp5mIg="),
      (.sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="), (.sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ])
  func checkValues(_ algorithm: ChecksumAlgorithm, _ expected: String) {
    #expect(Checksum.base64(Array("123456789".utf8), algorithm) == expected)
    #expect(ChecksumAlgorithm(headerName: algorithm.headerName.uppercased()) == algorithm)
    #expect(Checksum(algorithm).bytes.count == algorithm.byteCount)
  }

  @Test("pieces of any size give the checksum of the whole", arguments: ChecksumAlgorithm.allCases)
  func pieces(_ algorithm: ChecksumAlgorithm) {
    let data = (0..<1003).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 3) }
    let whole = Checksum.base64(data, algorithm)
    for step in [1, 5, 8, 13, 64] {
      var checksum = Checksum(algorithm)
      var at = 0
      while at < data.count {
        checksum.update(Array(data[at..<min(at + step, data.count)]))
        at += step
      }
      #expect(checksum.base64 == whole)
    }
  }

  @Test("percent-encoding leaves the unreserved characters and nothing else")
  func percent() {
    let unreserved = "ABCXYZabcxyz0189-._~"
    #expect(PercentEncoding.encode(unreserved) == unreserved)
    #expect(PercentEncoding.encode("a/b c+é*'()!@:,;=&$") == "a%2Fb%20c%2B%C3%A9%2A%27%28%29%21%40%3A%2C%3B%3D%26%24")
    #expect(PercentEncoding.encode("/a b/", keepingSlash: true) == "/a%20b/")
    #expect(PercentEncoding.decode("a%2fb+%zz%4") == "a/b+%zz%4")
    #expect(PercentEncoding.decode("a+b%2B", plusIsSpace: true) == "a b+")
    for byte in UInt8.min...UInt8.max {
      let encoded = [byte].withUnsafeBufferPointer { PercentEncoding.encode($0) }
      #expect(PercentEncoding.decodeBytes(encoded) == [byte])
    }
  }
}
