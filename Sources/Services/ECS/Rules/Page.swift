// Paging by tokens.

import ServiceKit

extension Page {
  /// - Parameter all: in the order of the list; `id` is unique in it.
  /// - Throws: `InvalidParameterException`.
  init(_ all: [Item], limit: Int, token: String?, id: (Item) -> String) throws {
    try self.init(listed: all, after: token, limit: min(limit, 100), id: id, invalid: ECSError.invalidToken)
  }
}
