// What a service gives to CloudFormation: how to make, change and remove one type of resource.

import AWSCore
import AWSWire

/// A resource as a stack knows it.
public struct ResourceHandle: Sendable, Codable, Hashable {
  /// What `Ref` gives.
  public var physicalID: String
  /// What `Fn::GetAtt` gives, by attribute name (`Endpoint.Address`).
  public var attributes: [String: JSONValue]

  public init(_ physicalID: String, attributes: [String: JSONValue] = [:]) {
    self.physicalID = physicalID
    self.attributes = attributes
  }
}

/// Where a resource stands in its stack.
public struct ResourceContext: Sendable {
  public var stackName: String
  public var stackID: String
  public var logicalID: String
  /// The stack's tags, which each resource that can be tagged takes over, with `aws:cloudformation:*` tags.
  public var tags: [String: String]
  /// The call that the stack makes for whoever asked for it.
  public var call: CallContext
  /// What becomes of the resource when it is removed: `Snapshot` asks for a last copy of its data. `Retain` never comes
  /// to a provider.
  public var deletionPolicy: String?

  public init(stackName: String, stackID: String, logicalID: String, tags: [String: String], call: CallContext) {
    self.stackName = stackName
    self.stackID = stackID
    self.logicalID = logicalID
    self.tags = tags
    self.call = call
  }

  /// A name for a resource whose properties give none: `stack-logicalid-RANDOM`, within a length.
  public func generatedName(maxLength: Int = 255, lowercase: Bool = false) -> String {
    let suffix = call.ids.upperAlphanumeric(12)
    let room = maxLength - suffix.count - 2
    let stack = stackName.prefix(max(1, room / 2))
    let logical = logicalID.prefix(max(1, room - stack.count))
    let name = "\(stack)-\(logical)-\(suffix)"
    return lowercase ? name.lowercased() : name
  }
}

/// One CloudFormation resource type. Making a resource has two steps, so that one that never becomes stable, or whose
/// stack is interrupted, is still known to its stack: `create` returns as soon as the resource is there, `stabilize` when
/// it is stable (available, active). The other closures return when the resource is stable or gone.
public struct ResourceProvider: Sendable {
  /// `AWS::KMS::Key`.
  public var type: String
  /// Properties whose change means a new resource (top-level names).
  public var replacedBy: Set<String>
  /// All properties that are understood; another one is refused. Empty means that the closures check themselves.
  public var properties: Set<String>
  public var create: @Sendable (JSONValue, ResourceContext) async throws -> ResourceHandle
  /// Waits for a made resource, and gives the handle with what is known only then. May be asked again after a restart.
  /// `nil`: what was created is stable.
  public var stabilize: (@Sendable (ResourceHandle, ResourceContext) async throws -> ResourceHandle)?
  /// Old properties, new properties. The handle may keep the physical id or give a new one (then the old is deleted).
  public var update:
    @Sendable (ResourceHandle, _ old: JSONValue, _ new: JSONValue, ResourceContext) async throws -> ResourceHandle
  /// Removing what is gone already is no error.
  public var delete: @Sendable (ResourceHandle, JSONValue, ResourceContext) async throws -> Void

  public init(
    _ type: String, properties: Set<String> = [], replacedBy: Set<String> = [],
    create: @escaping @Sendable (JSONValue, ResourceContext) async throws -> ResourceHandle,
    stabilize: (@Sendable (ResourceHandle, ResourceContext) async throws -> ResourceHandle)? = nil,
    update: (
      @Sendable (ResourceHandle, _ old: JSONValue, _ new: JSONValue, ResourceContext) async throws -> ResourceHandle
    )? = nil,
    delete: @escaping @Sendable (ResourceHandle, JSONValue, ResourceContext) async throws -> Void
  ) {
    self.type = type
    self.properties = properties
    self.replacedBy = replacedBy
    self.create = create
    self.stabilize = stabilize
    self.update =
      update
      ?? { _, _, _, _ in throw AWSError.notImplemented("updating a resource of type \(type) in place") }
    self.delete = delete
  }
}
