// How an object is to be encrypted: what the request says, else what the bucket says.

import AWSCore
import S3Model

/// A kind of server-side encryption.
enum EncryptionChoice: Sendable, Equatable {
  /// SSE-S3: keys sealed by this installation.
  case managed
  /// SSE-KMS. Without a key, AWS's own (`alias/aws/s3`). `context` is as the request gave it, base64 of JSON.
  case kms(key: String?, bucketKey: Bool, context: String?)

  /// A bucket's default; SSE-S3 where none is set, as on AWS.
  init(_ rule: S3.ServerSideEncryptionRule?) {
    if let wanted = rule?.applyServerSideEncryptionByDefault, wanted.sseAlgorithm == "aws:kms" {
      self = .kms(key: wanted.kmsMasterKeyID, bucketKey: rule?.bucketKeyEnabled ?? false, context: nil)
    } else {
      self = .managed
    }
  }

  /// - Throws: `InvalidArgument`, 501 for SSE-C and double encryption.
  init(_ request: some EncryptionRequest, bucket: Bucket) throws {
    if request.sseCustomerAlgorithm != nil || request.sseCustomerKey != nil || request.sseCustomerKeyMD5 != nil {
      throw AWSError.notImplemented("s3: server-side encryption with keys of the customer (SSE-C)")
    }
    switch request.serverSideEncryption {
    case nil, "":
      guard request.ssekmsKeyId == nil else {
        throw S3Error.invalidArgument(
          "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
          "x-amz-server-side-encryption", "null")
      }
      guard case .kms(let key, let bucketKey, _) = bucket.defaultEncryption else {
        self = .managed
        return
      }
      self = .kms(
        key: key, bucketKey: request.bucketKeyEnabled ?? bucketKey, context: request.ssekmsEncryptionContext)
    case "AES256":
      guard request.ssekmsKeyId == nil else {
        throw S3Error.invalidArgument(
          "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
          "x-amz-server-side-encryption", "AES256")
      }
      self = .managed
    case "aws:kms":
      var key = request.ssekmsKeyId
      var bucketKey = request.bucketKeyEnabled ?? false
      if case .kms(let bucketsKey, let bucketsKeyEnabled, _) = bucket.defaultEncryption, key == nil || key == bucketsKey
      {
        key = bucketsKey
        bucketKey = request.bucketKeyEnabled ?? bucketsKeyEnabled
      }
      self = .kms(key: key, bucketKey: bucketKey, context: request.ssekmsEncryptionContext)
    case "aws:kms:dsse": throw AWSError.notImplemented("s3: dual-layer server-side encryption (aws:kms:dsse)")
    case let other?:
      throw S3Error.invalidArgument(
        "The encryption method specified is not supported", "x-amz-server-side-encryption", other)
    }
  }
}
