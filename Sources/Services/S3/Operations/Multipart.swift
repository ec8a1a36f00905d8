// Multipart uploads: begin, parts, complete, abort.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit
import SigV4

/// What an upload remembers until it is completed, in the notes of its attributes.
struct UploadNotes: Sendable {
  static let names = ["upload.algorithm", "upload.type", "upload.chosen"]
  var algorithm: ChecksumAlgorithm
  var type: String
  /// The caller named the algorithm; else it is S3's own choice, which the answers do not mention.
  var isChosenByCaller: Bool

  init(algorithm: ChecksumAlgorithm, type: String, isChosenByCaller: Bool) {
    self.algorithm = algorithm
    self.type = type
    self.isChosenByCaller = isChosenByCaller
  }

  init(_ notes: [String: String]) {
    algorithm = notes["upload.algorithm"].flatMap(ChecksumAlgorithm.init(rawValue:)) ?? .crc64nvme
    type = notes["upload.type"] ?? "FULL_OBJECT"
    isChosenByCaller = notes["upload.chosen"] != nil
  }

  func write(to notes: inout [String: String]) {
    notes["upload.algorithm"] = algorithm.rawValue
    notes["upload.type"] = type
    notes["upload.chosen"] = isChosenByCaller ? "1" : nil
  }
}

extension S3Service {
  func createMultipartUpload(
    _ input: S3.CreateMultipartUploadRequest, _ call: CallContext
  ) async throws -> S3.CreateMultipartUploadOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    if input.key.utf8.count > S3Limits.keyBytesMax { throw S3Error.keyTooLong(input.key) }
    var attributes = try ObjectHeaders.attributes(input, bucket: bucket)
    let algorithm = try input.checksumAlgorithm.map(StatedChecksums.algorithm)
    if algorithm == nil, input.checksumType != nil {
      throw S3Error.invalidRequest(
        "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
    }
    let notes = UploadNotes(
      algorithm: algorithm ?? .crc64nvme,
      type: try PartChecksums.type(algorithm ?? .crc64nvme, wanted: input.checksumType),
      isChosenByCaller: algorithm != nil)
    notes.write(to: &attributes.notes)
    // One data key for the whole object; each part's blocks have random numbers of their own.
    let choice = try EncryptionChoice(input, bucket: bucket)
    let (_, _, envelope) = try await newDataKey(choice, bucket, input.key, call)
    attributes.encryption = envelope.bytes
    let upload = try await S3Error.translated(bucket: input.bucket, key: input.key) { [attributes] in
      try await objects().createUpload(bucket: input.bucket, key: input.key, attributes: attributes, at: call.now)
    }
    return .make {
      $0.bucket = input.bucket
      $0.key = input.key
      $0.uploadId = upload.uploadID
      $0.checksumAlgorithm = algorithm?.rawValue
      $0.checksumType = algorithm == nil ? nil : notes.type
      $0.set(envelope)
      $0.ssekmsEncryptionContext = input.ssekmsEncryptionContext
    }
  }

  func uploadPart(
    _ input: S3.UploadPartRequest, _ body: RequestBody, _ call: CallContext
  ) async throws -> (S3.UploadPartOutput, ResponseBody?) {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    if input.sseCustomerAlgorithm != nil {
      throw AWSError.notImplemented("s3: server-side encryption with keys of the customer (SSE-C)")
    }
    try Self.checkLength(body, key: input.key)
    let upload = try await upload(input.bucket, input.key, input.uploadId)
    let notes = UploadNotes(upload.attributes.notes)
    let checksums = try StatedChecksums(
      input, chosen: input.checksumAlgorithm, md5: input.contentMD5, fallback: notes.algorithm)
    if notes.isChosenByCaller, checksums.isChosenByCaller, checksums.algorithm != notes.algorithm {
      throw S3Error.invalidRequest(
        "Checksum Type mismatch occurred, expected checksum Type: \(notes.algorithm.rawValue.lowercased()), actual "
          + "checksum Type: \(checksums.algorithm.rawValue.lowercased())")
    }
    let key = try await uploadKey(upload, bucket, call)
    // The part's own checksum, and the one from which the whole object's is made.
    let writer = try await objects().writer(
      digests: checksums.digests.merging([notes.algorithm.rawValue: ChecksumDigest(notes.algorithm)]) { first, _ in
        first
      },
      key: key)
    for try await chunk in body { try await writer.append(chunk) }
    let content = try await writer.finish()
    try checksums.verify(content, trailers: body.trailers())
    let part = try await S3Error.translated(bucket: input.bucket, key: input.key, upload: input.uploadId) {
      try await objects().putPart(
        content, bucket: input.bucket, key: input.key, uploadID: input.uploadId, number: input.partNumber, at: call.now)
    }
    let answer = try S3.UploadPartOutput.make {
      $0.eTag = ETag.quoted(part.etag)
      $0.set(try Envelope(upload.attributes.encryption))
      if checksums.isChosenByCaller || notes.isChosenByCaller {
        let name = checksums.algorithm.rawValue
        $0.set(part.checksums.filter { $0.key == name })
      }
    }
    return (answer, nil)
  }

