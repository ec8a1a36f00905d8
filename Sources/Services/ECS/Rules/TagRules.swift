// Tags of ECS's resources.

import AWSCore
import ECSModel

enum TagRules {
  /// The tags as a map.
  /// - Throws: `InvalidParameterException` as AWS words it.
  static func map(_ tags: [ECS.Tag]?) throws -> [String: String] {
    var map: [String: String] = [:]
    for tag in tags ?? [] {
      guard let key = tag.key, !key.isEmpty, key.utf16.count <= 128 else {
        throw ECSError.invalid("Tag key is null or empty, or longer than 128 characters.")
      }
      guard (tag.value ?? "").utf16.count <= 256 else {
        throw ECSError.invalid("Tag value is longer than 256 characters.")
      }
      guard map.updateValue(tag.value ?? "", forKey: key) == nil else {
        throw ECSError.invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
      }
    }
    guard map.count <= Limits.tags else {
      throw ECSError.invalid("The maximum number of tags is \(Limits.tags); \(map.count) were given.")
    }
    return map
  }

  static func list(_ map: [String: String]) -> [ECS.Tag] {
    map.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
