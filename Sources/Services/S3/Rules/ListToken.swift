// The opaque tokens of lists.

import AWSCore

/// A continuation token: base64 of the place where the list goes on.
enum ListToken {
  static func write(_ place: String) -> String { Base64.encode(Array(place.utf8)) }

  /// - Throws: `InvalidArgument`.
  static func read(_ token: String) throws -> String {
    guard let bytes = Base64.decode(token), let text = String(validating: bytes, as: UTF8.self) else {
      throw S3Error.invalidArgument("The continuation token provided is incorrect", "continuation-token", token)
    }
    return text
  }
}
