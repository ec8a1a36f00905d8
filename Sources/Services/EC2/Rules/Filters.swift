// The filters of the Describe operations: names with values, `*` and `?` as wildcards, tags by key.

import AWSCore
import EC2Model

struct Filters: Sendable {
  let filters: [EC2.Filter]

  init(_ filters: [EC2.Filter]?) { self.filters = filters ?? [] }

  /// Whether a resource with these fields and tags passes all filters.
  /// - Throws: `InvalidParameterValue` for a filter that the operation does not know.
  func pass(_ fields: [String: [String]], tags: [String: String]) throws -> Bool {
    // All of them, so that an unknown one is an error behind one that lets nothing pass, too.
    var passes = true
    for filter in filters {
      guard let name = filter.name else { throw EC2Error.missing("Filter.Name") }
      let wanted = filter.values ?? []
      let found: [String]
      if name.hasPrefix("tag:") {
        found = tags[String(name.dropFirst(4))].map { [$0] } ?? []
      } else if name == "tag-key" {
        found = Array(tags.keys)
      } else if name == "tag-value" {
        found = Array(tags.values)
      } else if let known = fields[name] {
        found = known
      } else {
        throw AWSError("InvalidParameterValue", "The filter '\(name)' is invalid")
      }
      if !found.contains(where: { value in wanted.contains { Self.matches(value, $0) } }) { passes = false }
    }
    return passes
  }

  /// `*` stands for any characters, `?` for one.
  static func matches(_ text: String, _ pattern: String) -> Bool {
    let t = Array(text.utf8)
    let p = Array(pattern.utf8)
    var i = 0
    var j = 0
    var star = -1
    var mark = 0
    while i < t.count {
      if j < p.count, p[j] == UInt8(ascii: "*") {
        star = j
        mark = i
        j += 1
      } else if j < p.count, p[j] == UInt8(ascii: "?") || p[j] == t[i] {
        i += 1
        j += 1
      } else if star >= 0 {
        j = star + 1
        mark += 1
        i = mark
      } else {
        return false
      }
    }
    while j < p.count, p[j] == UInt8(ascii: "*") { j += 1 }
    return j == p.count
  }
}

extension Dictionary where Key == String, Value == String {
  /// As EC2 answers tags.
  var ec2: [EC2.Tag] {
    sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  /// The tags that TagSpecifications give a resource type.
  init(_ specifications: [EC2.TagSpecification]?, for type: String) {
    self = [:]
    for specification in specifications ?? [] where specification.resourceType == type {
      for tag in specification.tags ?? [] { self[tag.key ?? ""] = tag.value ?? "" }
    }
  }
}
