// Paging: a marker is the base64 of the last id that was told.

import AWSCore
import FoundationEssentials

/// One page of a list that is ordered by `id`.
struct Page<Item> {
  var items: [Item]
  /// The marker of the next page; nil on the last.
  var next: String?

  /// - Throws: `InvalidMarkerException`.
  init(_ all: [Item], limit: Int, marker: String?, id: (Item) -> String) throws {
    var rest = all[...]
    if let marker {
      guard let data = Data(base64Encoded: marker) else { throw KMSError.invalidMarker }
      let last = String(decoding: data, as: UTF8.self)
      rest = all.drop { id($0) <= last }
    }
    items = Array(rest.prefix(max(1, limit)))
    if rest.count > items.count, let last = items.last { next = Data(id(last).utf8).base64EncodedString() }
  }
}
