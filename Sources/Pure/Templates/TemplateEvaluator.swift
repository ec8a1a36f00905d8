// Resolves the functions of a template for one stack.

/// A template with its parameter values and surroundings: evaluates conditions at once, resources and outputs on
/// demand, as the resources that they ask about come to exist.
public struct TemplateEvaluator: Sendable {
  public let template: Template
  /// The value of every parameter, defaults filled in.
  public let parameters: [String: String]
  public let context: TemplateContext
  /// The value of every condition.
  public let conditions: [String: Bool]
  /// The resources whose condition holds, and what each of them needs.
  public let graph: DependencyGraph

  /// Stands in a change set for what only a made resource can tell.
  public static let knownAfterApply: TemplateValue = "{{changeSet:KNOWN_AFTER_APPLY}}"

  /// - Throws: for wrong parameter values, unresolvable conditions and circular dependencies.
  public init(template: Template, parameters given: [String: String], context: TemplateContext)
    throws(TemplateError)
  {
    self.template = template
    self.context = context
    parameters = try template.parameterValues(given: given)
    let functions = FunctionEvaluator(
      template: template, parameters: parameters, context: context, conditions: [:], lookup: { _ in nil })
    conditions = try ConditionEvaluator(functions: functions).values()
    graph = try DependencyGraph(template: template, conditions: conditions)
    _ = try graph.levels()
  }

  /// The resources to make, in the template's order.
  public var resources: [Template.Resource] {
    let present = Set(graph.logicalIds)
    return template.resources.filter { present.contains($0.logicalId) }
  }

  /// Evaluates any piece of this template; a piece that is `AWS::NoValue` as a whole is null.
  public func evaluate(_ node: TemplateNode, lookup: @escaping ResourceLookup) throws(TemplateError) -> TemplateValue {
    try functions(lookup).evaluate(node) ?? .null
  }

  /// A resource with its functions resolved. What it needs must be known to `lookup`.
  public func evaluate(_ resource: Template.Resource, lookup: @escaping ResourceLookup) throws(TemplateError)
    -> EvaluatedResource
  {
    let functions = functions(lookup)
    let properties = try resource.properties.map { (node) throws(TemplateError) in try functions.evaluate(node) }
    let metadata = try resource.metadata.map { (node) throws(TemplateError) in try functions.evaluate(node) }
    return EvaluatedResource(
      logicalId: resource.logicalId, type: resource.type, properties: (properties ?? nil) ?? .map(TemplateMap()),
      deletionPolicy: resource.deletionPolicy, updateReplacePolicy: resource.updateReplacePolicy,
      metadata: metadata ?? nil)
  }

  /// The outputs whose condition holds.
  public func outputs(lookup: @escaping ResourceLookup) throws(TemplateError) -> [EvaluatedOutput] {
    let functions = functions(lookup)
    var outputs: [EvaluatedOutput] = []
    for output in template.outputs where output.condition.map({ conditions[$0] ?? false }) ?? true {
      guard let value = try functions.evaluate(output.value)?.text else {
        throw .format("The Value field of every Outputs member must evaluate to a String.", at: output.value.location)
      }
      var exportName: String?
      if let node = output.exportName {
        guard let name = try functions.evaluate(node)?.text, !name.isEmpty else {
          throw .format("The Name field of every Export member must evaluate to a String.", at: node.location)
        }
        exportName = name
      }
      outputs.append(
        .init(name: output.name, value: value, description: output.description, exportName: exportName))
    }
    return outputs
  }

  /// The names that this template imports with `Fn::ImportValue`, in the resources and outputs that exist.
  public func importedNames(lookup: @escaping ResourceLookup) throws(TemplateError) -> [String] {
    var names: [String] = []
    let functions = functions(lookup)
    func visit(_ node: TemplateNode) throws(TemplateError) {
      if let call = node.functionCall {
        if call.name == "Fn::ImportValue", let name = try functions.evaluate(call.argument)?.text {
          if !names.contains(name) { names.append(name) }
        }
        if call.name == "Fn::If", let items = call.argument.items, items.count == 3,
          let value = items[0].scalarText.flatMap({ conditions[$0] })
        {
          return try visit(items[value ? 1 : 2])
        }
      }
      for item in node.items ?? [] { try visit(item) }
      for entry in node.entries ?? [] { try visit(entry.value) }
    }
    for resource in resources { if let properties = resource.properties { try visit(properties) } }
    for output in template.outputs where output.condition.map({ conditions[$0] ?? false }) ?? true {
      try visit(output.value)
    }
    return names
  }

  private func functions(_ lookup: @escaping ResourceLookup) -> FunctionEvaluator {
    FunctionEvaluator(
      template: template, parameters: parameters, context: context, conditions: conditions, lookup: lookup)
  }
}
