// The limits of zonal shifts.

enum ShiftLimits {
  /// Three days.
  static let minutesMax = 72 * 60
  static let pageMax = 100
  /// For how long shifts that ended are listed; AWS does not tell its own time.
  static let memoryDays = 90
}
