// What the model's structures have in common, so that each rule is written once.

import AWSCore
import S3Model

/// The checksum members that most requests and answers have.
protocol ChecksumFields {
  var checksumCRC32: String? { get set }
  var checksumCRC32C: String? { get set }
  var checksumCRC64NVME: String? { get set }
  var checksumMD5: String? { get set }
  var checksumSHA1: String? { get set }
  var checksumSHA256: String? { get set }
  var checksumSHA512: String? { get set }
  var checksumXXHASH64: String? { get set }
  var checksumXXHASH3: String? { get set }
  var checksumXXHASH128: String? { get set }
}

extension ChecksumFields {
  /// Algorithm → base64.
  /// - Throws: 501 for algorithms that are not built.
  func knownChecksums() throws -> [String: String] {
    if checksumMD5 != nil || checksumSHA512 != nil || checksumXXHASH64 != nil || checksumXXHASH3 != nil
      || checksumXXHASH128 != nil
    {
      throw AWSError.notImplemented("s3: checksums of MD5, SHA512 and XXHash")
    }
    var values: [String: String] = [:]
    values["CRC32"] = checksumCRC32
    values["CRC32C"] = checksumCRC32C
    values["CRC64NVME"] = checksumCRC64NVME
    values["SHA1"] = checksumSHA1
    values["SHA256"] = checksumSHA256
    return values
  }

  mutating func set(_ checksums: [String: String]) {
    checksumCRC32 = checksums["CRC32"]
    checksumCRC32C = checksums["CRC32C"]
    checksumCRC64NVME = checksums["CRC64NVME"]
    checksumSHA1 = checksums["SHA1"]
    checksumSHA256 = checksums["SHA256"]
  }
}

extension S3.PutObjectRequest: ChecksumFields {}
extension S3.PutObjectOutput: ChecksumFields {}
extension S3.UploadPartRequest: ChecksumFields {}
extension S3.UploadPartOutput: ChecksumFields {}
extension S3.CompleteMultipartUploadRequest: ChecksumFields {}
extension S3.CompleteMultipartUploadOutput: ChecksumFields {}
extension S3.CompletedPart: ChecksumFields {}
extension S3.CopyObjectResult: ChecksumFields {}
extension S3.CopyPartResult: ChecksumFields {}
extension S3.Part: ChecksumFields {}
extension S3.ObjectPart: ChecksumFields {}
extension S3.Checksum: ChecksumFields {}
extension S3.GetObjectOutput: ChecksumFields {}
extension S3.HeadObjectOutput: ChecksumFields {}

/// The members of a request that choose the encryption.
protocol EncryptionRequest {
  var serverSideEncryption: String? { get }
  var ssekmsKeyId: String? { get }
  var ssekmsEncryptionContext: String? { get }
  var bucketKeyEnabled: Bool? { get }
  var sseCustomerAlgorithm: String? { get }
  var sseCustomerKey: String? { get }
  var sseCustomerKeyMD5: String? { get }
}

/// The members of a request that make an object's attributes.
protocol ObjectWriteRequest: EncryptionRequest {
  var acl: String? { get }
  var grantFullControl: String? { get }
  var grantRead: String? { get }
  var grantReadACP: String? { get }
  var grantWriteACP: String? { get }
  var cacheControl: String? { get }
  var contentDisposition: String? { get }
  var contentEncoding: String? { get }
  var contentLanguage: String? { get }
  var contentType: String? { get }
  var expires: String? { get }
  var metadata: [String: String]? { get }
  var objectLockLegalHoldStatus: String? { get }
  var objectLockMode: String? { get }
  var objectLockRetainUntilDate: Timestamp? { get }
  var storageClass: String? { get }
  var tagging: String? { get }
  var websiteRedirectLocation: String? { get }
}

extension S3.PutObjectRequest: ObjectWriteRequest {}
extension S3.CopyObjectRequest: ObjectWriteRequest {}
extension S3.CreateMultipartUploadRequest: ObjectWriteRequest {}

/// The members of an answer that tell the encryption.
protocol EncryptionFields {
  var serverSideEncryption: String? { get set }
  var ssekmsKeyId: String? { get set }
  var bucketKeyEnabled: Bool? { get set }
}

extension EncryptionFields {
  mutating func set(_ envelope: Envelope?) {
    switch envelope {
    case nil: break
    case .managed: serverSideEncryption = "AES256"
    case .kms(let part, _):
      serverSideEncryption = "aws:kms"
      ssekmsKeyId = part.key
      bucketKeyEnabled = part.bucketKey ? true : nil
    }
  }
}

extension S3.PutObjectOutput: EncryptionFields {}
extension S3.CopyObjectOutput: EncryptionFields {}
extension S3.CreateMultipartUploadOutput: EncryptionFields {}
extension S3.CompleteMultipartUploadOutput: EncryptionFields {}
extension S3.UploadPartOutput: EncryptionFields {}
extension S3.UploadPartCopyOutput: EncryptionFields {}
extension S3.GetObjectOutput: EncryptionFields {}
extension S3.HeadObjectOutput: EncryptionFields {}

/// GetObject and HeadObject ask alike …
protocol ObjectReadRequest {
  var bucket: String { get }
  var key: String { get }
  var versionId: String? { get }
  var partNumber: Int? { get }
  var range: String? { get }
  var checksumMode: String? { get }
  var ifMatch: String? { get }
  var ifNoneMatch: String? { get }
  var ifModifiedSince: Timestamp? { get }
  var ifUnmodifiedSince: Timestamp? { get }
  var expectedBucketOwner: String? { get }
  var sseCustomerAlgorithm: String? { get }
  var responseCacheControl: String? { get }
  var responseContentDisposition: String? { get }
  var responseContentEncoding: String? { get }
  var responseContentLanguage: String? { get }
  var responseContentType: String? { get }
  var responseExpires: Timestamp? { get }
}

extension S3.GetObjectRequest: ObjectReadRequest {}
extension S3.HeadObjectRequest: ObjectReadRequest {}

/// … and are answered alike.
protocol ObjectReadAnswer: ChecksumFields, EncryptionFields {
  init()
  var acceptRanges: String? { get set }
  var cacheControl: String? { get set }
  var checksumType: String? { get set }
  var contentDisposition: String? { get set }
  var contentEncoding: String? { get set }
  var contentLanguage: String? { get set }
  var contentLength: Int? { get set }
  var contentRange: String? { get set }
  var contentType: String? { get set }
  var eTag: String? { get set }
  var expires: String? { get set }
  var lastModified: Timestamp? { get set }
  var metadata: [String: String]? { get set }
  var partsCount: Int? { get set }
  var storageClass: String? { get set }
  var tagCount: Int? { get set }
  var versionId: String? { get set }
  var websiteRedirectLocation: String? { get set }
}

extension S3.GetObjectOutput: ObjectReadAnswer {}
extension S3.HeadObjectOutput: ObjectReadAnswer {}
