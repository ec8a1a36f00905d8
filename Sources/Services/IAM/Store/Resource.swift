// What all things of IAM have in common: a name or ARN that finds them, an ARN, tags.

import AWSCore
import Store

/// A thing of IAM that operations and policies name.
protocol Resource: Record {
  /// The record's id for what an operation names it by.
  static func recordID(for reference: String) -> String
  /// The record is what is meant (an ARN has a path, which must be right).
  func isMeant(by reference: String, _ scope: Scope) -> Bool
  static func missing(_ reference: String) -> AWSError
  func arn(_ scope: Scope) -> String
  /// The ARN of one that does not exist, for IAM to decide about.
  static func arn(for reference: String, path: String, _ scope: Scope) -> String
  var tags: [String: String] { get }
}

extension Resource {
  func isMeant(by reference: String, _ scope: Scope) -> Bool { true }
}

/// A resource that has tags.
protocol Tagged: Resource {
  var tags: [String: String] { get set }
}

/// A resource with a name of its own in the account. Names differ by more than case.
protocol Named: Resource {
  /// `user` in `arn:aws:iam::123456789012:user/path/name`.
  static var arnType: String { get }
  var name: String { get }
  /// `/`, or `/a/b/`.
  var path: String { get }
  /// `AIDA…`.
  var id: String { get }
  var created: Timestamp { get }
}

extension Named {
  var recordID: String { Self.recordID(for: name) }
  static func recordID(for reference: String) -> String { reference.lowercased() }
  func arn(_ scope: Scope) -> String { Self.arn(for: name, path: path, scope) }
  static func arn(for reference: String, path: String, _ scope: Scope) -> String {
    "arn:aws:iam::\(scope.account):\(arnType)\(path.hasPrefix("/") ? path : "/")\(reference)"
  }
}

/// Policies that an identity holds.
struct HeldPolicies: Codable, Sendable, Hashable {
  /// Name → text.
  var inline: [String: String] = [:]
  /// ARNs of managed policies.
  var attached: [String] = []
  /// The ARN of the permissions boundary.
  var boundary: String?

  /// Finds the holders of a policy.
  var index: [String: String] {
    var index: [String: String] = [:]
    for arn in attached { index[Self.attachedIndex(arn)] = "1" }
    if let boundary { index[Self.boundaryIndex(boundary)] = "1" }
    return index
  }

  static func attachedIndex(_ arn: String) -> String { "attached:\(arn)" }
  static func boundaryIndex(_ arn: String) -> String { "boundary:\(arn)" }
}

/// A user, group or role.
protocol PolicyHolder: Named {
  var policies: HeldPolicies { get set }
  /// Characters of all inline policies together.
  static var inlinePolicySize: Int { get }
  /// AWS alone may change it.
  var isProtected: Bool { get }
}

extension PolicyHolder {
  var isProtected: Bool { false }
}

extension Snapshot {
  /// The resource with that name or ARN.
  /// - Throws: NoSuchEntity in the resource's words.
  func require<R: Resource>(_ type: R.Type, _ scope: Scope, _ reference: String) throws -> R {
    guard let found = try get(type, scope, R.recordID(for: reference)), found.isMeant(by: reference, scope) else {
      throw R.missing(reference)
    }
    return found
  }

  /// A user, group or role that may be changed.
  func requireChangeable<R: PolicyHolder>(_ type: R.Type, _ scope: Scope, _ name: String) throws -> R {
    let found = try require(type, scope, name)
    guard !found.isProtected else { throw AWSError.unmodifiable(role: found.name) }
    return found
  }
}
