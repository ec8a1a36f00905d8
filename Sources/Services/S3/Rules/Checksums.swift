// Checksums that come with objects: x-amz-checksum-*, Content-MD5.

import AWSCore
import ObjectStore
import S3Model
import SigV4

/// A checksum of SigV4's as the engine computes it while content goes by.
struct ChecksumDigest: ContentDigest {
  private var checksum: Checksum

  init(_ algorithm: ChecksumAlgorithm) { checksum = Checksum(algorithm) }
  mutating func update(_ bytes: UnsafeRawBufferPointer) { checksum.update(bytes) }
  mutating func finish() -> [UInt8] { checksum.bytes }
}

/// What a request says about its content's checksums.
struct StatedChecksums: Sendable {
  /// The one checksum whose value stands in a header.
  var stated: (algorithm: ChecksumAlgorithm, value: String)?
  /// The algorithm that is computed; its value may come in a trailer.
  var algorithm: ChecksumAlgorithm
  /// The request names the algorithm; else S3 chooses CRC64NVME.
  var isChosenByCaller: Bool
  var md5: [UInt8]?

  /// - Parameters:
  ///   - chosen: `x-amz-sdk-checksum-algorithm`.
  ///   - fallback: computed when the request names none.
  /// - Throws: `InvalidRequest`, `InvalidDigest`, 501 for algorithms that are not built.
  init(
    _ request: some ChecksumFields, chosen: String?, md5: String?, fallback: ChecksumAlgorithm = .crc64nvme
  ) throws {
    let values = try request.knownChecksums()
    guard values.count <= 1 else {
      throw S3Error.invalidRequest(
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    }
    let named = try chosen.map(Self.algorithm)
    if let (name, value) = values.first, let algorithm = ChecksumAlgorithm(rawValue: name) {
      guard Base64.decode(value)?.count == algorithm.byteCount else {
        throw S3Error.invalidRequest("Value for \(algorithm.headerName) header is invalid.")
      }
      if let named, named != algorithm {
        throw S3Error.invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
      }
      stated = (algorithm, value)
    }
    algorithm = stated?.algorithm ?? named ?? fallback
    isChosenByCaller = stated != nil || named != nil
    self.md5 = try md5.map { text in
      guard let bytes = Base64.decode(text), bytes.count == 16 else {
        throw AWSError(
          "InvalidDigest", "The Content-MD5 you specified was invalid.", fields: ["Content-MD5": text])
      }
      return bytes
    }
  }

  /// - Throws: `InvalidRequest`, 501.
  static func algorithm(_ name: String) throws -> ChecksumAlgorithm {
    if let found = ChecksumAlgorithm(rawValue: name.uppercased()) { return found }
    if ["MD5", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"].contains(name.uppercased()) {
      throw AWSError.notImplemented("s3: the checksum algorithm \(name)")
    }
    throw S3Error.invalidRequest(
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, "
        + "CRC64NVME, SHA1, SHA256]")
  }

  var digests: [String: any ContentDigest] { [algorithm.rawValue: ChecksumDigest(algorithm)] }

  /// Compares what was stated, in headers and trailers, with what arrived.
  /// - Throws: `BadDigest`, `InvalidRequest`.
  func verify(_ content: StagedContent, trailers: [String: String]) throws {
    if let md5, md5 != content.md5 {
      throw S3Error.badDigest("Content-MD5", expected: hexadecimal(md5), computed: content.etag)
    }
    if let stated { try compare(stated.algorithm, stated.value, content) }
    for (name, value) in trailers {
      guard let found = ChecksumAlgorithm(headerName: name) else { continue }
      guard found == algorithm else {
        throw S3Error.invalidRequest(
          "A checksum in a trailer needs the header x-amz-sdk-checksum-algorithm, which names its algorithm.")
      }
      guard Base64.decode(value)?.count == found.byteCount else {
        throw S3Error.invalidRequest("Value for \(found.headerName) trailing header is invalid.")
      }
      try compare(found, value, content)
    }
  }

  private func compare(_ algorithm: ChecksumAlgorithm, _ value: String, _ content: StagedContent) throws {
    let computed = content.checksums[algorithm.rawValue] ?? ""
    guard computed == value else {
      throw S3Error.badDigest(algorithm.rawValue, expected: value, computed: computed)
    }
  }
}

/// Checksums of an object made of parts.
enum PartChecksums {
  /// The type that an upload has when it was begun with this algorithm.
  /// - Throws: `InvalidRequest` for a combination that does not exist.
  static func type(_ algorithm: ChecksumAlgorithm, wanted: String?) throws -> String {
    switch (algorithm, wanted) {
    case (.crc64nvme, nil), (.crc64nvme, "FULL_OBJECT"), (.crc32, "FULL_OBJECT"), (.crc32c, "FULL_OBJECT"):
      return "FULL_OBJECT"
    case (.sha1, nil), (.sha1, "COMPOSITE"), (.sha256, nil), (.sha256, "COMPOSITE"), (.crc32, nil),
      (.crc32, "COMPOSITE"), (.crc32c, nil), (.crc32c, "COMPOSITE"):
      return "COMPOSITE"
    default:
      throw S3Error.invalidRequest(
        "The \(wanted ?? "") checksum type cannot be used with the \(algorithm.rawValue.lowercased()) checksum algorithm."
      )
    }
  }

  /// The object's checksum from its parts'; nil when a part has none of this algorithm.
  static func whole(_ parts: [PartRecord], _ algorithm: ChecksumAlgorithm, type: String) -> String? {
    var values: [[UInt8]] = []
    for part in parts {
      guard let value = part.checksums[algorithm.rawValue].flatMap({ Base64.decode($0) }),
        value.count == algorithm.byteCount
      else { return nil }
      values.append(value)
    }
    if type == "COMPOSITE" {
      var checksum = Checksum(algorithm)
      for value in values { checksum.update(value) }
      return "\(checksum.base64)-\(parts.count)"
    }
    let sizes = parts.map(\.size)
    switch algorithm {
    case .crc32: return Base64.encode(bytes(join(values, sizes) { CRC32.combine($0, $1, secondLength: $2) }))
    case .crc32c: return Base64.encode(bytes(join(values, sizes) { CRC32C.combine($0, $1, secondLength: $2) }))
    case .crc64nvme: return Base64.encode(bytes(join(values, sizes) { CRC64NVME.combine($0, $1, secondLength: $2) }))
    case .sha1, .sha256: return nil
    }
  }

  private static func join<Word: FixedWidthInteger>(
    _ values: [[UInt8]], _ sizes: [Int], _ combine: (Word, Word, Int) -> Word
  ) -> Word {
    var result: Word = 0
    for (value, size) in zip(values, sizes) {
      let word = value.reduce(Word(0)) { $0 << 8 | Word($1) }
      result = combine(result, word, size)
    }
    return result
  }

  private static func bytes(_ word: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: word.bigEndian) { Array($0) }
  }
}
