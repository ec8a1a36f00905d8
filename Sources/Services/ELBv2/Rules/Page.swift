// Paging: a marker is the base64 of the last id that was told.

import AWSCore
import FoundationEssentials

/// One page of a list.
struct Page<Item> {
  var items: [Item]
  /// The marker of the next page; nil on the last.
  var next: String?

  /// - Throws: `ValidationError` for a marker that was not given out.
  init(_ all: [Item], size: Int?, marker: String?, id: (Item) -> String) throws {
    var rest = all[...]
    if let marker, !marker.isEmpty {
      guard let data = Data(base64Encoded: marker),
        let at = all.firstIndex(where: { id($0) == String(decoding: data, as: UTF8.self) })
      else { throw ELBv2Error.validation("The marker '\(marker)' is not valid") }
      rest = all[(at + 1)...]
    }
    items = Array(rest.prefix(min(max(1, size ?? ELBv2Limits.pageSizeMax), ELBv2Limits.pageSizeMax)))
    if rest.count > items.count, let last = items.last { next = Data(id(last).utf8).base64EncodedString() }
  }
}
