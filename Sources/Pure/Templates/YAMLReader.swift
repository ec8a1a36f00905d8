// Reads YAML with CloudFormation's short-form tags into nodes.
import Yams

/// CloudFormation's YAML: YAML 1.1 without aliases, `yes` and `no` as plain text, and the tags of its functions.
enum YAMLReader {
  /// The tags without the `Fn::` of their long form.
  private static let functionTags: Set<String> = [
    "Base64", "Cidr", "FindInMap", "GetAtt", "GetAZs", "ImportValue", "Join", "Select", "Split", "Sub", "Transform",
    "And", "Equals", "If", "Not", "Or", "Length", "ToJsonString", "ForEach",
  ]

  /// Reads the one document of a text.
  /// - Throws: `Template format error: YAML not well-formed.` with the place, and errors about tags and aliases.
  static func read(_ text: String) throws(TemplateError) -> TemplateNode {
    let parser: Parser
    let root: Node?
    do {
      // The basic resolver has no rules: scalars are told apart here, by CloudFormation's rules, not YAML's.
      parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      root = try parser.singleRoot()
    } catch {
      throw malformed(error)
    }
    // Nodes hold their anchors weakly: the parser owns them.
    defer { withExtendedLifetime(parser) {} }
    guard let root else { return TemplateNode(.null, at: SourceLocation(line: 1, column: 1)) }
    return try node(root, depth: 0)
  }

  private static func malformed(_ error: any Error) -> TemplateError {
    switch error as? YamlError {
    case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
      let location = SourceLocation(line: mark.line, column: mark.column)
      return .format("YAML not well-formed. (\(location))", at: location)
    case .duplicatedKeysInMapping(let keys, let context):
      let location = SourceLocation(line: context.mark.line, column: context.mark.column)
      return .format("Duplicate key \"\(keys.first ?? "")\" (\(location))", at: location)
    default:
      return .format("YAML not well-formed.")
    }
  }

  private static func location(_ node: Node) -> SourceLocation {
    SourceLocation(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
  }

  private static func node(_ yaml: Node, depth: Int) throws(TemplateError) -> TemplateNode {
    let place = location(yaml)
    guard depth < templateDepthMax else {
      throw .format("Template is nested more than \(templateDepthMax) levels deep.", at: place)
    }
    if yaml.anchor != nil {
      throw .template("YAML aliases are not allowed in CloudFormation templates", at: place)
    }
    let tag = yaml.tag.rawValue
    let plain: TemplateNode
    switch yaml {
    case .scalar(let scalar):
      plain = TemplateNode(kind(scalar, tagged: tag.hasPrefix("!")), at: place)
    case .sequence(let sequence):
      var items: [TemplateNode] = []
      for item in sequence { items.append(try node(item, depth: depth + 1)) }
      plain = TemplateNode(.list(items), at: place)
    case .mapping(let mapping):
      var entries: [TemplateNode.Entry] = []
      for (key, value) in mapping {
        guard case .scalar(let name) = key else {
          throw .format("YAML not well-formed. (\(location(key)))", at: location(key))
        }
        entries.append(
          .init(key: name.string, keyLocation: location(key), value: try node(value, depth: depth + 1)))
      }
      plain = TemplateNode(.map(entries), at: place)
    case .alias:
      throw .template("YAML aliases are not allowed in CloudFormation templates", at: place)
    }
    guard tag.hasPrefix("!"), tag != "!" else { return plain }
    return try tagged(String(tag.dropFirst()), plain)
  }

  private static func tagged(_ tag: String, _ argument: TemplateNode) throws(TemplateError) -> TemplateNode {
    func call(_ name: String, _ argument: TemplateNode) -> TemplateNode {
      TemplateNode(
        .map([.init(key: name, keyLocation: argument.location, value: argument)]), at: argument.location)
    }
    switch tag {
    case "Ref", "Condition":
      return call(tag, argument)
    case "GetAtt":
      // `!GetAtt A.B.C` is the resource A and its attribute `B.C`.
      guard case .string(let dotted) = argument.kind else { return call("Fn::GetAtt", argument) }
      let parts = dotted.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      let items = parts.map { TemplateNode(.string(String($0)), at: argument.location) }
      return call("Fn::GetAtt", TemplateNode(.list(items), at: argument.location))
    case _ where functionTags.contains(tag):
      return call("Fn::" + tag, argument)
    default:
      throw .format("Unsupported YAML tag !\(tag) (\(argument.location))", at: argument.location)
    }
  }

  /// What an unquoted scalar means. Numbers with leading zeros (account ids) and dates are text.
  private static func kind(_ scalar: Node.Scalar, tagged: Bool) -> TemplateNode.Kind {
    guard scalar.style == .plain, !tagged else { return .string(scalar.string) }
    switch scalar.string {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    case let text where isJSONNumber(text): return .number(text)
    default: return .string(scalar.string)
    }
  }
}
