// Limits of S3.

/// AWS's quotas.
enum S3Limits {
  static let keyBytesMax = 1024
  /// Of one PutObject, UploadPart or copy.
  static let objectBytesMax = 5 << 30
  static let partBytesMin = 5 << 20
  static let metadataBytesMax = 2048
  static let objectTagsMax = 10
  static let bucketTagsMax = 50
  static let policyBytesMax = 20 * 1024
  static let pageMax = 1000
  static let deletesMax = 1000
  static let lifecycleRulesMax = 1000
  static let corsRulesMax = 100
  static let bucketsPageMax = 10_000
  /// How long, in seconds, a bucket key may be used without asking KMS again.
  static let bucketKeySeconds = 300.0
  /// How many bucket keys are kept in memory.
  static let bucketKeysMax = 2000
  /// How often lifecycle rules are looked at, in seconds. AWS does it once a day.
  static let lifecycleSeconds = 3600.0
}
