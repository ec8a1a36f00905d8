// What happens to a stack: create, update, roll back, clean up, delete. Each step is in the store before the next, so an
// operation goes on where it was when the control plane is started again.

import AWSCore
import ServiceKit
import Store
import Templates

struct StackEngine: Sendable {
  let session: StackSession
  private var service: CloudFormationService { session.service }

  /// Carries out what is pending, and what follows from it, until nothing is.
  func run() async throws {
    while let operation = session.operation {
      switch operation.kind {
      case .create: try await create(operation)
      case .rollbackCreate: try await rollbackCreate(operation)
      case .update: try await update(operation)
      case .rollbackUpdate: try await rollbackUpdate(operation)
      case .cleanUp: try await cleanUp(operation)
      case .delete: try await delete(operation)
      }
    }
  }

  private static func reason(_ error: any Error) -> String {
    if let known = error as? AWSError { return "\(known.message) (\(known.code))" }
    if let template = error as? TemplateError { return template.message }
    return "\(error)"
  }

  private static func summary(_ failures: [String: any Error]) -> String {
    "The following resource(s) failed: [\(failures.keys.sorted().joined(separator: ", "))]."
  }

  private func provider(_ type: String) throws -> ResourceProvider {
    guard let provider = service.providers[type] else {
      throw AWSError.notImplemented("the CloudFormation resource type \(type)")
    }
    return provider
  }

  // MARK: - Create

  private func create(_ operation: PendingOperation) async throws {
    let record = session.record
    let deadline = record.timeoutMinutes.map { record.created.adding(seconds: 60 * Double($0)) }
    let waits = ResourceWaits(service.environment.clock, deadline: deadline)
    do {
      let evaluator = try session.evaluator(record.input, exports: try await service.exports(session.scope))
      let failures = await OrderedRun.run(evaluator.graph.logicalIds, needs: evaluator.graph.dependencies) { id in
        if session.record.resources[id]?.status == "CREATE_COMPLETE" { return }
        try await createResource(id, evaluator, tags: record.input.tags, waits)
      }
      guard failures.isEmpty else { throw CFNError.validation(Self.summary(failures)) }
      try await finish("CREATE_COMPLETE", evaluator)
    } catch {
      // A castle that stops has not failed: the operation goes on at the next start.
      try Task.checkCancellation()
      let reason = (error as? AWSError)?.message ?? Self.reason(error)
      if operation.onFailure == "DO_NOTHING" {
        try await session.stackStatus("CREATE_FAILED", reason) { $0.pending = nil }
        return
      }
      let status = operation.onFailure == "DELETE" ? "DELETE_IN_PROGRESS" : "ROLLBACK_IN_PROGRESS"
      let follow: PendingOperation.Kind = operation.onFailure == "DELETE" ? .delete : .rollbackCreate
      try await session.stackStatus(status, reason) { $0.pending?.kind = follow }
    }
  }

  /// Makes one resource of a template and records it.
  private func createResource(
    _ id: String, _ evaluator: TemplateEvaluator, tags: [String: String], _ waits: ResourceWaits,
    keeping old: ResourceState? = nil
  ) async throws {
    guard let resource = evaluator.template.resource(id) else { return }
    let verb = old == nil ? "CREATE" : "UPDATE"
    do {
      let provider = try provider(resource.type)
      let context = session.context(id, tags: tags, policy: resource.deletionPolicy?.rawValue)
      // An operation that was interrupted goes on with what it had created.
      let begun = old == nil ? session.record.resources[id] : session.operation?.begun.first { $0.logicalID == id }
      var state: ResourceState
      if let begun, begun.handle != nil {
        state = begun
      } else {
        state = try await initiate(resource, id, evaluator, provider, context, keeping: old)
      }
      if let stabilize = provider.stabilize, let handle = state.handle {
        state.handle = try await waits.wait { try await stabilize(handle, context) }
      }
      state.status = "\(verb)_COMPLETE"
      state.changed = service.environment.clock.now
      let made = state
      try await session.change(session.event(id, made.handle?.physicalID ?? "", made.type, made.status, nil)) {
        $0.resources[id] = made
        // A replaced resource is removed when the whole update has succeeded.
        if let old { $0.pending?.leftovers.append(old) }
        $0.pending?.begun.removeAll { $0.logicalID == id }
      }
    } catch {
      try Task.checkCancellation()
      // This one was well as far as anybody knows: another one failed.
      let isCancelled = error is CancellationError
      let why = isCancelled ? "Resource \(old == nil ? "creation" : "update") cancelled" : Self.reason(error)
      // Before it is told: what is told is the first failure.
      waits.cancel()
      try await session.resourceStatus(id, "\(verb)_FAILED", why)
      throw error
    }
  }

