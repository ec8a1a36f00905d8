// Paging, with ELBv2's limit and its error.

import AWSCore
import ServiceKit

extension Page {
  /// - Throws: `ValidationError` for a marker that was not given out.
  init(_ all: [Item], size: Int?, marker: String?, id: (Item) -> String) throws {
    try self.init(
      listed: all, after: marker, limit: min(max(1, size ?? ELBv2Limits.pageSizeMax), ELBv2Limits.pageSizeMax), id: id,
      invalid: ELBv2Error.validation("The marker '\(marker ?? "")' is not valid"))
  }
}
