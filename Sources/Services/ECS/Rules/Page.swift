// Paging: a token is the base64 of the last id that was told.

import AWSCore
import FoundationEssentials

/// One page of a list.
struct Page<Item> {
  var items: [Item]
  /// The token of the next page; nil on the last.
  var next: String?

  /// - Parameter all: in the order of the list; `id` is unique in it.
  /// - Throws: `InvalidParameterException`.
  init(_ all: [Item], limit: Int, token: String?, id: (Item) -> String) throws {
    var rest = all[...]
    if let token, !token.isEmpty {
      guard let data = Data(base64Encoded: token) else { throw ECSError.invalidToken }
      let last = String(decoding: data, as: UTF8.self)
      guard let at = all.firstIndex(where: { id($0) == last }) else { throw ECSError.invalidToken }
      rest = all[(at + 1)...]
    }
    items = Array(rest.prefix(min(max(1, limit), 100)))
    if rest.count > items.count, let last = items.last { next = Data(id(last).utf8).base64EncodedString() }
  }
}
