// Paging: a marker is the base64 of the last item's place in the order.

import AWSCore
import FoundationEssentials

/// One page of a list in the order of `place`.
struct Page<Item> {
  var items: [Item]
  /// The marker of the next page; nil on the last.
  var marker: String?

  /// - Throws: `InvalidParameterValue`.
  init(_ all: [Item], limit: Int?, marker: String?, place: (Item) -> String) throws {
    var rest = all.map { (place($0), $0) }.sorted { $0.0 < $1.0 }[...]
    if let marker, !marker.isEmpty {
      guard let data = Data(base64Encoded: marker) else {
        throw CacheError.invalid("Invalid value for Marker: \(marker)")
      }
      let last = String(decoding: data, as: UTF8.self)
      rest = rest.drop { $0.0 <= last }
    }
    let page = rest.prefix(min(100, max(1, limit ?? CacheLimits.pageDefault)))
    items = page.map(\.1)
    if rest.count > page.count, let last = page.last { self.marker = Data(last.0.utf8).base64EncodedString() }
  }
}
