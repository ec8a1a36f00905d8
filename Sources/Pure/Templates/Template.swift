// A CloudFormation template: its sections, as written.

/// A parsed template. Parsing checks the form of every section and that everything named exists (`TemplateReader`,
/// `TemplateValidator`); functions are resolved later, by `TemplateEvaluator`.
public struct Template: Sendable {
  public var description: String?
  public var metadata: TemplateNode?
  public var parameters: [TemplateParameter] = []
  public var mappings: [Mapping] = []
  public var conditions: [Condition] = []
  public var resources: [Resource] = []
  public var outputs: [Output] = []
  /// The text that was parsed, for `GetTemplate`.
  public let text: String

  /// One member of Mappings: values by top-level key and second-level key.
  public struct Mapping: Sendable {
    public let name: String
    public let entries: TemplateMap
    public let location: SourceLocation
  }

  /// One member of Conditions.
  public struct Condition: Sendable {
    public let name: String
    public let expression: TemplateNode
    public let location: SourceLocation
  }

  /// One member of Resources.
  public struct Resource: Sendable {
    public let logicalId: String
    /// Such as `AWS::S3::Bucket`.
    public let type: String
    /// The map under Properties, functions unresolved; nil when there is none.
    public var properties: TemplateNode?
    public var dependsOn: [String] = []
    public var condition: String?
    public var deletionPolicy: DeletionPolicy?
    public var updateReplacePolicy: DeletionPolicy?
    public var metadata: TemplateNode?
    public let location: SourceLocation
  }

  /// What becomes of a resource that leaves the stack, or is replaced.
  public enum DeletionPolicy: String, Sendable, CaseIterable {
    case delete = "Delete"
    case retain = "Retain"
    case retainExceptOnCreate = "RetainExceptOnCreate"
    case snapshot = "Snapshot"
  }

  /// One member of Outputs.
  public struct Output: Sendable {
    public let name: String
    public let value: TemplateNode
    public var description: String?
    public var condition: String?
    /// The value under `Export: Name:`.
    public var exportName: TemplateNode?
    public let location: SourceLocation
  }

  /// The resource with a logical id.
  public func resource(_ logicalId: String) -> Resource? { resources.first { $0.logicalId == logicalId } }

  /// Reads and checks a template in JSON or YAML.
  /// - Throws: the first fault found, in CloudFormation's words.
  public static func parse(_ text: String) throws(TemplateError) -> Template {
    let root = try parseNode(text)
    let template = try TemplateReader.template(root, text: text)
    try TemplateValidator(template).validate()
    return template
  }

  /// Reads JSON (when the text starts with a brace) or YAML into a tree without asking what it means.
  public static func parseNode(_ text: String) throws(TemplateError) -> TemplateNode {
    guard text.unicodeScalars.first(where: { !$0.properties.isWhitespace && $0 != "\u{FEFF}" }) == "{" else {
      return try YAMLReader.read(text)
    }
    do {
      return try JSONReader.read(text)
    } catch {
      // A YAML flow map starts with a brace too.
      guard let node = try? YAMLReader.read(text), case .map = node.kind else { throw error }
      return node
    }
  }
}