  /// Creates a resource, and writes down that it is there before anybody waits for it to become stable.
  private func initiate(
    _ resource: Template.Resource, _ id: String, _ evaluator: TemplateEvaluator, _ provider: ResourceProvider,
    _ context: ResourceContext, keeping old: ResourceState?
  ) async throws -> ResourceState {
    let verb = old == nil ? "CREATE" : "UPDATE"
    var state = ResourceState(
      logicalID: id, type: resource.type, status: "\(verb)_IN_PROGRESS", changed: service.environment.clock.now,
      needs: (evaluator.graph.dependencies[id] ?? []).sorted(), deletionPolicy: resource.deletionPolicy?.rawValue,
      replacePolicy: resource.updateReplacePolicy?.rawValue)
    let begun = state
    try await session.change(session.event(id, old?.handle?.physicalID ?? "", resource.type, begun.status, nil)) {
      // While a replacement is made, the old resource stays what others refer to.
      if old == nil { $0.resources[id] = begun }
    }
    let evaluated = try evaluator.evaluate(resource, lookup: session.lookup())
    let properties = evaluated.properties.json
    try Self.check(properties, provider)
    state.handle = try await provider.create(try await session.resolved(properties), context)
    state.properties = try session.seal(properties)
    state.metadata = evaluated.metadata?.json(pretty: false)
    guard provider.stabilize != nil else { return state }
    let created = state
    try await session.change(
      session.event(
        id, created.handle?.physicalID ?? "", created.type, created.status, "Resource creation Initiated")
    ) {
      if old == nil { $0.resources[id] = created } else { $0.pending?.begun.append(created) }
    }
    return state
  }

  private static func check(_ properties: JSONValue, _ provider: ResourceProvider) throws {
    guard !provider.properties.isEmpty else { return }
    for key in (properties.object ?? [:]).keys.sorted() where !provider.properties.contains(key) {
      throw AWSError.notImplemented("the property \(key) of \(provider.type)")
    }
  }

  /// Outputs, exports and the final status.
  private func finish(
    _ status: String, _ evaluator: TemplateEvaluator, _ body: (inout StackRecord) -> Void = { $0.pending = nil }
  ) async throws {
    let lookup = session.lookup()
    let outputs = try evaluator.outputs(lookup: lookup)
    let imports = try evaluator.importedNames(lookup: lookup)
    let exports = try await service.exports(session.scope, except: session.stackID)
    for output in outputs {
      if let name = output.exportName, exports[name] != nil {
        throw CFNError.validation("Export with name \(name) is already exported by another stack")
      }
    }
    try await holdExports(outputs.map { ($0.exportName, $0.value) })
    var plain: [StackOutput] = []
    for output in outputs {
      let value = try await service.resolve(.string(output.value), session.call).text ?? output.value
      plain.append(
        StackOutput(name: output.name, value: value, description: output.description, exportName: output.exportName))
    }
    let final = plain
    try await session.stackStatus(status) { record in
      record.outputs = final
      record.imports = imports
      record.description = evaluator.template.description
      body(&record)
    }
  }

  /// What other stacks take over from this one may neither change nor go.
  private func holdExports(_ outputs: [(name: String?, value: String)]) async throws {
    let scope = session.scope
    let others = try await service.store.read { try $0.list(StackRecord.self, scope) }
    for old in session.record.outputs {
      guard let name = old.exportName else { continue }
      let new = outputs.first { $0.name == name }?.value
      guard new != old.value else { continue }
      let user = others.first { $0.id != session.stackID && !$0.isGone && $0.imports.contains(name) }
      if let user {
        let verb = new != nil ? "updated" : "deleted"
        throw CFNError.validation("Export \(name) cannot be \(verb) as it is in use by \(user.name)")
      }
    }
  }

