// What the stack resources of IAM share: reading documents, lists and tags from properties.

import AWSCore
import IAMModel
import ServiceKit

enum StackProperties {
  /// A policy document, which a template writes as an object or as text.
  static func document(_ json: JSONValue?) -> String {
    guard let json else { return "" }
    if case .string(let text) = json { return text }
    return json.description
  }

  static func texts(_ json: JSONValue?) -> [String] {
    guard let json, json != .null else { return [] }
    return (json.array ?? [json]).compactMap(\.text)
  }

  /// Name → text of the `Policies` property.
  static func policies(_ properties: JSONValue) -> [String: String] {
    var result: [String: String] = [:]
    for policy in properties["Policies"]?.array ?? [] {
      if let name = policy["PolicyName"]?.text { result[name] = document(policy["PolicyDocument"]) }
    }
    return result
  }

  /// The resource's tags over those of the stack.
  static func tags(_ properties: JSONValue, _ context: ResourceContext) throws -> [String: String] {
    var tags = context.tags
    for tag in properties["Tags"]?.array ?? [] {
      guard let key = tag["Key"]?.text, let value = tag["Value"]?.text else {
        throw AWSError.validation("Properties validation failed: #/Tags: a tag has a Key and a Value")
      }
      tags[key] = value
    }
    return tags
  }

  /// Adds what a list among the properties names and did not name before.
  static func add(
    _ property: String, _ old: JSONValue, _ new: JSONValue, _ body: (String) async throws -> Void
  ) async throws {
    let held = texts(old[property])
    for name in texts(new[property]) where !held.contains(name) { try await body(name) }
  }

  /// Removes what a list among the properties names no more.
  static func remove(
    _ property: String, _ old: JSONValue, _ new: JSONValue, _ body: (String) async throws -> Void
  ) async throws {
    let wanted = texts(new[property])
    for name in texts(old[property]) where !wanted.contains(name) { try await ignoringMissing { try await body(name) } }
  }

  /// Makes the inline policies those of the `Policies` property.
  static func applyPolicies(
    _ old: JSONValue, _ new: JSONValue, delete: (String) async throws -> Void,
    put: (String, _ document: String) async throws -> Void
  ) async throws {
    let (before, after) = (policies(old), policies(new))
    for (name, _) in before where after[name] == nil { try await ignoringMissing { try await delete(name) } }
    for (name, text) in after where before[name] != text { try await put(name, text) }
  }

  /// Removing what is gone is no error.
  static func ignoringMissing(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as AWSError where error.code == "NoSuchEntity" {}
  }
}
