// RegisterTaskDefinition, DescribeTaskDefinition, ListTaskDefinitions, ListTaskDefinitionFamilies,
// DeregisterTaskDefinition, DeleteTaskDefinitions.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func registerAccess(_ input: ECS.RegisterTaskDefinitionRequest, _ call: CallContext) -> [ResourceAccess] {
    [ResourceAccess(call.ecs("task-definition/\(input.family):*"))]
      + Self.passing([input.taskRoleArn, input.executionRoleArn])
  }

  func registerTaskDefinition(
    _ input: ECS.RegisterTaskDefinitionRequest, _ call: CallContext
  ) async throws -> ECS.RegisterTaskDefinitionResponse {
    try TaskDefinitionRules.check(input)
    let tags = try TagRules.map(input.tags)
    var completed = TaskDefinitionRules.completed(input)
    completed.registeredAt = call.now
    completed.registeredBy = call.principal.arn
    let definition = completed
    let record = try await store.write { tx in
      let revision = try tx.nextNumber("ecs.revision/\(input.family)", call.scope)
      var definition = definition
      definition.revision = revision
      definition.taskDefinitionArn = call.ecs("task-definition/\(input.family):\(revision)")
      let record = TaskDefinitionRecord(
        family: input.family, revision: revision, definition: Stored(definition), tags: tags)
      try tx.put(record, call.scope)
      return record
    }
    return .make {
      $0.taskDefinition = record.definition.value
      $0.tags = TagRules.list(record.tags)
    }
  }

  func describeTaskDefinition(
    _ input: ECS.DescribeTaskDefinitionRequest, _ call: CallContext
  ) async throws -> ECS.DescribeTaskDefinitionResponse {
    let record = try await store.read { try Lookup.taskDefinition(input.taskDefinition, $0, call.scope) }
    guard let record else { throw ECSError.cannotDescribeTaskDefinition }
    return .make {
      $0.taskDefinition = record.definition.value
      if (input.include ?? []).contains("TAGS") { $0.tags = TagRules.list(record.tags) }
    }
  }

  func deregisterTaskDefinition(
    _ input: ECS.DeregisterTaskDefinitionRequest, _ call: CallContext
  ) async throws -> ECS.DeregisterTaskDefinitionResponse {
    guard let (family, revision) = Names.taskDefinition(input.taskDefinition), let revision else {
      throw ECSError.invalid("Revision is missing.")
    }
    let record = try await store.write { tx in
      guard var record = try tx.get(TaskDefinitionRecord.self, call.scope, "\(family):\(revision)") else {
        throw ECSError.client(
          "The specified task definition does not exist. Specify a valid account, family, revision and try again.")
      }
      if record.status == "ACTIVE" {
        record.definition.value.status = "INACTIVE"
        record.definition.value.deregisteredAt = call.now
        try tx.put(record, call.scope)
      }
      return record
    }
    return .make { $0.taskDefinition = record.definition.value }
  }

  func deleteTaskDefinitions(
    _ input: ECS.DeleteTaskDefinitionsRequest, _ call: CallContext
  ) async throws -> ECS.DeleteTaskDefinitionsResponse {
    guard input.taskDefinitions.count <= 10 else {
      throw ECSError.invalid("Task definitions cannot have more than 10 elements.")
    }
    return try await store.write { tx in
      var deleted: [ECS.TaskDefinition] = []
      var failures: [ECS.Failure] = []
      for name in input.taskDefinitions {
        guard let (_, revision) = Names.taskDefinition(name), revision != nil,
          var record = try Lookup.taskDefinition(name, tx, call.scope)
        else {
          failures.append(
            .make {
              $0.arn = name
              $0.reason = "The specified task definition was not found. Specify a valid task definition and try again."
            })
          continue
        }
        guard record.status != "ACTIVE" else {
          failures.append(
            .make {
              $0.arn = record.arn
              $0.reason =
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
            })
          continue
        }
        record.definition.value.status = "DELETE_IN_PROGRESS"
        record.definition.value.deleteRequestedAt = call.now
        deleted.append(record.definition.value)
        // Tasks and services that still use the revision keep it.
        let isUsed =
          try tx.list(TaskRecord.self, call.scope).contains { $0.taskDefinition == record.arn && $0.status != .stopped }
          || tx.list(ServiceRecord.self, call.scope).contains { service in
            service.deployments.contains { $0.taskDefinition == record.arn }
          }
        if isUsed {
          try tx.put(record, call.scope)
        } else {
          try tx.delete(TaskDefinitionRecord.self, call.scope, record.recordID)
        }
      }
      return .make {
        $0.taskDefinitions = deleted
        $0.failures = failures
      }
    }
  }

  func listTaskDefinitions(
    _ input: ECS.ListTaskDefinitionsRequest, _ call: CallContext
  ) async throws -> ECS.ListTaskDefinitionsResponse {
    let status = input.status ?? "ACTIVE"
    var records = try await store.read { snapshot in
      if let family = input.familyPrefix, !family.isEmpty {
        return try snapshot.find(TaskDefinitionRecord.self, call.scope, index: "family", family)
      }
      return try snapshot.list(TaskDefinitionRecord.self, call.scope)
    }
    records = records.filter { $0.status == status }.sorted { ($0.family, $0.revision) < ($1.family, $1.revision) }
    if input.sort == "DESC" { records.reverse() }
    let page = try Page(records, limit: input.maxResults ?? Limits.page, token: input.nextToken) { $0.recordID }
    return .make {
      $0.taskDefinitionArns = page.items.map(\.arn)
      $0.nextToken = page.next
    }
  }

  func listTaskDefinitionFamilies(
    _ input: ECS.ListTaskDefinitionFamiliesRequest, _ call: CallContext
  ) async throws -> ECS.ListTaskDefinitionFamiliesResponse {
    let records = try await store.read { try $0.list(TaskDefinitionRecord.self, call.scope) }
    var families: [String: Bool] = [:]
    for record in records where record.family.hasPrefix(input.familyPrefix ?? "") {
      families[record.family] = families[record.family] == true || record.status == "ACTIVE"
    }
    let names = families.filter { _, isActive in
      switch input.status ?? "ACTIVE" {
      case "ACTIVE": isActive
      case "INACTIVE": !isActive
      default: true
      }
    }.keys.sorted()
    let page = try Page(names, limit: input.maxResults ?? Limits.page, token: input.nextToken) { $0 }
    return .make {
      $0.families = page.items
      $0.nextToken = page.next
    }
  }
}
