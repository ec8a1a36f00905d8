// The opaque tokens of lists.

import AWSCore
import ServiceKit

/// A continuation token: base64 of the place where the list goes on.
enum ListToken {
  static func write(_ place: String) -> String { PageToken.write(place) }

  /// - Throws: `InvalidArgument`.
  static func read(_ token: String) throws -> String {
    guard let place = PageToken.read(token) else {
      throw S3Error.invalidArgument("The continuation token provided is incorrect", "continuation-token", token)
    }
    return place
  }
}
