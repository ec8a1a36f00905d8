// The checksums that S3 takes with an object, as one incremental type.

import AWSCore
import Crypto

/// S3's `ChecksumAlgorithm`.
public enum ChecksumAlgorithm: String, Sendable, Hashable, CaseIterable {
  case crc32 = "CRC32"
  case crc32c = "CRC32C"
  case crc64nvme = "CRC64NVME"
  case sha1 = "SHA1"
  case sha256 = "SHA256"

  /// The header (or trailing header) that carries the value in base64, such as `x-amz-checksum-crc32c`.
  public var headerName: String { "x-amz-checksum-\(rawValue.lowercased())" }

  /// The algorithm of a header's name in any case; nil when it is not a checksum's.
  public init?(headerName: String) {
    let name = headerName.lowercased()
    guard let found = Self.allCases.first(where: { $0.headerName == name }) else { return nil }
    self = found
  }

  /// The checksum's length in bytes.
  public var byteCount: Int {
    switch self {
    case .crc32, .crc32c: 4
    case .crc64nvme: 8
    case .sha1: 20
    case .sha256: 32
    }
  }
}

/// A checksum over bytes that arrive piece by piece.
public struct Checksum: Sendable {
  private enum State: Sendable {
    case crc32(CRC32)
    case crc32c(CRC32C)
    case crc64nvme(CRC64NVME)
    case sha1(Insecure.SHA1)
    case sha256(SHA256)
  }

  public let algorithm: ChecksumAlgorithm
  private var state: State

  public init(_ algorithm: ChecksumAlgorithm) {
    self.algorithm = algorithm
    switch algorithm {
    case .crc32: state = .crc32(CRC32())
    case .crc32c: state = .crc32c(CRC32C())
    case .crc64nvme: state = .crc64nvme(CRC64NVME())
    case .sha1: state = .sha1(Insecure.SHA1())
    case .sha256: state = .sha256(SHA256())
    }
  }

  /// Takes the next bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    switch state {
    case .crc32(var c):
      c.update(bytes)
      state = .crc32(c)
    case .crc32c(var c):
      c.update(bytes)
      state = .crc32c(c)
    case .crc64nvme(var c):
      c.update(bytes)
      state = .crc64nvme(c)
    case .sha1(var h):
      h.update(bufferPointer: bytes)
      state = .sha1(h)
    case .sha256(var h):
      h.update(bufferPointer: bytes)
      state = .sha256(h)
    }
  }

  /// Takes the next bytes.
  public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  /// The checksum of everything so far, most significant byte first.
  public var bytes: [UInt8] {
    switch state {
    case .crc32(let c): withUnsafeBytes(of: c.value.bigEndian) { Array($0) }
    case .crc32c(let c): withUnsafeBytes(of: c.value.bigEndian) { Array($0) }
    case .crc64nvme(let c): withUnsafeBytes(of: c.value.bigEndian) { Array($0) }
    case .sha1(let h): Array(h.finalize())
    case .sha256(let h): Array(h.finalize())
    }
  }

  /// `bytes` in base64, as headers carry it.
  public var base64: String { Base64.encode(bytes) }

  /// The checksum of some bytes in base64.
  public static func base64(_ bytes: [UInt8], _ algorithm: ChecksumAlgorithm) -> String {
    var checksum = Checksum(algorithm)
    checksum.update(bytes)
    return checksum.base64
  }
}
