// Names and ARNs, as callers give them.

import AWSCore
import ServiceKit

enum Names {
  /// Letters, digits, `-` and `_`, up to 255.
  static func isValid(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 255
      && name.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
          || $0 == UInt8(ascii: "_")
      }
  }

  /// A cluster's name from a name or ARN; `default` when none is given.
  static func cluster(_ text: String?) -> String {
    guard let text, !text.isEmpty else { return "default" }
    return last(text, kind: "cluster")
  }

  /// A service's cluster (when the text says it) and name, from a name or an ARN in the short or long format.
  static func service(_ text: String) -> (cluster: String?, name: String) { pair(text, kind: "service") }

  /// A task's cluster (when the text says it) and id.
  static func task(_ text: String) -> (cluster: String?, id: String) { pair(text, kind: "task") }

  private static func pair(_ text: String, kind: String) -> (String?, String) {
    guard text.hasPrefix("arn:") else { return (nil, text) }
    let parts = (ARN(text)?.resource ?? text).split(separator: "/").map(String.init)
    if parts.count >= 3, parts[0] == kind { return (parts[1], parts[2]) }
    return (nil, parts.last ?? text)
  }

  private static func last(_ text: String, kind: String) -> String {
    guard text.hasPrefix("arn:") else { return text }
    return text.split(separator: "/").last.map(String.init) ?? text
  }

  /// `family`, `family:revision` or an ARN of it. Nil when it cannot be one.
  static func taskDefinition(_ text: String) -> (family: String, revision: Int?)? {
    var name = text
    if text.hasPrefix("arn:") {
      guard let resource = ARN(text)?.resource, resource.hasPrefix("task-definition/") else { return nil }
      name = String(resource.dropFirst("task-definition/".count))
    }
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, Names.isValid(String(parts[0])) else { return nil }
    if parts.count == 1 { return (name, nil) }
    guard let revision = Int(parts[1]), revision > 0 else { return nil }
    return (String(parts[0]), revision)
  }
}

extension CallContext {
  func ecs(_ resource: String) -> String { arn("ecs", resource) }
}
