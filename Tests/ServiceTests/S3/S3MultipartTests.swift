// Multipart uploads and the checksums of their objects.

import AWSCore
import Crypto
import Foundation
import S3Model
import ServiceKit
import SigV4
import Testing

@testable import S3Service

@Suite("S3: multipart uploads") struct S3MultipartTests {
  private static let parts: [[UInt8]] = [
    (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) },
    (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) },
  ]

  private func begin(_ s3: S3Fixture, _ algorithm: String? = nil, _ type: String? = nil) async throws -> String {
    try #require(
      try await s3.run(S3.createMultipartUpload) {
        ($0.bucket, $0.key, $0.checksumAlgorithm, $0.checksumType) = ("shop", "big", algorithm, type)
        $0.contentType = "video/mp4"
      }.uploadId)
  }

  @discardableResult
  private func upload(
    _ s3: S3Fixture, _ id: String, _ number: Int, _ bytes: [UInt8],
    _ configure: (inout S3.UploadPartRequest) -> Void = { _ in }
  ) async throws -> S3.UploadPartOutput {
    var input = S3.UploadPartRequest()
    (input.bucket, input.key, input.uploadId, input.partNumber) = ("shop", "big", id, number)
    configure(&input)
    return try await s3.dispatcher.invokeStreaming(S3.uploadPart, input, RequestBody(bytes), s3.call()).0
  }

  @discardableResult
  private func complete(
    _ s3: S3Fixture, _ id: String, _ parts: [(Int, String?)],
    _ configure: (inout S3.CompleteMultipartUploadRequest) -> Void = { _ in }
  ) async throws -> S3.CompleteMultipartUploadOutput {
    try await s3.run(S3.completeMultipartUpload) {
      ($0.bucket, $0.key, $0.uploadId) = ("shop", "big", id)
      $0.multipartUpload = .make {
        $0.parts = parts.map { number, etag in
          .make {
            $0.partNumber = number
            $0.eTag = etag
          }
        }
      }
      configure(&$0)
    }
  }

  @Test(
    "parts become one object, whose checksum is that of the whole or of the parts",
    arguments: [
      (nil, nil), ("CRC32", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", nil), ("CRC32", nil),
      ("SHA256", nil),
    ] as [(String?, String?)])
  func whole(_ algorithm: String?, _ type: String?) async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let id = try await begin(s3, algorithm, type)
      var named: [(Int, String?)] = []
      for (index, part) in Self.parts.enumerated() {
        named.append((index + 1, try await upload(s3, id, index + 1, part).eTag))
      }
      let done = try await complete(s3, id, named)
      #expect(done.eTag?.hasSuffix("-2\"") == true)
      let all = Self.parts.flatMap { $0 }
      let got = try await s3.get("big") { $0.checksumMode = "ENABLED" }
      #expect(got.bytes == all)
      #expect(got.head.contentType == "video/mp4")
      let used = try #require(ChecksumAlgorithm(rawValue: algorithm ?? "CRC64NVME"))
      let values: [String: String?] = [
        "CRC32": got.head.checksumCRC32, "CRC32C": got.head.checksumCRC32C, "CRC64NVME": got.head.checksumCRC64NVME,
        "SHA256": got.head.checksumSHA256,
      ]
      if got.head.checksumType == "FULL_OBJECT" {
        #expect(values[used.rawValue] == Checksum.base64(all, used))
      } else {
        var composite = Checksum(used)
        for part in Self.parts { composite.update(Base64.decode(Checksum.base64(part, used)) ?? []) }
        #expect(values[used.rawValue] == composite.base64 + "-2")
      }
      let second = try await s3.get("big") { $0.partNumber = 2 }
      #expect(second.bytes == Self.parts[1])
      #expect(second.head.partsCount == 2)
      #expect(second.head.contentRange == "bytes \(5 << 20)-\(all.count - 1)/\(all.count)")
      let attributes = try await s3.run(S3.getObjectAttributes) {
        ($0.bucket, $0.key, $0.objectAttributes) = ("shop", "big", ["ObjectParts", "ObjectSize", "ETag"])
      }
      #expect(attributes.objectSize == all.count)
      #expect(attributes.objectParts?.parts?.compactMap(\.size) == Self.parts.map(\.count))
    }
  }

  @Test("wrong parts, orders, sizes and checksums are refused, and the upload goes on")
  func refusals() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let id = try await begin(s3, "CRC32", "FULL_OBJECT")
      let small = try await upload(s3, id, 1, [1, 2, 3]).eTag
      let last = try await upload(s3, id, 2, [4, 5, 6]).eTag
      #expect(await s3.failure { try await complete(s3, id, [(1, small), (2, last)]) }?.code == "EntityTooSmall")
      #expect(await s3.failure { try await complete(s3, id, [(2, last), (1, small)]) }?.code == "InvalidPartOrder")
      #expect(await s3.failure { try await complete(s3, id, [(3, last)]) }?.code == "InvalidPart")
      #expect(await s3.failure { try await complete(s3, id, []) }?.code == "MalformedXML")
      #expect(
        await s3.failure { try await complete(s3, id, [(2, last)]) { $0.checksumCRC32 = "AAAAAA==" } }?.code
          == "BadDigest")
      #expect(
        await s3.failure { try await upload(s3, id, 3, [1]) { $0.checksumSHA256 = "x" } }?.code == "InvalidRequest")
      #expect(await s3.failure { try await upload(s3, "none", 1, [1]) }?.code == "NoSuchUpload")
      #expect(await s3.failure { try await upload(s3, id, 10_001, [1]) }?.code == "InvalidArgument")
      try await complete(s3, id, [(2, last)])
      #expect(try await s3.get("big").bytes == [4, 5, 6])
    }
  }

  @Test("parts may be ranges of other objects; uploads and parts are listed, and aborted")
  func copiesAndLists() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.put("source", "0123456789")
      let id = try await begin(s3)
      let part = try await s3.run(S3.uploadPartCopy) {
        ($0.bucket, $0.key, $0.uploadId, $0.partNumber) = ("shop", "big", id, 1)
        $0.copySource = "shop/source"
        $0.copySourceRange = "bytes=2-5"
      }
      let parts = try await s3.run(S3.listParts) { ($0.bucket, $0.key, $0.uploadId) = ("shop", "big", id) }
      #expect(parts.parts?.first?.size == 4)
      let uploads = try await s3.run(S3.listMultipartUploads) { $0.bucket = "shop" }
      #expect(uploads.uploads?.compactMap(\.uploadId) == [id])
      try await complete(s3, id, [(1, part.copyPartResult?.eTag)])
      #expect(try await s3.text("big") == "2345")
      let other = try await begin(s3)
      try await s3.run(S3.abortMultipartUpload) { ($0.bucket, $0.key, $0.uploadId) = ("shop", "big", other) }
      #expect(try await s3.run(S3.listMultipartUploads) { $0.bucket = "shop" }.uploads?.isEmpty == true)
    }
  }
}
