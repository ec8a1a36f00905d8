// Rules about names, paths and tags, for calls that the wire's validation does not see (stacks and other services).

import AWSCore
import IAMModel
import ServiceKit

/// Checks that hold for all things with a name.
enum Names {
  /// - Returns: the path, `/` when none is given.
  /// - Throws: ValidationError.
  static func path(_ path: String?) throws -> String {
    guard let path, path != "/" else { return "/" }
    guard path.hasPrefix("/"), path.hasSuffix("/"), path.utf8.count <= 512,
      path.utf8.allSatisfy({ $0 >= 0x21 && $0 <= 0x7e })
    else {
      throw AWSError.validationError(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
      )
    }
    return path
  }

  /// - Parameter what: the member's name, such as `roleName`.
  /// - Throws: ValidationError.
  static func check(_ name: String, _ what: String, max: Int) throws {
    guard !name.isEmpty, name.utf8.count <= max, name.utf8.allSatisfy(isAllowed) else {
      throw AWSError.validationError(
        "The specified value for \(what) is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
      )
    }
  }

  static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    case UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: "."), UInt8(ascii: "@"),
      UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  /// Tags as a new thing gets them.
  /// - Throws: InvalidInput for keys that differ by case only, LimitExceeded.
  static func tags(_ tags: [IAM.Tag]?) throws -> [String: String] { try adding(tags ?? [], to: [:]) }

  /// Tags with others added or changed. Keys are not told apart by case, but kept as first written.
  static func adding(_ new: [IAM.Tag], to tags: [String: String]) throws -> [String: String] {
    guard Set(new.map { $0.key.lowercased() }).count == new.count else {
      throw AWSError.iamInvalidInput(
        "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    }
    var result = tags
    for tag in new {
      for key in result.keys where key != tag.key && key.lowercased() == tag.key.lowercased() { result[key] = nil }
      result[tag.key] = tag.value
    }
    guard result.count <= Limits.tags else {
      throw AWSError("LimitExceeded", "The number of tags has reached the maximum limit.", status: 409)
    }
    return result
  }

  static func list(_ tags: [String: String]) -> [IAM.Tag] {
    tags.sorted { $0.key < $1.key }.map { tag in
      .make {
        $0.key = tag.key
        $0.value = tag.value
      }
    }
  }
}

extension IdentifierSource {
  /// `AROA…`: four letters for the kind and seventeen random ones (IAM User Guide, "IAM identifiers").
  func unique(_ prefix: String) -> String { prefix + upperAlphanumeric(17) }
}
