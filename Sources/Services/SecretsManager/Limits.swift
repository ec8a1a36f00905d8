// Secrets Manager's quotas, as in the service's documentation.

/// Limits of Secrets Manager.
enum SecretsLimits {
  static let valueBytesMax = 65_536
  static let nameMax = 512
  static let tagsMax = 50
  static let versionsMax = 100
  static let stagesPerVersionMax = 20
  static let policyBytesMax = 20_480
  static let tokenLength = 32...64
  static let recoveryWindowDays = 7...30
  static let recoveryWindowDaysDefault = 30
  static let passwordLengthMax = 4096
  static let passwordLengthDefault = 32
  static let pageMax = 100
  static let batchMax = 20
}
