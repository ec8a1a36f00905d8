// Paging by markers.

import ServiceKit

extension Page {
  /// A page of a list that is ordered by `id`.
  /// - Throws: `InvalidMarkerException`.
  init(_ all: [Item], limit: Int, marker: String?, id: (Item) -> String) throws {
    try self.init(all, after: marker, limit: limit, place: id, invalid: KMSError.invalidMarker)
  }
}
