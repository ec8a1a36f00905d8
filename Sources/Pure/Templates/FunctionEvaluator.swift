// The intrinsic functions.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
import FoundationEssentials

/// Evaluates nodes; nil is `AWS::NoValue`, which its map or list then leaves out.
struct FunctionEvaluator: Sendable {
  let template: Template
  let parameters: [String: String]
  let context: TemplateContext
  let conditions: [String: Bool]
  let lookup: ResourceLookup

  func evaluate(_ node: TemplateNode) throws(TemplateError) -> TemplateValue? {
    if let call = node.functionCall { return try apply(call.name, call.argument) }
    switch node.kind {
    case .list(let items):
      var values: [TemplateValue] = []
      for item in items { if let value = try evaluate(item) { values.append(value) } }
      return .list(values)
    case .map(let entries):
      var map = TemplateMap()
      for entry in entries { if let value = try evaluate(entry.value) { map[entry.key] = value } }
      return .map(map)
    case .null, .bool, .number, .string:
      return node.value
    }
  }

  private func apply(_ name: String, _ argument: TemplateNode) throws(TemplateError) -> TemplateValue? {
    switch name {
    case "Ref":
      guard let target = argument.scalarText else {
        throw .template("All Ref references must be of type string", at: argument.location)
      }
      return try reference(target, at: argument.location)
    case "Fn::GetAtt": return try attribute(argument)
    case "Fn::Sub": return .string(try substitute(argument))
    case "Fn::Join": return try join(argument)
    case "Fn::Select": return try select(argument)
    case "Fn::Split":
      let (delimiter, text) = try two(argument, FunctionFaults.split)
      guard let delimiter = delimiter.text, !delimiter.isEmpty, let text = text.text else {
        throw .template(FunctionFaults.split, at: argument.location)
      }
      return .list(split(text, delimiter).map { .string($0) })
    case "Fn::If":
      guard let items = argument.items, items.count == 3, let name = items[0].scalarText,
        let value = conditions[name]
      else { throw .template(FunctionFaults.ifThenElse, at: argument.location) }
      return try evaluate(items[value ? 1 : 2])
    case "Fn::FindInMap": return try findInMap(argument)
    case "Fn::ImportValue":
      let name = try text(argument, "Fn::ImportValue requires a string")
      guard let value = context.exportedValue(name) else { throw TemplateError("No export named \(name) found.") }
      return .string(value)
    case "Fn::Base64":
      return .string(
        Data(try text(argument, "every Fn::Base64 object must have a String-typed value.").utf8)
          .base64EncodedString())
    case "Fn::Cidr": return try cidr(argument)
    case "Fn::GetAZs":
      let region = try text(argument, "every Fn::GetAZs object must have a String-typed value.")
      return .list(context.availabilityZones(region.isEmpty ? context.region : region).map { .string($0) })
    default:
      let known = TemplateValidator.supportedFunctions.joined(separator: ", ")
      throw .template(
        "Encountered unsupported function: \(name) Supported functions are: [\(known)]", at: argument.location)
    }
  }

  // MARK: - Names

  private func reference(_ name: String, at location: SourceLocation) throws(TemplateError) -> TemplateValue? {
    switch name {
    case "AWS::AccountId": return .string(context.accountId)
    case "AWS::Region": return .string(context.region)
    case "AWS::Partition": return .string(context.partition)
    case "AWS::URLSuffix": return .string(context.urlSuffix)
    case "AWS::StackName": return .string(context.stackName)
    case "AWS::StackId": return .string(context.stackId)
    case "AWS::NotificationARNs": return .list(context.notificationARNs.map { .string($0) })
    case "AWS::NoValue": return nil
    default: break
    }
    if let value = parameters[name], let parameter = template.parameters.first(where: { $0.name == name }) {
      return parameter.isList ? .list(parameter.items(of: value).map { .string($0) }) : .string(value)
    }
    guard let value = lookup(.reference(logicalId: name)) else {
      throw .format("Unresolved resource dependencies [\(name)] in the Resources block of the template", at: location)
    }
    return value
  }

  private func attribute(_ argument: TemplateNode) throws(TemplateError) -> TemplateValue {
    guard let parts = argument.attributeParts, let name = try evaluate(parts.attribute)?.text else {
      throw .template(
        "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
        at: argument.location)
    }
    return try attribute(name, of: parts.resource, at: argument.location)
  }

  private func attribute(_ name: String, of resource: String, at location: SourceLocation) throws(TemplateError)
    -> TemplateValue
  {
    guard let value = lookup(.attribute(logicalId: resource, name: name)) else {
      throw .template("resource \(resource) does not support attribute type \(name) in Fn::GetAtt", at: location)
    }
    return value
  }

