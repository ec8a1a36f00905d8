// The CloudFormation template while it is put together, and its text.

/// A template in sections; resources stand in titled groups.
struct TemplateDocument {
  var description = ""
  var metadata: [(String, Piece)] = []
  var parameters: [(String, Piece)] = []
  var conditions: [(String, Piece)] = []
  var groups: [(title: String, resources: [(String, Piece)])] = []
  var outputs: [(String, Piece)] = []

  /// Attributes of a resource beside its type and properties.
  struct Attributes {
    var condition: String?
    var dependsOn: [String] = []
    /// Both DeletionPolicy and UpdateReplacePolicy.
    var deletionPolicy: String?
    var metadata: Piece?
  }

  mutating func group(_ title: String) { groups.append((title, [])) }

  /// Adds a resource to the last group.
  mutating func add(
    _ id: String, _ type: String, _ properties: [(String, Piece)], _ attributes: Attributes = Attributes()
  ) {
    var fields: [(String, Piece)] = [("Type", .text(type))]
    if let condition = attributes.condition { fields.append(("Condition", .text(condition))) }
    if attributes.dependsOn.count == 1 {
      fields.append(("DependsOn", .text(attributes.dependsOn[0])))
    } else if !attributes.dependsOn.isEmpty {
      fields.append(("DependsOn", .list(attributes.dependsOn.map { .text($0) })))
    }
    if let policy = attributes.deletionPolicy {
      fields.append(("DeletionPolicy", .text(policy)))
      fields.append(("UpdateReplacePolicy", .text(policy)))
    }
    if let metadata = attributes.metadata { fields.append(("Metadata", metadata)) }
    if !properties.isEmpty { fields.append(("Properties", .map(properties))) }
    precondition(!groups.isEmpty, "a resource needs a group")
    groups[groups.count - 1].resources.append((id, .map(fields)))
  }

  mutating func parameter(_ name: String, _ fields: [(String, Piece)]) { parameters.append((name, .map(fields))) }

  mutating func output(_ name: String, _ description: String, _ value: Piece) {
    outputs.append((name, ["Description": .text(description), "Value": value]))
  }

  /// Logical ids that stand more than once.
  var collisions: [String] {
    var seen: Set<String> = []
    let ids = groups.flatMap { $0.resources.map(\.0) } + parameters.map(\.0)
    return ids.filter { !seen.insert($0).inserted }
  }

  var yaml: String {
    var lines = ["AWSTemplateFormatVersion: '2010-09-09'"]
    lines += Piece.map([("Description", .text(description))]).yamlLines(depth: 0)
    func section(_ name: String, _ entries: [(String, Piece)]) {
      guard !entries.isEmpty else { return }
      lines += ["", name + ":"] + Piece.map(entries).yamlLines(depth: 1)
    }
    section("Metadata", metadata)
    section("Parameters", parameters)
    section("Conditions", conditions)
    lines += ["", "Resources:"]
    for group in groups where !group.resources.isEmpty {
      lines += ["", "  # \(group.title)"]
      for (index, resource) in group.resources.enumerated() {
        if index > 0 { lines.append("") }
        lines += Piece.map([resource]).yamlLines(depth: 1)
      }
    }
    section("Outputs", outputs)
    return lines.joined(separator: "\n") + "\n"
  }

  var json: String {
    var fields: [(String, Piece)] = [
      ("AWSTemplateFormatVersion", "2010-09-09"), ("Description", .text(description)),
    ]
    for (name, entries) in [("Metadata", metadata), ("Parameters", parameters), ("Conditions", conditions)]
    where !entries.isEmpty {
      fields.append((name, .map(entries)))
    }
    fields.append(("Resources", .map(groups.flatMap(\.resources))))
    if !outputs.isEmpty { fields.append(("Outputs", .map(outputs))) }
    return Piece.map(fields).json + "\n"
  }
}
