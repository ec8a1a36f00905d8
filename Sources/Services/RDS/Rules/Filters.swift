// The filters of the Describe operations. Pure.

import AWSCore
import RDSModel

enum Filters {
  /// Whether something with these fields passes all filters.
  /// - Throws: `InvalidParameterValue` for a filter that the operation does not know.
  static func pass(_ filters: [RDS.Filter]?, _ fields: [String: [String]]) throws -> Bool {
    for filter in filters ?? [] {
      guard let found = fields[filter.name] else {
        throw RDSError.invalid("Unrecognized filter name: \(filter.name)")
      }
      guard found.contains(where: { filter.values.contains($0) }) else { return false }
    }
    return true
  }
}
