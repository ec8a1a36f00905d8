// Works out the Conditions section.

/// Evaluates conditions, each once, following the conditions that they name.
struct ConditionEvaluator {
  let functions: FunctionEvaluator

  func values() throws(TemplateError) -> [String: Bool] {
    var values: [String: Bool] = [:]
    for condition in functions.template.conditions {
      _ = try value(of: condition.name, at: condition.location, known: &values, path: [])
    }
    return values
  }

  private func value(
    of name: String, at location: SourceLocation, known: inout [String: Bool], path: [String]
  ) throws(TemplateError) -> Bool {
    if let value = known[name] { return value }
    guard let condition = functions.template.conditions.first(where: { $0.name == name }) else {
      throw .format("Unresolved condition dependency \(name) in the Conditions block of the template", at: location)
    }
    guard !path.contains(name) else {
      throw .format(
        "Circular dependency between conditions: [\((path + [name]).joined(separator: ", "))]", at: location)
    }
    let value = try truth(condition.expression, known: &known, path: path + [name])
    known[name] = value
    return value
  }

  private func truth(_ node: TemplateNode, known: inout [String: Bool], path: [String]) throws(TemplateError) -> Bool {
    if let entries = node.entries, entries.count == 1, entries[0].key == "Condition",
      let name = entries[0].value.scalarText
    {
      return try value(of: name, at: node.location, known: &known, path: path)
    }
    guard let call = node.functionCall, let items = call.argument.items else {
      throw .validation(
        "Every Conditions member must be a call of Fn::And, Fn::Equals, Fn::Not or Fn::Or", at: node.location)
    }
    switch call.name {
    case "Fn::Equals":
      let left = try functions.evaluate(items[0]) ?? .null
      let right = try functions.evaluate(items[1]) ?? .null
      return left.isEquivalent(to: right)
    case "Fn::Not":
      return try !truth(items[0], known: &known, path: path)
    case "Fn::And":
      for item in items where try !truth(item, known: &known, path: path) { return false }
      return true
    case "Fn::Or":
      for item in items where try truth(item, known: &known, path: path) { return true }
      return false
    default:
      throw .validation(
        "Every Conditions member must be a call of Fn::And, Fn::Equals, Fn::Not or Fn::Or", at: node.location)
    }
  }
}