  private func rollbackCreate(_ operation: PendingOperation) async throws {
    let failures = try await deleteResources(retain: [], keeping: ["Retain"], honoursPolicies: false)
    try Task.checkCancellation()
    try await session.stackStatus(
      failures.isEmpty ? "ROLLBACK_COMPLETE" : "ROLLBACK_FAILED", failures.isEmpty ? nil : Self.summary(failures)
    ) { $0.pending = nil }
  }

  // MARK: - Delete

  private func delete(_ operation: PendingOperation) async throws {
    let failures = try await deleteResources(
      retain: Set(operation.retain), keeping: Self.retaining, honoursPolicies: true)
    try Task.checkCancellation()
    guard failures.isEmpty else {
      try await session.stackStatus("DELETE_FAILED", Self.summary(failures)) { $0.pending = nil }
      return
    }
    let now = service.environment.clock.now
    try await session.stackStatus("DELETE_COMPLETE") { record in
      record.pending = nil
      record.deleted = now
      record.outputs = []
    }
  }

  /// The policies under which a resource outlives its stack. `RetainExceptOnCreate` differs from `Retain` only when the
  /// creation itself is rolled back.
  private static let retaining: Set<String> = ["Retain", "RetainExceptOnCreate"]

  /// Removes the stack's resources, each before what it needs, but for those named and those whose policy is `keeping`.
  private func deleteResources(
    retain: Set<String>, keeping: Set<String>, honoursPolicies: Bool
  ) async throws -> [String: any Error] {
    let resources = session.record.resources
    let open = resources.values.filter { $0.status != "DELETE_COMPLETE" && $0.status != "DELETE_SKIPPED" }
    var neededBy: [String: Set<String>] = [:]
    for resource in open {
      for need in resource.needs { neededBy[need, default: []].insert(resource.logicalID) }
    }
    return await OrderedRun.run(open.map(\.logicalID).sorted(), needs: neededBy) { id in
      guard let resource = session.record.resources[id] else { return }
      let isKept = resource.handle != nil && keeping.contains(resource.deletionPolicy ?? "")
      if retain.contains(id) || isKept {
        try await session.resourceStatus(id, "DELETE_SKIPPED")
        return
      }
      guard let handle = resource.handle else {
        try await session.resourceStatus(id, "DELETE_COMPLETE")
        return
      }
      try await session.resourceStatus(id, "DELETE_IN_PROGRESS")
      do {
        try await remove(resource, handle, honoursPolicies: honoursPolicies)
        try await session.resourceStatus(id, "DELETE_COMPLETE")
      } catch {
        try Task.checkCancellation()
        try await session.resourceStatus(id, "DELETE_FAILED", Self.reason(error))
        throw error
      }
    }
  }

  private func remove(_ resource: ResourceState, _ handle: ResourceHandle, honoursPolicies: Bool) async throws {
    let policy = honoursPolicies ? resource.deletionPolicy : nil
    let context = session.context(resource.logicalID, tags: session.record.input.tags, policy: policy)
    // What a reference stood for may be gone by now, and removing needs no secrets.
    let (provider, properties) = (try provider(resource.type), try session.properties(resource))
    try await ResourceWaits.limited(service.environment.clock) {
      try await provider.delete(handle, properties, context)
    }
  }

  // MARK: - Update

