// KMS's quotas and defaults, as in the service's documentation.

/// Limits of KMS.
enum KMSLimits {
  static let plaintextBytesMax = 4096
  static let randomBytesMax = 1024
  static let tagsMax = 50
  static let descriptionMax = 8192
  static let deletionWindowDays = 7...30
  static let deletionWindowDaysDefault = 30
  static let rotationPeriodDays = 90...2560
  static let rotationPeriodDaysDefault = 365
  static let onDemandRotationsMax = 25
  static let aliasesPerKeyMax = 50
  static let policyBytesMax = 32 * 1024
  /// AWS allows 50,000; a key's grants are one document here.
  static let grantsPerKeyMax = 5_000
  /// How many unsealed keys stay in memory.
  static let materialsInMemoryMax = 2_000
  static let pageDefault = 100
  static let grantsPageDefault = 50
}
