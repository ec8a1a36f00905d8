// Checks that everything a template names exists, before anything is evaluated.

/// The checks that `ValidateTemplate` makes beyond the form of the sections.
struct TemplateValidator {
  private let template: Template
  private let parameters: Set<String>
  private let conditions: Set<String>
  private let mappings: Set<String>
  private let resources: Set<String>

  init(_ template: Template) {
    self.template = template
    parameters = Set(template.parameters.map(\.name))
    conditions = Set(template.conditions.map(\.name))
    mappings = Set(template.mappings.map(\.name))
    resources = Set(template.resources.map(\.logicalId))
  }

  static let supportedFunctions = [
    "Fn::And", "Fn::Base64", "Fn::Cidr", "Fn::Equals", "Fn::FindInMap", "Fn::GetAZs", "Fn::GetAtt", "Fn::If",
    "Fn::ImportValue", "Fn::Join", "Fn::Not", "Fn::Or", "Fn::Select", "Fn::Split", "Fn::Sub",
  ]
  static let conditionFunctions: Set<String> = ["Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or"]

  func validate() throws(TemplateError) {
    for condition in template.conditions { try validateCondition(condition) }
    for resource in template.resources {
      if let properties = resource.properties { try functions(in: properties) }
      try unresolved(resource.properties, dependsOn: resource.dependsOn, block: "Resources", at: resource.location)
      try condition(resource.condition, at: resource.location)
    }
    for output in template.outputs {
      try functions(in: output.value)
      if let name = output.exportName { try functions(in: name) }
      try unresolved(output.value, block: "Outputs", at: output.location)
      try unresolved(output.exportName, block: "Outputs", at: output.location)
      try condition(output.condition, at: output.location)
    }
    // With conditions, only their values tell which references count: TemplateEvaluator looks for circles then.
    if template.conditions.isEmpty { _ = try DependencyGraph(template: template, conditions: nil).levels() }
  }

  private func condition(_ name: String?, at location: SourceLocation) throws(TemplateError) {
    guard let name, !conditions.contains(name) else { return }
    throw .format(
      "Unresolved condition dependency \(name) in the Resources block of the template", at: location)
  }

  private func unresolved(
    _ node: TemplateNode?, dependsOn: [String] = [], block: String, at location: SourceLocation
  ) throws(TemplateError) {
    if let unknown = dependsOn.first(where: { !resources.contains($0) }) {
      throw .format(
        "Unresolved resource dependencies [\(unknown)] in the \(block) block of the template", at: location)
    }
    try node?.visitReferences { (reference, place) throws(TemplateError) in
      switch reference {
      case .ref(let name) where !parameters.contains(name) && !resources.contains(name):
        guard !pseudoParameters.contains(name) else { return }
        throw .format("Unresolved resource dependencies [\(name)] in the \(block) block of the template", at: place)
      case .attribute(let resource) where !resources.contains(resource):
        throw .template("instance of Fn::GetAtt references undefined resource \(resource)", at: place)
      case .condition(let name) where !conditions.contains(name):
        throw .format("Unresolved condition dependency \(name) in the Fn::If block of the template", at: place)
      case .mapping(let name) where !mappings.contains(name):
        throw .template("Mapping named '\(name)' is not present in the 'Mappings' section of template.", at: place)
      default: break
      }
    }
  }

  private func validateCondition(_ condition: Template.Condition) throws(TemplateError) {
    try functions(in: condition.expression)
    try condition.expression.visitReferences { (reference, place) throws(TemplateError) in
      switch reference {
      case .ref(let name) where !parameters.contains(name) && !pseudoParameters.contains(name):
        throw .format(
          "Unresolved dependencies [\(name)]. Cannot reference resources in the Conditions block of the template",
          at: place)
      case .attribute(let name):
        throw .format(
          "Unresolved dependencies [\(name)]. Cannot reference resources in the Conditions block of the template",
          at: place)
      case .mapping(let name) where !mappings.contains(name):
        throw .template("Mapping named '\(name)' is not present in the 'Mappings' section of template.", at: place)
      default: break
      }
    }
  }

  /// Checks that every function exists and has arguments of the right form.
  private func functions(in node: TemplateNode) throws(TemplateError) {
    if let call = node.functionCall {
      try arguments(call.name, call.argument)
    } else if let stray = node.entries?.first(where: { $0.key.hasPrefix("Fn::") }) {
      throw .template("\(stray.key) must be the only key of its map", at: stray.keyLocation)
    }
    switch node.kind {
    case .list(let items):
      for item in items { try functions(in: item) }
    case .map(let entries):
      for entry in entries { try functions(in: entry.value) }
    case .null, .bool, .number, .string: break
    }
  }

  private func arguments(_ name: String, _ argument: TemplateNode) throws(TemplateError) {
    let items = argument.items
    let fault: String?
    switch name {
    case "Ref":
      fault = argument.scalarText == nil ? "All Ref references must be of type string" : nil
    case "Fn::GetAtt":
      fault =
        argument.attributeParts == nil
        ? "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
        : nil
    case "Fn::Join":
      fault = items?.count == 2 ? nil : FunctionFaults.join
    case "Fn::Split":
      fault = items?.count == 2 ? nil : FunctionFaults.split
    case "Fn::Select":
      fault = items?.count == 2 ? nil : FunctionFaults.select
    case "Fn::FindInMap":
      fault = items?.count == 3 ? nil : FunctionFaults.findInMap
    case "Fn::If":
      fault = items?.count == 3 && items?[0].scalarText != nil ? nil : FunctionFaults.ifThenElse
    case "Fn::Equals":
      fault = items?.count == 2 ? nil : "Fn::Equals requires a list argument with two elements"
    case "Fn::Not":
      fault = items?.count == 1 ? nil : "Fn::Not requires a list argument with one element"
    case "Fn::And", "Fn::Or":
      fault = (2...10).contains(items?.count ?? 0) ? nil : "\(name) requires a list argument with 2 to 10 elements"
    case "Fn::Cidr":
      fault = (2...3).contains(items?.count ?? 0) ? nil : FunctionFaults.cidr
    case "Fn::Sub":
      let isText = argument.scalarText != nil
      let isList = items?.count == 2 && items?[0].scalarText != nil && items?[1].entries != nil
      fault = isText || isList ? nil : FunctionFaults.sub
    case "Fn::Base64", "Fn::GetAZs", "Fn::ImportValue":
      fault = nil
    case "Fn::Transform":
      throw .validation("Fn::Transform is not supported: macros cannot be run here.", at: argument.location)
    default:
      let known = Self.supportedFunctions.joined(separator: ", ")
      fault = "Encountered unsupported function: \(name) Supported functions are: [\(known)]"
    }
    if let fault { throw .template(fault, at: argument.location) }
  }
}

/// What CloudFormation says about wrong arguments.
enum FunctionFaults {
  static let join =
    "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or "
    + "a function that returns a list of strings (such as Fn::GetAZs) to be joined."
  static let split =
    "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function "
    + "that returns a string to be split."
  static let select = "Fn::Select requires a list argument with two elements: an integer index and a list"
  static let findInMap =
    "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
  static let ifThenElse = "Fn::If requires a list argument with the first element being a condition"
  static let cidr =
    "every Fn::Cidr object requires two or three parameters, the ip block, the number of subnets and the subnet bits"
  static let sub =
    "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and "
    + "an optional second argument to specify a mapping of values to replace in the string"
}