  private func update(_ operation: PendingOperation) async throws {
    guard let target = operation.target else {
      try await session.stackStatus("UPDATE_FAILED", "The update names no template.") { $0.pending = nil }
      return
    }
    let waits = ResourceWaits(service.environment.clock)
    do {
      let evaluator = try session.evaluator(target, exports: try await service.exports(session.scope))
      let failures = await OrderedRun.run(evaluator.graph.logicalIds, needs: evaluator.graph.dependencies) { id in
        try await updateResource(id, evaluator, target, waits)
      }
      guard failures.isEmpty else { throw CFNError.validation(Self.summary(failures)) }
      let kept = Set(evaluator.graph.logicalIds)
      let now = service.environment.clock.now
      try await finish("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", evaluator) { record in
        let dropped = record.resources.values.filter { !kept.contains($0.logicalID) }.sorted {
          $0.logicalID < $1.logicalID
        }
        record.pending?.leftovers += dropped
        record.pending?.kind = .cleanUp
        for resource in dropped { record.resources[resource.logicalID] = nil }
        record.input = target
        record.updated = now
      }
    } catch {
      // A castle that stops has not failed: the operation goes on at the next start.
      try Task.checkCancellation()
      let reason = (error as? AWSError)?.message ?? Self.reason(error)
      try await session.stackStatus("UPDATE_ROLLBACK_IN_PROGRESS", reason) { $0.pending?.kind = .rollbackUpdate }
    }
  }

  private func updateResource(
    _ id: String, _ evaluator: TemplateEvaluator, _ target: StackInput, _ waits: ResourceWaits
  ) async throws {
    guard let resource = evaluator.template.resource(id) else { return }
    guard let old = session.record.resources[id], old.handle != nil, old.status != "CREATE_IN_PROGRESS" else {
      return try await createResource(id, evaluator, tags: target.tags, waits)
    }
    let needs = (evaluator.graph.dependencies[id] ?? []).sorted()
    let new = try evaluator.evaluate(resource, lookup: session.lookup()).properties.json
    let before = try session.properties(old)
    let tagsChanged = session.record.input.tags != target.tags
    if old.type == resource.type, new == before, !tagsChanged {
      if old.needs != needs || old.deletionPolicy != resource.deletionPolicy?.rawValue {
        try await session.change {
          $0.resources[id]?.needs = needs
          $0.resources[id]?.deletionPolicy = resource.deletionPolicy?.rawValue
          $0.resources[id]?.replacePolicy = resource.updateReplacePolicy?.rawValue
        }
      }
      return
    }
    let provider = try provider(resource.type)
    if old.type != resource.type || !Self.changed(before, new).isDisjoint(with: provider.replacedBy) {
      return try await createResource(id, evaluator, tags: target.tags, waits, keeping: old)
    }
    guard let handle = old.handle else { return }
    try await session.resourceStatus(id, "UPDATE_IN_PROGRESS")
    do {
      try Self.check(new, provider)
      let context = session.context(id, tags: target.tags, policy: resource.deletionPolicy?.rawValue)
      let (from, to) = (try await session.resolved(before), try await session.resolved(new))
      let changed = try await ResourceWaits.limited(service.environment.clock) {
        try await provider.update(handle, from, to, context)
      }
      let sealed = try session.seal(new)
      try await session.resourceStatus(id, "UPDATE_COMPLETE") {
        $0.handle = changed
        $0.properties = sealed
        $0.needs = needs
        $0.deletionPolicy = resource.deletionPolicy?.rawValue
        $0.replacePolicy = resource.updateReplacePolicy?.rawValue
      }
      if changed.physicalID != handle.physicalID { try await session.change { $0.pending?.leftovers.append(old) } }
    } catch {
      try Task.checkCancellation()
      waits.cancel()
      try await session.resourceStatus(id, "UPDATE_FAILED", Self.reason(error))
      throw error
    }
  }

  /// The top-level properties that differ.
  static func changed(_ old: JSONValue, _ new: JSONValue) -> Set<String> {
    let a = old.object ?? [:]
    let b = new.object ?? [:]
    return Set(Set(a.keys).union(b.keys).filter { a[$0] != b[$0] })
  }

