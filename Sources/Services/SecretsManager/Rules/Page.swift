// Paging by tokens.

import AWSCore
import ServiceKit

extension Page {
  /// A page of a list in the order of `place`, ascending or descending.
  /// - Throws: `InvalidNextTokenException`.
  init(_ all: [Item], ascending: Bool = true, limit: Int, token: String?, place: (Item) -> String) throws {
    let ordered = all.ordered(by: place)
    try self.init(
      ascending ? ordered : ordered.reversed(), after: token, limit: limit, isDescending: !ascending, place: place,
      invalid: SecretsError.invalidNextToken)
  }
}

/// A time as text that sorts like the time; the beginning of time for nil.
func sortable(_ time: Timestamp?) -> String {
  let digits = String(max(0, time?.milliseconds ?? 0))
  return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
}
