// What a template's functions may ask of the world around it.

/// The pseudo parameters of one stack, and what the region offers to it.
public struct TemplateContext: Sendable {
  public var accountId: String
  public var region: String
  public var partition: String
  public var urlSuffix: String
  public var stackName: String
  public var stackId: String
  public var notificationARNs: [String]
  /// The availability zones of a region, for `Fn::GetAZs`.
  public var availabilityZones: @Sendable (_ region: String) -> [String]
  /// The value exported under a name, for `Fn::ImportValue`.
  public var exportedValue: @Sendable (_ name: String) -> String?

  public init(
    accountId: String, region: String, partition: String = "aws", urlSuffix: String = "amazonaws.com",
    stackName: String, stackId: String, notificationARNs: [String] = [],
    availabilityZones: @escaping @Sendable (_ region: String) -> [String] = { region in
      ["a", "b", "c"].map { region + $0 }
    },
    exportedValue: @escaping @Sendable (_ name: String) -> String? = { _ in nil }
  ) {
    self.accountId = accountId
    self.region = region
    self.partition = partition
    self.urlSuffix = urlSuffix
    self.stackName = stackName
    self.stackId = stackId
    self.notificationARNs = notificationARNs
    self.availabilityZones = availabilityZones
    self.exportedValue = exportedValue
  }
}

/// What a template asks about a resource of its own.
public enum ResourceQuestion: Sendable, Hashable {
  /// `Ref`: the physical id, or what the type says its `Ref` is.
  case reference(logicalId: String)
  /// `Fn::GetAtt`, such as `Endpoint.Address`.
  case attribute(logicalId: String, name: String)
}

/// Answers a template's questions about its resources; nil when there is no such attribute or the resource is not made
/// yet. To evaluate ahead of making anything, as a change set does, answer `TemplateEvaluator.knownAfterApply`.
public typealias ResourceLookup = @Sendable (ResourceQuestion) -> TemplateValue?

/// A resource with its functions resolved.
public struct EvaluatedResource: Sendable, Hashable {
  public var logicalId: String
  public var type: String
  /// A map; dynamic references (`{{resolve:…}}`) still in it.
  public var properties: TemplateValue
  public var deletionPolicy: Template.DeletionPolicy?
  public var updateReplacePolicy: Template.DeletionPolicy?
  public var metadata: TemplateValue?

  public init(
    logicalId: String, type: String, properties: TemplateValue, deletionPolicy: Template.DeletionPolicy? = nil,
    updateReplacePolicy: Template.DeletionPolicy? = nil, metadata: TemplateValue? = nil
  ) {
    self.logicalId = logicalId
    self.type = type
    self.properties = properties
    self.deletionPolicy = deletionPolicy
    self.updateReplacePolicy = updateReplacePolicy
    self.metadata = metadata
  }
}

/// An output with its functions resolved.
public struct EvaluatedOutput: Sendable, Hashable {
  public let name: String
  public let value: String
  public let description: String?
  public let exportName: String?
}
