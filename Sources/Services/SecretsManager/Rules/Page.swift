// Paging: a token is the base64 of the last item's place in the order.

import AWSCore
import FoundationEssentials

/// One page of a list in the order of `place`, ascending or descending.
struct Page<Item> {
  var items: [Item]
  /// The token of the next page; nil on the last.
  var next: String?

  /// - Throws: `InvalidNextTokenException`.
  init(_ all: [Item], ascending: Bool = true, limit: Int, token: String?, place: (Item) -> String) throws {
    var rest = all.map { (place($0), $0) }.sorted { ascending ? $0.0 < $1.0 : $0.0 > $1.0 }[...]
    if let token {
      guard let data = Data(base64Encoded: token) else { throw SecretsError.invalidNextToken }
      let last = String(decoding: data, as: UTF8.self)
      rest = rest.drop { ascending ? $0.0 <= last : $0.0 >= last }
    }
    let page = rest.prefix(max(1, limit))
    items = page.map(\.1)
    if rest.count > page.count, let last = page.last { next = Data(last.0.utf8).base64EncodedString() }
  }
}

/// A time as text that sorts like the time; the beginning of time for nil.
func sortable(_ time: Timestamp?) -> String {
  let digits = String(max(0, time?.milliseconds ?? 0))
  return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
}
