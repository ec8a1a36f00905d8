// Paging by markers.

import AWSCore
import ServiceKit

extension Page {
  var marker: String? { next }
  var isTruncated: Bool { next != nil }

  /// - Parameters:
  ///   - all: in any order; told apart by `key`.
  ///   - maxItems: 100 when nothing is said, as on AWS.
  /// - Throws: ValidationError for a marker that IAM never gave.
  init(_ all: [Item], marker: String?, maxItems: Int?, key: (Item) -> String) throws {
    try self.init(
      all.ordered(by: key), after: marker, limit: min(maxItems ?? 100, 1000), place: key,
      invalid: AWSError.validationError("Invalid Marker."))
  }
}
