// Names of secrets, and the six characters behind them in ARNs.

import AWSCore

/// Rules about names.
enum SecretName {
  /// - Throws: `ValidationException`.
  static func check(_ name: String) throws {
    let isPlain = name.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "/_+=.@!-".unicodeScalars.contains($0))
    }
    guard !name.isEmpty, name.count <= SecretsLimits.nameMax, isPlain else {
      throw AWSError.validation(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
    }
  }

  /// The name in an ARN's `NAME-XXXXXX`; nil when the text has not that form.
  static func withoutSuffix(_ text: String) -> String? {
    guard text.utf8.count > 7, text[text.index(text.endIndex, offsetBy: -7)] == "-" else { return nil }
    return String(text.dropLast(7))
  }
}
