// How long a shift lasts, as callers write it.

import AWSCore

enum Expiry {
  /// `90m` or `20h` after a moment.
  /// - Throws: `ValidationException` (`InvalidExpiresIn`) below a minute and above three days.
  static func read(_ text: String, after now: Timestamp) throws(AWSError) -> Timestamp {
    let unit: Int? =
      switch text.last {
      case "m": 1
      case "h": 60
      default: nil
      }
    guard let unit, let number = Int(text.dropLast()), number >= 1, number <= ShiftLimits.minutesMax / unit else {
      throw ShiftError.validation(
        "InvalidExpiresIn",
        "The value '\(text)' of expiresIn must be between 1 minute and 72 hours, such as '90m' or '20h'.")
    }
    return now.adding(seconds: Double(number * unit * 60))
  }
}
