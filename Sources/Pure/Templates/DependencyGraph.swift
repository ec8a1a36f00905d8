// What needs what: the order in which resources can be made, and unmade.

/// The dependencies between the resources of a template, from `Ref`, `Fn::GetAtt`, `Fn::Sub` and `DependsOn`.
public struct DependencyGraph: Sendable {
  /// The resources in the template's order; with conditions, only those whose condition holds.
  public let logicalIds: [String]
  /// The resources that each resource needs.
  public let dependencies: [String: Set<String>]

  /// - Parameter conditions: the values of the conditions. nil takes every resource and both branches of each `Fn::If`.
  /// - Throws: when a resource that exists needs one that the conditions leave out.
  public init(template: Template, conditions: [String: Bool]?) throws(TemplateError) {
    let active = template.resources.filter { resource in
      guard let conditions, let name = resource.condition else { return true }
      return conditions[name] ?? false
    }
    let all = Set(template.resources.map(\.logicalId))
    let present = Set(active.map(\.logicalId))
    var dependencies: [String: Set<String>] = [:]
    for resource in active {
      // DependsOn of a resource that is left out is nothing to wait for.
      var needs = Set(resource.dependsOn).intersection(present)
      try resource.properties?.visitReferences(conditions: conditions) { (reference, place) throws(TemplateError) in
        guard let name = reference.resourceName, all.contains(name) else { return }
        guard present.contains(name) else {
          throw .format("Unresolved resource dependencies [\(name)] in the Resources block of the template", at: place)
        }
        needs.insert(name)
      }
      dependencies[resource.logicalId] = needs
    }
    logicalIds = active.map(\.logicalId)
    self.dependencies = dependencies
  }

  /// The resources in levels: each level needs only earlier ones, so that a level's members can be made at the same
  /// time. Within a level the template's order is kept.
  /// - Throws: `Circular dependency between resources: […]`.
  public func levels() throws(TemplateError) -> [[String]] {
    var levels: [[String]] = []
    var done: Set<String> = []
    var waiting = logicalIds
    while !waiting.isEmpty {
      let ready = waiting.filter { dependencies[$0, default: []].isSubset(of: done) }
      guard !ready.isEmpty else { throw circle(waiting) }
      levels.append(ready)
      done.formUnion(ready)
      waiting.removeAll { done.contains($0) }
    }
    return levels
  }

  /// The resources that need each resource.
  public var dependents: [String: Set<String>] {
    var dependents: [String: Set<String>] = [:]
    for (id, needs) in dependencies { for need in needs { dependents[need, default: []].insert(id) } }
    return dependents
  }

  private func circle(_ waiting: [String]) -> TemplateError {
    // Leave out what only hangs on a circle without being part of one.
    var members = Set(waiting)
    while true {
      let needed = members.reduce(into: Set<String>()) { $0.formUnion(dependencies[$1, default: []]) }
      let kept = members.intersection(needed)
      if kept == members { break }
      members = kept
    }
    return TemplateError("Circular dependency between resources: [\(members.sorted().joined(separator: ", "))]")
  }
}