  /// Leads back from where an update got to: what it made is removed, what it changed is changed back.
  private func rollbackUpdate(_ operation: PendingOperation) async throws {
    var failures: [String: any Error] = [:]
    for resource in operation.begun {
      do {
        if let handle = resource.handle { try await remove(resource, handle, honoursPolicies: false) }
        try await session.change { $0.pending?.begun.removeAll { $0.logicalID == resource.logicalID } }
      } catch {
        try Task.checkCancellation()
        failures[resource.logicalID] = error
      }
    }
    let current = session.record.resources
    // The reverse of the order of making: what was made last goes first.
    let order = current.values.sorted { ($0.changed, $0.logicalID) > ($1.changed, $1.logicalID) }
    for resource in order {
      do {
        try await rollBack(resource, to: operation.backup[resource.logicalID])
      } catch {
        try Task.checkCancellation()
        failures[resource.logicalID] = error
        try await session.resourceStatus(resource.logicalID, "UPDATE_FAILED", Self.reason(error))
      }
    }
    if failures.isEmpty {
      try await session.stackStatus("UPDATE_ROLLBACK_COMPLETE") { $0.pending = nil }
    } else {
      // ContinueUpdateRollback tries again from here.
      try await session.stackStatus("UPDATE_ROLLBACK_FAILED", Self.summary(failures)) { $0.pending = nil }
    }
  }

  private func rollBack(_ resource: ResourceState, to before: ResourceState?) async throws {
    let id = resource.logicalID
    guard let before else {
      if let handle = resource.handle { try await remove(resource, handle, honoursPolicies: false) }
      return try await session.change(
        session.event(id, resource.handle?.physicalID ?? "", resource.type, "DELETE_COMPLETE", nil)
      ) {
        $0.resources[id] = nil
      }
    }
    let wasTouched =
      resource.handle != before.handle || resource.properties != before.properties || resource.status == "UPDATE_FAILED"
    guard wasTouched else { return }
    if let handle = resource.handle, let old = before.handle, handle.physicalID == old.physicalID {
      // In place: the old properties are applied again, whether the change had got through or not.
      let properties = try await session.resolved(try session.properties(before))
      let now = try await session.resolved(try session.properties(resource))
      let context = session.context(id, tags: session.record.input.tags, policy: before.deletionPolicy)
      if now != properties || resource.status == "UPDATE_FAILED" {
        let provider = try provider(before.type)
        _ = try await ResourceWaits.limited(service.environment.clock) {
          try await provider.update(handle, now, properties, context)
        }
      }
    } else if let handle = resource.handle {
      try await remove(resource, handle, honoursPolicies: false)
    }
    var restored = before
    restored.status = "UPDATE_COMPLETE"
    restored.changed = service.environment.clock.now
    let back = restored
    try await session.change(session.event(id, back.handle?.physicalID ?? "", back.type, back.status, nil)) {
      $0.resources[id] = back
      $0.pending?.leftovers.removeAll { $0.logicalID == id && $0.handle == back.handle }
    }
  }

  /// Removes what an update replaced or dropped. What cannot be removed is told and left: the update has succeeded.
  private func cleanUp(_ operation: PendingOperation) async throws {
    let leftovers = operation.leftovers
    var neededBy: [String: Set<String>] = [:]
    for resource in leftovers {
      for need in resource.needs { neededBy[need, default: []].insert(resource.logicalID) }
    }
    _ = await OrderedRun.run(leftovers.map(\.logicalID), needs: neededBy) { id in
      guard let resource = leftovers.first(where: { $0.logicalID == id }), let handle = resource.handle else { return }
      let isReplaced = session.record.resources[id] != nil
      let policy = isReplaced ? resource.replacePolicy : resource.deletionPolicy
      if Self.retaining.contains(policy ?? "") {
        try await session.change(session.event(id, handle.physicalID, resource.type, "DELETE_SKIPPED", nil)) { _ in }
        return
      }
      do {
        let context = session.context(id, tags: session.record.input.tags, policy: policy)
        try await provider(resource.type).delete(handle, try session.properties(resource), context)
        try await session.change(session.event(id, handle.physicalID, resource.type, "DELETE_COMPLETE", nil)) { _ in }
      } catch {
        try await session.change(
          session.event(id, handle.physicalID, resource.type, "DELETE_FAILED", Self.reason(error))
        ) { _ in }
      }
    }
    try await session.stackStatus("UPDATE_COMPLETE") { $0.pending = nil }
  }
}