  private func substitute(_ argument: TemplateNode) throws(TemplateError) -> String {
    var variables: [String: TemplateValue] = [:]
    if let items = argument.items, items.count == 2 {
      for entry in items[1].entries ?? [] { variables[entry.key] = try evaluate(entry.value) }
    }
    guard let text = argument.scalarText ?? argument.items?.first?.scalarText else {
      throw .template(FunctionFaults.sub, at: argument.location)
    }
    var out = ""
    for part in SubText.parts(of: text) {
      switch part {
      case .text(let text): out += text
      case .name(let name):
        let value: TemplateValue?
        if let variable = variables[name] {
          value = variable
        } else if let dot = name.firstIndex(of: "."), !name.hasPrefix("AWS::") {
          value = try attribute(
            String(name[name.index(after: dot)...]), of: String(name[..<dot]), at: argument.location)
        } else {
          value = try reference(name, at: argument.location)
        }
        guard let text = value?.text else {
          throw .template(
            "variable \(name) in Fn::Sub expression does not resolve to a string", at: argument.location)
        }
        out += text
      }
    }
    return out
  }

  // MARK: - Lists and texts

  private func text(_ node: TemplateNode, _ fault: String) throws(TemplateError) -> String {
    guard let text = try evaluate(node)?.text else { throw .template(fault, at: node.location) }
    return text
  }

  private func two(_ argument: TemplateNode, _ fault: String) throws(TemplateError) -> (TemplateValue, TemplateValue) {
    guard let items = argument.items, items.count == 2, let first = try evaluate(items[0]),
      let second = try evaluate(items[1])
    else { throw .template(fault, at: argument.location) }
    return (first, second)
  }

  private func join(_ argument: TemplateNode) throws(TemplateError) -> TemplateValue {
    let (delimiter, list) = try two(argument, FunctionFaults.join)
    guard let delimiter = delimiter.text, let texts = list.texts else {
      throw .template(FunctionFaults.join, at: argument.location)
    }
    return .string(texts.joined(separator: delimiter))
  }

  private func select(_ argument: TemplateNode) throws(TemplateError) -> TemplateValue {
    let (index, list) = try two(argument, FunctionFaults.select)
    guard let index = index.int, let items = list.list else {
      throw .template(FunctionFaults.select, at: argument.location)
    }
    guard items.indices.contains(index) else {
      throw .template("Fn::Select  cannot select nonexistent value at index \(index)", at: argument.location)
    }
    return items[index]
  }

  private func split(_ text: String, _ delimiter: String) -> [String] {
    let bytes = Array(text.utf8)
    let mark = Array(delimiter.utf8)
    var parts: [String] = []
    var start = 0
    var position = 0
    while position + mark.count <= bytes.count {
      if bytes[position..<position + mark.count].elementsEqual(mark) {
        parts.append(String(decoding: bytes[start..<position], as: UTF8.self))
        position += mark.count
        start = position
      } else {
        position += 1
      }
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }

  private func findInMap(_ argument: TemplateNode) throws(TemplateError) -> TemplateValue {
    guard let items = argument.items, items.count == 3 else {
      throw .template(FunctionFaults.findInMap, at: argument.location)
    }
    let name = try text(items[0], FunctionFaults.findInMap)
    let top = try text(items[1], FunctionFaults.findInMap)
    let second = try text(items[2], FunctionFaults.findInMap)
    guard let mapping = template.mappings.first(where: { $0.name == name }) else {
      throw .template(
        "Mapping named '\(name)' is not present in the 'Mappings' section of template.", at: argument.location)
    }
    guard let value = mapping.entries[top]?[second] else {
      throw .template("Unable to get mapping for \(name)::\(top)::\(second)", at: argument.location)
    }
    return value
  }

  private func cidr(_ argument: TemplateNode) throws(TemplateError) -> TemplateValue {
    guard let items = argument.items, (2...3).contains(items.count) else {
      throw .template(FunctionFaults.cidr, at: argument.location)
    }
    let block = try text(items[0], FunctionFaults.cidr)
    if block == Self.unknown { return .list(Array(repeating: TemplateEvaluator.knownAfterApply, count: 256)) }
    guard let count = Int(try text(items[1], FunctionFaults.cidr)) else {
      throw .template(FunctionFaults.cidr, at: argument.location)
    }
    let bits: Int?
    if items.count == 3 {
      guard let given = Int(try text(items[2], FunctionFaults.cidr)) else {
        throw .template(FunctionFaults.cidr, at: argument.location)
      }
      bits = given
    } else {
      bits = nil
    }
    guard let blocks = CIDRBlocks.split(block, count: count, hostBits: bits) else {
      throw .template(
        "Fn::Cidr cannot make \(count) blocks of \(bits.map { "\($0)" } ?? "default") host bits from \(block)",
        at: argument.location)
    }
    return .list(blocks.map { .string($0) })
  }

  private static let unknown = TemplateEvaluator.knownAfterApply.text
}
