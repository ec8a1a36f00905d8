// From the tree of a template's text to its sections, checking the form of each.

/// Reads the sections of a template.
/// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
enum TemplateReader {
  private static let sections: Set<String> = [
    "AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs", "Parameters",
    "Resources", "Rules",
  ]

  static func template(_ root: TemplateNode, text: String) throws(TemplateError) -> Template {
    guard let entries = root.entries else { throw .format("unsupported structure.", at: root.location) }
    if let transform = entries.first(where: { $0.key == "Transform" }) {
      throw .validation("Transform is not supported: macros cannot be run here.", at: transform.keyLocation)
    }
    let unknown = entries.filter { !sections.contains($0.key) }
    if let first = unknown.first {
      throw TemplateError(
        "Invalid template property or properties [\(unknown.map(\.key).joined(separator: ", "))]",
        at: first.keyLocation)
    }
    if let rules = entries.first(where: { $0.key == "Rules" }) {
      throw .validation("Rules are not supported here.", at: rules.keyLocation)
    }
    if let version = root["AWSTemplateFormatVersion"], version.scalarText != "2010-09-09" {
      throw .format(
        "Template format version \(version.scalarText ?? "") is not supported. The valid value is 2010-09-09.",
        at: version.location)
    }
    var template = Template(text: text)
    if let description = root["Description"] {
      guard case .string(let words) = description.kind else {
        throw .format("Every Description member must be a string.", at: description.location)
      }
      guard words.utf8.count <= 1024 else {
        throw .format("'Description' length is greater than 1024.", at: description.location)
      }
      template.description = words
    }
    template.metadata = root["Metadata"]
    for entry in try members("Parameters", root) {
      template.parameters.append(try TemplateParameter(named: entry))
    }
    for entry in try members("Mappings", root) { template.mappings.append(try mapping(entry)) }
    for entry in try members("Conditions", root) {
      template.conditions.append(
        .init(name: entry.key, expression: entry.value, location: entry.keyLocation))
    }
    let resources = try members("Resources", root)
    guard !resources.isEmpty else { throw .format("At least one Resources member must be defined.") }
    guard resources.count <= 500 else {
      throw .format("Number of resources, \(resources.count), is greater than maximum allowed, 500")
    }
    for entry in resources { template.resources.append(try resource(entry)) }
    for entry in try members("Outputs", root) { template.outputs.append(try output(entry)) }
    return template
  }

  private static func members(_ section: String, _ root: TemplateNode) throws(TemplateError) -> [TemplateNode.Entry] {
    guard let node = root[section] else { return [] }
    if case .null = node.kind {
      throw TemplateError("[/\(section)] 'null' values are not allowed in templates", at: node.location)
    }
    guard let entries = node.entries else { throw .format("unsupported structure.", at: node.location) }
    for entry in entries where section != "Mappings" || !entry.key.hasPrefix("Fn::") {
      guard !entry.key.isEmpty, entry.key.utf8.allSatisfy(isAlphanumeric) else {
        let kind = section == "Outputs" ? "Output" : String(section.dropLast())
        throw .format("\(kind) name \(entry.key) is non alphanumeric.", at: entry.keyLocation)
      }
    }
    return entries
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
  }

  private static func mapping(_ entry: TemplateNode.Entry) throws(TemplateError) -> Template.Mapping {
    guard let tops = entry.value.entries, !tops.isEmpty else {
      throw .format("Every Mappings member \(entry.key) must be a map", at: entry.value.location)
    }
    for top in tops {
      guard let seconds = top.value.entries else {
        throw .format("Every Mappings attribute must be a String or a List.", at: top.value.location)
      }
      for second in seconds {
        let items = second.value.items ?? [second.value]
        guard items.allSatisfy({ $0.scalarText != nil }) else {
          throw .format("Every Mappings attribute must be a String or a List.", at: second.value.location)
        }
      }
    }
    return .init(name: entry.key, entries: entry.value.value.map ?? TemplateMap(), location: entry.keyLocation)
  }

  private static let resourceAttributes: Set<String> = [
    "Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata",
    "UpdatePolicy", "CreationPolicy",
  ]

