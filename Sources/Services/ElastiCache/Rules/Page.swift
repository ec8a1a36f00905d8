// Paging by markers.

import ServiceKit

extension Page {
  var marker: String? { next }

  /// A page of a list in the order of `place`.
  /// - Throws: `InvalidParameterValue`.
  init(_ all: [Item], limit: Int?, marker: String?, place: (Item) -> String) throws {
    try self.init(
      all.ordered(by: place), after: marker, limit: min(100, limit ?? CacheLimits.pageDefault), place: place,
      invalid: CacheError.invalid("Invalid value for Marker: \(marker ?? "")"))
  }
}
