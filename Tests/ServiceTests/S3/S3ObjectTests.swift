// Objects: put, get, conditions, checksums, copies, deletions, lists.

import AWSCore
import Crypto
import Foundation
import S3Model
import ServiceKit
import Testing

@testable import S3Service

@Suite("S3: objects") struct S3ObjectTests {
  @Test("an object comes back with its bytes, headers and metadata")
  func roundTrip() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let put = try await s3.put("dir/hello world.txt", "hello") {
        $0.contentType = "text/plain"
        $0.contentEncoding = "gzip,aws-chunked"
        $0.cacheControl = "no-store"
        $0.metadata = ["color": "blue"]
        $0.tagging = "a=1&b=two%20words"
      }
      #expect(put.eTag == "\"5d41402abc4b2a76b9719d911017c592\"")
      #expect(put.serverSideEncryption == "AES256")
      #expect(put.checksumCRC64NVME != nil)
      #expect(put.versionId == nil)
      let got = try await s3.get("dir/hello world.txt") { $0.checksumMode = "ENABLED" }
      #expect(String(decoding: got.bytes, as: UTF8.self) == "hello")
      #expect(got.head.contentType == "text/plain")
      #expect(got.head.contentEncoding == "gzip")
      #expect(got.head.cacheControl == "no-store")
      #expect(got.head.metadata == ["color": "blue"])
      #expect(got.head.tagCount == 2)
      #expect(got.head.contentLength == 5)
      #expect(got.head.checksumCRC64NVME == put.checksumCRC64NVME)
      let overridden = try await s3.get("dir/hello world.txt") { $0.responseContentType = "image/png" }
      #expect(overridden.head.contentType == "image/png")
      let head = try await s3.run(S3.headObject) { ($0.bucket, $0.key) = ("shop", "dir/hello world.txt") }
      #expect(head.contentLength == 5)
      #expect(head.eTag == put.eTag)
      let tags = try await s3.run(S3.getObjectTagging) { ($0.bucket, $0.key) = ("shop", "dir/hello world.txt") }
      #expect(tags.tagSet?.map(\.value) == ["1", "two words"])
      let missing = await s3.failure { try await s3.get("none") }
      #expect(missing?.code == "NoSuchKey")
      #expect(missing?.fields["Key"] == "none")
    }
  }

  @Test("what lies on the disk is not what was put")
  func encryptedOnDisk() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let marker = "the quick brown fox jumps over the lazy dog"
      try await s3.put("small", marker)
      try await s3.put("large", String(repeating: marker, count: 2000))
      #expect(try await s3.text("large").count == marker.count * 2000)
      let folder = s3.harness.directory + "/s3"
      let files = FileManager.default.enumerator(atPath: folder)
      var seen = 0
      while let name = files?.nextObject() as? String {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { continue }
        seen += 1
        #expect(data.range(of: Data(marker.utf8)) == nil, "\(name)")
      }
      #expect(seen > 0)
    }
  }

  @Test("checksums and Content-MD5 are compared, and a wrong one leaves no object")
  func checksums() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      // CRC-32 of "123456789" is cbf43926, of CRC-32C e3069283.
      try await s3.put("a", "123456789") { $0.checksumCRC32 = "y/Q5Jg==" }
      try await s3.put("a", "123456789") { $0.checksumCRC32C = "4waSgw==" }
      let md5 = Data(Insecure.MD5.hash(data: Array("123456789".utf8))).base64EncodedString()
      try await s3.put("a", "123456789") { $0.contentMD5 = md5 }
      let wrong = await s3.failure { try await s3.put("b", "1234567890") { $0.checksumCRC32 = "y/Q5Jg==" } }
      #expect(wrong?.code == "BadDigest")
      #expect(await s3.failure { try await s3.put("b", "other") { $0.contentMD5 = md5 } }?.code == "BadDigest")
      #expect(
        await s3.failure { try await s3.put("b", "other") { $0.contentMD5 = "nonsense" } }?.code == "InvalidDigest")
      #expect(await s3.failure { try await s3.put("b", "x") { $0.checksumSHA256 = "AAAA" } }?.code == "InvalidRequest")
      #expect(try await s3.keys() == ["a"])
    }
  }

  @Test("a checksum in a trailer is compared once the body is read")
  func trailers() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      for (value, fails) in [("y/Q5Jg==", false), ("AAAAAA==", true)] {
        let body = RequestBody(length: 9, trailers: { ["x-amz-checksum-crc32": value] }) {
          var rest: [UInt8]? = Array("123456789".utf8)
          return RequestBody.AsyncIterator {
            defer { rest = nil }
            return rest
          }
        }
        let input = S3.PutObjectRequest.make {
          ($0.bucket, $0.key, $0.checksumAlgorithm) = ("shop", "a", "CRC32")
        }
        let error = await s3.failure { try await s3.dispatcher.invokeStreaming(S3.putObject, input, body, s3.call()).0 }
        #expect((error?.code == "BadDigest") == fails)
      }
    }
  }

  @Test(
    "ranges are cut as RFC 9110 says",
    arguments: [
      ("bytes=0-3", "0123"), ("bytes=5-", "56789"), ("bytes=-3", "789"), ("bytes=8-100", "89"),
      ("bytes=-100", "0123456789"),
      ("lines=1-2", "0123456789"), ("bytes=1-2,4-5", "0123456789"),
    ])
  func ranges(_ range: String, _ expected: String) async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.put("digits", "0123456789")
      #expect(try await s3.text("digits") { $0.range = range } == expected)
      let beyond = await s3.failure { try await s3.get("digits") { $0.range = "bytes=10-" } }
      #expect(beyond?.status == 416)
      #expect(beyond?.code == "InvalidRange")
    }
  }

  @Test("conditions of reads and writes hold")
  func conditions() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let etag = try await s3.put("a", "1") { $0.ifNoneMatch = "*" }.eTag
      let exists = await s3.failure { try await s3.put("a", "2") { $0.ifNoneMatch = "*" } }
      #expect(exists?.status == 412)
      #expect(exists?.fields["Condition"] == "If-None-Match")
      #expect(await s3.failure { try await s3.put("a", "2") { $0.ifMatch = "\"other\"" } }?.status == 412)
      #expect(await s3.failure { try await s3.put("none", "2") { $0.ifMatch = etag } }?.code == "NoSuchKey")
      #expect(try await s3.text("a") { $0.ifMatch = etag } == "1")
      #expect(await s3.failure { try await s3.get("a") { $0.ifNoneMatch = etag } }?.status == 304)
      #expect(await s3.failure { try await s3.get("a") { $0.ifMatch = "\"x\"" } }?.status == 412)
      let now = s3.clock.now
      #expect(await s3.failure { try await s3.get("a") { $0.ifModifiedSince = now } }?.status == 304)
      #expect(try await s3.text("a") { $0.ifUnmodifiedSince = now } == "1")
      #expect(
        await s3.failure { try await s3.get("a") { $0.ifUnmodifiedSince = now.adding(days: -1) } }?.status == 412)
      try await s3.put("a", "2") { $0.ifMatch = etag }
      #expect(try await s3.text("a") == "2")
    }
  }

  @Test("copies take over or replace metadata and tags, and say what they refuse")
  func copies() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.bucket("other")
      let text = String(repeating: "x", count: 100_000)
      try await s3.put("a b", text) {
        $0.metadata = ["k": "v"]
        $0.tagging = "t=1"
        $0.contentType = "text/plain"
      }
      func copy(_ configure: (inout S3.CopyObjectRequest) -> Void) async throws -> S3.CopyObjectOutput {
        try await s3.run(S3.copyObject) {
          ($0.bucket, $0.key, $0.copySource) = ("other", "c", "shop/a%20b")
          configure(&$0)
        }
      }
      _ = try await copy { _ in }
      let first = try await s3.get("c", bucket: "other")
      #expect(first.bytes.count == text.count)
      #expect(first.head.metadata == ["k": "v"])
      #expect(first.head.tagCount == 1)
      _ = try await copy {
        $0.metadataDirective = "REPLACE"
        $0.taggingDirective = "REPLACE"
        $0.metadata = ["new": "1"]
      }
      let second = try await s3.get("c", bucket: "other")
      #expect(second.head.metadata == ["new": "1"])
      #expect(second.head.tagCount == nil)
      let summed = try await copy { $0.checksumAlgorithm = "SHA256" }
      #expect(summed.copyObjectResult?.checksumSHA256 != nil)
      #expect(try await s3.get("c", bucket: "other").bytes.count == text.count)
      let itself = await s3.failure {
        try await s3.run(S3.copyObject) { ($0.bucket, $0.key, $0.copySource) = ("shop", "a b", "/shop/a%20b") }
      }
      #expect(itself?.code == "InvalidRequest")
      #expect(await s3.failure { try await copy { $0.copySource = "shop/none" } }?.code == "NoSuchKey")
      #expect(await s3.failure { try await copy { $0.copySourceIfMatch = "\"x\"" } }?.status == 412)
      #expect(await s3.failure { try await copy { $0.copySource = "nonsense" } }?.code == "InvalidArgument")
      // The source may go: the copy shares its content, and keeps it.
      try await s3.run(S3.deleteObject) { ($0.bucket, $0.key) = ("shop", "a b") }
      #expect(try await s3.get("c", bucket: "other").bytes.count == text.count)
    }
  }

  @Test("versions are kept, hidden by delete markers, listed and removed")
  func versions() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket(versioning: true)
      let first = try await s3.put("a", "1").versionId
      let second = try await s3.put("a", "2").versionId
      #expect(first != second)
      #expect(try await s3.text("a") == "2")
      #expect(try await s3.text("a") { $0.versionId = first } == "1")
      let marker = try await s3.run(S3.deleteObject) { ($0.bucket, $0.key) = ("shop", "a") }
      #expect(marker.deleteMarker == true)
      #expect(await s3.failure { try await s3.get("a") }?.code == "NoSuchKey")
      #expect(await s3.failure { try await s3.get("a") { $0.versionId = marker.versionId } }?.status == 405)
      #expect(await s3.failure { try await s3.get("a") { $0.versionId = "short" } }?.code == "InvalidArgument")
      let list = try await s3.run(S3.listObjectVersions) { $0.bucket = "shop" }
      #expect(list.versions?.compactMap(\.versionId) == [second, first].compactMap { $0 })
      #expect(list.deleteMarkers?.first?.isLatest == true)
      let page = try await s3.run(S3.listObjectVersions) {
        $0.bucket = "shop"
        $0.maxKeys = 1
      }
      #expect(page.isTruncated == true)
      let rest = try await s3.run(S3.listObjectVersions) {
        $0.bucket = "shop"
        $0.keyMarker = page.nextKeyMarker
        $0.versionIdMarker = page.nextVersionIdMarker
      }
      #expect(rest.versions?.count == 2)
      try await s3.run(S3.deleteObject) { ($0.bucket, $0.key, $0.versionId) = ("shop", "a", marker.versionId) }
      #expect(try await s3.text("a") == "2")
    }
  }

  @Test("many keys are deleted in one request, quietly or told")
  func deleteMany() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      for key in ["a", "b", "c"] { try await s3.put(key, key) }
      func delete(_ keys: [String], quiet: Bool) async throws -> S3.DeleteObjectsOutput {
        try await s3.run(S3.deleteObjects) {
          $0.bucket = "shop"
          $0.delete = .make {
            $0.quiet = quiet
            $0.objects = keys.map { key in .make { $0.key = key } }
          }
        }
      }
      #expect(try await delete(["a", "none"], quiet: false).deleted?.compactMap(\.key) == ["a", "none"])
      #expect(try await delete(["b"], quiet: true).deleted?.isEmpty == true)
      let conditional = try await s3.run(S3.deleteObjects) {
        $0.bucket = "shop"
        $0.delete = .make {
          $0.objects = [
            .make {
              $0.key = "c"
              $0.eTag = "\"other\""
            }
          ]
        }
      }
      #expect(conditional.errors?.first?.code == "PreconditionFailed")
      #expect(try await s3.keys() == ["c"])
    }
  }

  @Test("lists go by prefix, delimiter and page, and names are encoded when asked for")
  func lists() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      for key in ["a/1", "a/2", "b/1", "c d+e", "z"] { try await s3.put(key, "x") }
      let page = try await s3.run(S3.listObjectsV2) {
        $0.bucket = "shop"
        $0.delimiter = "/"
        $0.encodingType = "url"
      }
      #expect(page.commonPrefixes?.compactMap(\.prefix) == ["a/", "b/"])
      #expect(page.contents?.compactMap(\.key) == ["c%20d%2Be", "z"])
      #expect(page.keyCount == 4)
      #expect(try await s3.keys { $0.prefix = "a/" } == ["a/1", "a/2"])
      #expect(try await s3.keys { $0.startAfter = "b/1" } == ["c d+e", "z"])
      var all: [String] = []
      var token: String?
      repeat {
        let page = try await s3.run(S3.listObjectsV2) {
          $0.bucket = "shop"
          $0.maxKeys = 2
          $0.continuationToken = token
        }
        all += (page.contents ?? []).compactMap(\.key)
        token = page.nextContinuationToken
      } while token != nil
      #expect(all == ["a/1", "a/2", "b/1", "c d+e", "z"])
      let first = try await s3.run(S3.listObjects) {
        $0.bucket = "shop"
        $0.delimiter = "/"
        $0.maxKeys = 1
      }
      #expect(first.nextMarker == "a/")
      let second = try await s3.run(S3.listObjects) {
        $0.bucket = "shop"
        $0.delimiter = "/"
        $0.marker = first.nextMarker
      }
      #expect(second.commonPrefixes?.compactMap(\.prefix) == ["b/"])
      #expect(second.contents?.count == 2)
    }
  }

  @Test("limits and what is not built are told")
  func refusals() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let long = String(repeating: "k", count: 1025)
      #expect(await s3.failure { try await s3.put(long, "x") }?.code == "KeyTooLongError")
      #expect(
        await s3.failure { try await s3.put("a", "x") { $0.metadata = ["k": String(repeating: "v", count: 2048)] } }?
          .code
          == "MetadataTooLarge")
      #expect(await s3.failure { try await s3.put("a", "x") { $0.sseCustomerAlgorithm = "AES256" } }?.status == 501)
      #expect(
        await s3.failure { try await s3.put("a", "x") { $0.storageClass = "FAST" } }?.code == "InvalidStorageClass")
      #expect(
        await s3.failure { try await s3.put("a", "x") { $0.acl = "public-read" } }?.code
          == "AccessControlListNotSupported")
      #expect(await s3.failure { try await s3.put("a", "x", bucket: "none") }?.code == "NoSuchBucket")
      #expect(
        await s3.failure { try await s3.put("a", "x") { $0.expectedBucketOwner = "111111111111" } }?.status == 403)
    }
  }
}