  private static func resource(_ entry: TemplateNode.Entry) throws(TemplateError) -> Template.Resource {
    let path = "/Resources/\(entry.key)"
    guard let members = entry.value.entries else {
      throw .format("[\(path)] resource definition is malformed", at: entry.value.location)
    }
    if let unknown = members.first(where: { !resourceAttributes.contains($0.key) }) {
      throw TemplateError("Invalid template resource property '\(unknown.key)'", at: unknown.keyLocation)
    }
    guard let type = entry.value["Type"] else {
      throw .format("[\(path)] Every Resources object must contain a Type member.", at: entry.keyLocation)
    }
    guard case .string(let typeName) = type.kind else {
      throw .format("[\(path)/Type] expected type: String", at: type.location)
    }
    for (key, value) in members.map({ ($0.key, $0.value) }) { try rejectNull(value, "\(path)/\(key)") }
    var resource = Template.Resource(logicalId: entry.key, type: typeName, location: entry.keyLocation)
    if let properties = entry.value["Properties"] {
      guard properties.entries != nil else {
        throw .format("[\(path)/Properties] expected type: Map", at: properties.location)
      }
      resource.properties = properties
    }
    if let dependsOn = entry.value["DependsOn"] {
      resource.dependsOn = try strings(dependsOn, "\(path)/DependsOn")
    }
    resource.condition = try string(entry.value["Condition"], "\(path)/Condition")
    resource.deletionPolicy = try policy(entry.value["DeletionPolicy"], "DeletionPolicy")
    resource.updateReplacePolicy = try policy(entry.value["UpdateReplacePolicy"], "UpdateReplacePolicy")
    resource.metadata = entry.value["Metadata"]
    return resource
  }

  private static func policy(_ node: TemplateNode?, _ name: String) throws(TemplateError)
    -> Template.DeletionPolicy?
  {
    guard let node else { return nil }
    guard let text = node.scalarText, let policy = Template.DeletionPolicy(rawValue: text) else {
      let words = Template.DeletionPolicy.allCases.map(\.rawValue).joined(separator: ", ")
      throw .format(
        "Unrecognized \(name) \(node.scalarText ?? "value"). The valid values are: \(words)", at: node.location)
    }
    return policy
  }

  private static func output(_ entry: TemplateNode.Entry) throws(TemplateError) -> Template.Output {
    let path = "/Outputs/\(entry.key)"
    guard let members = entry.value.entries else {
      throw .format("[\(path)] 'null' or malformed", at: entry.keyLocation)
    }
    if let unknown = members.first(where: { !["Value", "Description", "Export", "Condition"].contains($0.key) }) {
      throw TemplateError("Invalid template output property '\(unknown.key)'", at: unknown.keyLocation)
    }
    guard let value = entry.value["Value"] else {
      throw .format(
        "Output \(entry.key) is malformed. Every Outputs member must contain a Value object", at: entry.keyLocation)
    }
    try rejectNull(value, path + "/Value")
    var output = Template.Output(name: entry.key, value: value, location: entry.keyLocation)
    output.description = try string(entry.value["Description"], path + "/Description")
    output.condition = try string(entry.value["Condition"], path + "/Condition")
    if let export = entry.value["Export"] {
      guard let name = export["Name"], export.entries?.count == 1 else {
        throw .format(
          "Output \(entry.key) is malformed. Export must contain a Name and nothing else", at: export.location)
      }
      output.exportName = name
    }
    return output
  }

  private static func string(_ node: TemplateNode?, _ path: String) throws(TemplateError) -> String? {
    guard let node else { return nil }
    guard let text = node.scalarText else { throw .format("[\(path)] expected type: String", at: node.location) }
    return text
  }

  private static func strings(_ node: TemplateNode, _ path: String) throws(TemplateError) -> [String] {
    var strings: [String] = []
    for item in node.items ?? [node] {
      guard let text = item.scalarText else {
        throw .format("[\(path)] expected type: String or List of Strings", at: item.location)
      }
      strings.append(text)
    }
    return strings
  }

  private static func rejectNull(_ node: TemplateNode, _ path: String) throws(TemplateError) {
    switch node.kind {
    case .null: throw TemplateError("[\(path)] 'null' values are not allowed in templates", at: node.location)
    case .list(let items):
      for (index, item) in items.enumerated() { try rejectNull(item, "\(path)/\(index)") }
    case .map(let entries):
      for entry in entries { try rejectNull(entry.value, "\(path)/\(entry.key)") }
    default: break
    }
  }
}
