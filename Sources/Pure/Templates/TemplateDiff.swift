// What changes between two evaluated templates: change sets, and what an update has to do.

/// One difference inside a resource.
public struct PropertyChange: Sendable, Hashable {
  public enum Kind: String, Sendable {
    case add = "Add"
    case modify = "Modify"
    case remove = "Remove"
  }
  public let kind: Kind
  /// The keys and list indexes from Properties down, such as `["LifecycleConfiguration", "Rules", "0", "Id"]`.
  public let path: [String]
  public let before: TemplateValue?
  public let after: TemplateValue?

  /// The property at the top, whose definition says whether a change means replacement.
  public var property: String { path.first ?? "" }
}

/// One resource that differs.
public struct ResourceChange: Sendable, Hashable {
  public enum Action: String, Sendable {
    case add = "Add"
    case modify = "Modify"
    case remove = "Remove"
  }
  /// The parts of a resource that a change set tells apart (`Scope`).
  public enum Scope: String, Sendable, CaseIterable {
    case properties = "Properties"
    case metadata = "Metadata"
    case deletionPolicy = "DeletionPolicy"
    case updateReplacePolicy = "UpdateReplacePolicy"
  }
  public let action: Action
  public let logicalId: String
  public let type: String
  /// The type changed, which always means replacement. `type` is the new one.
  public let typeChanged: Bool
  public let scope: [Scope]
  public let properties: [PropertyChange]
}

/// Compares evaluated templates.
public enum TemplateDiff {
  /// What has to happen to get from one set of resources to another: in the order of the new ones, removals last.
  public static func changes(from old: [EvaluatedResource], to new: [EvaluatedResource]) -> [ResourceChange] {
    let before = Dictionary(old.map { ($0.logicalId, $0) }, uniquingKeysWith: { first, _ in first })
    let after = Set(new.map(\.logicalId))
    var changes: [ResourceChange] = []
    for resource in new {
      guard let earlier = before[resource.logicalId] else {
        changes.append(
          .init(
            action: .add, logicalId: resource.logicalId, type: resource.type, typeChanged: false, scope: [],
            properties: []))
        continue
      }
      if let change = change(from: earlier, to: resource) { changes.append(change) }
    }
    for resource in old where !after.contains(resource.logicalId) {
      changes.append(
        .init(
          action: .remove, logicalId: resource.logicalId, type: resource.type, typeChanged: false, scope: [],
          properties: []))
    }
    return changes
  }

  /// The difference between two states of one resource; nil when there is none.
  public static func change(from old: EvaluatedResource, to new: EvaluatedResource) -> ResourceChange? {
    let properties = properties(from: old.properties, to: new.properties)
    var scope: [ResourceChange.Scope] = []
    if !properties.isEmpty { scope.append(.properties) }
    if !(old.metadata ?? .null).isEquivalent(to: new.metadata ?? .null) { scope.append(.metadata) }
    if old.deletionPolicy != new.deletionPolicy { scope.append(.deletionPolicy) }
    if old.updateReplacePolicy != new.updateReplacePolicy { scope.append(.updateReplacePolicy) }
    let typeChanged = old.type != new.type
    guard typeChanged || !scope.isEmpty else { return nil }
    return .init(
      action: .modify, logicalId: new.logicalId, type: new.type, typeChanged: typeChanged, scope: scope,
      properties: properties)
  }

  /// The differences between two Properties maps, at the deepest place where both sides have the same form.
  public static func properties(from old: TemplateValue, to new: TemplateValue) -> [PropertyChange] {
    var changes: [PropertyChange] = []
    compare(old, new, path: [], &changes)
    return changes
  }

  private static func compare(
    _ old: TemplateValue, _ new: TemplateValue, path: [String], _ changes: inout [PropertyChange]
  ) {
    if old.isEquivalent(to: new) { return }
    switch (old, new) {
    case (.map(let a), .map(let b)):
      for entry in b {
        if let earlier = a[entry.key] {
          compare(earlier, entry.value, path: path + [entry.key], &changes)
        } else {
          changes.append(.init(kind: .add, path: path + [entry.key], before: nil, after: entry.value))
        }
      }
      for entry in a where b[entry.key] == nil {
        changes.append(.init(kind: .remove, path: path + [entry.key], before: entry.value, after: nil))
      }
    case (.list(let a), .list(let b)) where a.count == b.count:
      for index in a.indices { compare(a[index], b[index], path: path + [String(index)], &changes) }
    default:
      changes.append(.init(kind: .modify, path: path, before: old, after: new))
    }
  }
}