  func uploadPartCopy(_ input: S3.UploadPartCopyRequest, _ call: CallContext) async throws -> S3.UploadPartCopyOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let (source, from, handle) = try await copySource(
      input.copySource, expectedOwner: input.expectedSourceBucketOwner,
      customerAlgorithm: input.copySourceSSECustomerAlgorithm ?? input.sseCustomerAlgorithm,
      ReadConditions(
        match: input.copySourceIfMatch, noneMatch: input.copySourceIfNoneMatch,
        modifiedSince: input.copySourceIfModifiedSince, unmodifiedSince: input.copySourceIfUnmodifiedSince,
        prefix: "x-amz-copy-source-", isCopy: true))
    let size = handle.record.size
    var range = 0..<size
    if let header = input.copySourceRange {
      guard case .from(let first, let last?)? = ByteRange(header), last < size else {
        throw S3Error.invalidArgument(
          "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            + "zero-based offsets of the first and last bytes to copy", "x-amz-copy-source-range", header)
      }
      range = first..<(last + 1)
    }
    guard range.count <= S3Limits.objectBytesMax else { throw S3Error.tooLarge(range.count) }
    let upload = try await upload(input.bucket, input.key, input.uploadId)
    let notes = UploadNotes(upload.attributes.notes)
    let sourceKey = try await openDataKey(handle.record.attributes.encryption, from, source.key, call)
    let writer = try await objects().writer(
      digests: [notes.algorithm.rawValue: ChecksumDigest(notes.algorithm)], key: uploadKey(upload, bucket, call))
    try await writer.append(contentsOf: handle.body(range, key: sourceKey.map { try DataKey($0) }))
    let content = try await writer.finish()
    let part = try await S3Error.translated(bucket: input.bucket, key: input.key, upload: input.uploadId) {
      try await objects().putPart(
        content, bucket: input.bucket, key: input.key, uploadID: input.uploadId, number: input.partNumber, at: call.now)
    }
    return try .make {
      $0.copyPartResult = .make {
        $0.eTag = ETag.quoted(part.etag)
        $0.lastModified = part.modified.wholeSeconds
        if notes.isChosenByCaller { $0.set(part.checksums) }
      }
      $0.copySourceVersionId = from.record.versioning == .off ? nil : handle.record.versionID
      $0.set(try Envelope(upload.attributes.encryption))
    }
  }

  func completeMultipartUpload(
    _ input: S3.CompleteMultipartUploadRequest, _ call: CallContext
  ) async throws -> S3.CompleteMultipartUploadOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard let named = input.multipartUpload?.parts, !named.isEmpty else { throw S3Error.malformedXML }
    let parts = try named.map { part in
      guard let number = part.partNumber else { throw S3Error.malformedXML }
      return CompletedPart(number: number, etag: part.eTag.map(ETag.bare), checksums: try part.knownChecksums())
    }
    let stated = try input.knownChecksums()
    let condition = try ETag.writeCondition(match: input.ifMatch, noneMatch: input.ifNoneMatch)
    let wantedType = input.checksumType
    let wantedSize = input.mpuObjectSize
    let record = try await S3Error.translated(
      bucket: input.bucket, key: input.key, upload: input.uploadId,
      condition: input.ifNoneMatch == nil ? "If-Match" : "If-None-Match"
    ) {
      try await objects().complete(
        input.uploadId, bucket: input.bucket, key: input.key, parts: parts, minimumPartSize: S3Limits.partBytesMin,
        condition: condition, at: call.now
      ) { attributes, parts in
        let notes = UploadNotes(attributes.notes)
        for name in UploadNotes.names { attributes.notes[name] = nil }
        if let wantedType, wantedType != notes.type, notes.isChosenByCaller {
          throw S3Error.invalidRequest(
            "The upload was created using the \(notes.type) checksum mode. The complete request must use the same "
              + "checksum mode.")
        }
        if let wantedSize, wantedSize != parts.reduce(0, { $0 + $1.size }) {
          throw S3Error.invalidRequest(
            "The provided 'x-amz-mp-object-size' header value does not match what was computed.")
        }
        guard let whole = PartChecksums.whole(parts, notes.algorithm, type: notes.type) else { return }
        if let value = stated[notes.algorithm.rawValue], value != whole {
          throw S3Error.badDigest(notes.algorithm.rawValue, expected: value, computed: whole)
        }
        attributes.checksums = [notes.algorithm.rawValue: whole]
        attributes.checksumType = notes.type
      }
    }
    return try .make {
      $0.bucket = input.bucket
      $0.key = input.key
      $0.location = "\(call.endpoint)/\(input.bucket)/\(PercentEncoding.encode(input.key, keepingSlash: true))"
      $0.eTag = ETag.quoted(record.etag)
      $0.versionId = bucket.record.versioning == .off ? nil : record.versionID
      $0.set(try Envelope(record.attributes.encryption))
      $0.set(record.attributes.checksums)
      $0.checksumType = record.attributes.checksums.isEmpty ? nil : record.attributes.checksumType
    }
  }

  func abortMultipartUpload(
    _ input: S3.AbortMultipartUploadRequest, _ call: CallContext
  ) async throws -> S3.AbortMultipartUploadOutput {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    try await S3Error.translated(bucket: input.bucket, key: input.key, upload: input.uploadId) {
      try await objects().abort(input.uploadId, bucket: input.bucket, key: input.key)
    }
    return S3.AbortMultipartUploadOutput()
  }

  // MARK: -

  private func upload(_ bucket: String, _ key: String, _ id: String) async throws -> UploadRecord {
    try await S3Error.translated(bucket: bucket, key: key, upload: id) {
      try await objects().upload(bucket: bucket, key: key, uploadID: id)
    }
  }

  private func uploadKey(_ upload: UploadRecord, _ bucket: Bucket, _ call: CallContext) async throws -> DataKey {
    guard let key = try await openDataKey(upload.attributes.encryption, bucket, upload.key, call) else {
      throw ObjectStoreError.keyRequired
    }
    return try DataKey(key)
  }
}
