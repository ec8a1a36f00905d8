// Lists in pages: `Marker` is the last name of the page before, in base64.

import AWSCore
import FoundationEssentials

/// One page of a list.
struct Page<Item: Sendable>: Sendable {
  var items: [Item]
  /// Nil on the last page.
  var marker: String?
  var isTruncated: Bool { marker != nil }

  /// - Parameters:
  ///   - all: in any order; told apart by `key`.
  ///   - maxItems: 100 when nothing is said, as on AWS.
  /// - Throws: ValidationError for a marker that IAM never gave.
  init(_ all: [Item], marker: String?, maxItems: Int?, key: (Item) -> String) throws {
    var sorted = all.map { (key($0), $0) }.sorted { $0.0 < $1.0 }
    if let marker {
      guard let data = Data(base64Encoded: marker), let last = String(data: data, encoding: .utf8) else {
        throw AWSError.validationError("Invalid Marker.")
      }
      sorted.removeAll { $0.0 <= last }
    }
    let limit = min(max(maxItems ?? 100, 1), 1000)
    items = sorted.prefix(limit).map(\.1)
    self.marker = sorted.count > limit ? Data(sorted[limit - 1].0.utf8).base64EncodedString() : nil
  }
}
