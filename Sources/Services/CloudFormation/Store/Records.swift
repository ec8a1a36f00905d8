// What CloudFormation keeps: stacks with their resources, events, change sets.

import AWSCore
import ServiceKit
import Store

/// A resource of a stack as it stands.
struct ResourceState: Codable, Sendable, Hashable {
  var logicalID: String
  var type: String
  /// Nil until it was created; the resource is stable when `status` says so.
  var handle: ResourceHandle?
  /// The properties as evaluated, dynamic references unresolved, sealed: parameters that must not be shown are in them.
  var properties: SealedBytes?
  var status: String
  var reason: String?
  var changed: Timestamp
  /// The resources that this one needs.
  var needs: [String]
  var deletionPolicy: String?
  var replacePolicy: String?
  var metadata: String?
}

/// What a stack is made of: a template, the values given to it, and its tags.
struct StackInput: Codable, Sendable, Hashable {
  var template: String
  /// Parameter values, sealed.
  var parameters: SealedBytes
  var tags: [String: String]
  var capabilities: [String]
}

/// Who asked for an operation: the resources are made with this identity.
struct StackCaller: Codable, Sendable, Hashable {
  var kind: String
  var account: String
  var arn: String
  var userID: String
  var roleARN: String?

  init(_ principal: Principal) {
    kind = principal.kind.rawValue
    account = principal.account
    arn = principal.arn
    userID = principal.userID
    roleARN = principal.roleARN
  }

  var principal: Principal {
    Principal(
      kind: Principal.Kind(rawValue: kind) ?? .user, account: account, arn: arn, userID: userID, roleARN: roleARN)
  }
}

/// What a stack is in the middle of. It stands in the store, so that a restarted control plane goes on with it.
struct PendingOperation: Codable, Sendable, Hashable {
  enum Kind: String, Codable, Sendable { case create, rollbackCreate, update, rollbackUpdate, cleanUp, delete }
  var kind: Kind
  /// What an update leads to.
  var target: StackInput?
  /// The resources before an update, which a rollback leads back to.
  var backup: [String: ResourceState] = [:]
  /// Resources that an update replaced or dropped, to be removed when it has succeeded.
  var leftovers: [ResourceState] = []
  /// Replacements that were created and are not yet stable; their predecessors are still what others refer to.
  var begun: [ResourceState] = []
  var retain: [String] = []
  var caller: StackCaller
  /// `DELETE`, `ROLLBACK` or `DO_NOTHING` when creating fails.
  var onFailure = "ROLLBACK"
  var token: String?
}

struct StackOutput: Codable, Sendable, Hashable {
  var name: String
  var value: String
  var description: String?
  var exportName: String?
}

struct StackRecord: Record {
  static let collection = "cloudformation.stack"
  var recordID: String { id }
  var recordIndex: [String: String] { isGone ? [:] : ["name": name] }
  /// The ARN.
  var id: String
  var name: String
  var status: String
  var reason: String?
  var description: String?
  var input: StackInput
  var outputs: [StackOutput] = []
  var imports: [String] = []
  var resources: [String: ResourceState] = [:]
  var created: Timestamp
  var updated: Timestamp?
  var deleted: Timestamp?
  var isProtected = false
  var disablesRollback = false
  var roleARN: String?
  var notificationARNs: [String] = []
  var timeoutMinutes: Int?
  var changeSet: String?
  var pending: PendingOperation?

  var isGone: Bool { status == "DELETE_COMPLETE" }
}

struct StackEventRecord: Record {
  static let collection = "cloudformation.event"
  var recordID: String { id }
  var recordIndex: [String: String] { ["stack": stack] }
  /// Sorts by time.
  var id: String
  var stack: String
  var stackName: String
  var logicalID: String
  var physicalID: String
  var type: String
  var status: String
  var reason: String?
  var time: Timestamp
  var token: String?
}

struct ChangeSetRecord: Record {
  static let collection = "cloudformation.change-set"
  var recordID: String { id }
  var recordIndex: [String: String] { ["stack": stack] }
  var id: String
  var name: String
  var stack: String
  var stackName: String
  var kind: String
  var status: String
  var reason: String?
  var executionStatus: String
  var description: String?
  var input: StackInput
  var changes: [PlannedChange]
  var created: Timestamp
  var onFailure: String?
}

struct PlannedChange: Codable, Sendable, Hashable {
  var action: String
  var logicalID: String
  var physicalID: String?
  var type: String
  var replacement: String?
  var scope: [String]
  var properties: [String]
}
