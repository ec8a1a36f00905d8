// A resource type that costs nothing, so that the stack engine is seen and nothing else.

import AWSCore
import ServiceKit
import Synchronization
import Testing

/// The world of the type `Test::Box`: what stands in it, what was done in which order, and what is to go wrong.
///
/// A box's `Name` cannot be changed (another name means another box), its `Size` can. `Ref` gives `box-N`, `Fn::GetAtt`
/// knows `Size`, `Number` and `Label`.
final class Boxes: Sendable {
  private struct World {
    var journal: [String] = []
    var standing: [String: JSONValue] = [:]
    var contexts: [String: ResourceContext] = [:]
    var made = 0
    var failures: Set<String> = []
    var held: Set<String> = []
  }
  private let world = Mutex(World())

  /// What was done: `create A`, `update A`, `delete A`, by logical id, in the order of its beginning.
  var journal: [String] { world.withLock { $0.journal } }
  /// The properties of the boxes that stand, by physical id.
  var standing: [String: JSONValue] { world.withLock { $0.standing } }

  /// The context that a resource was last made or changed with.
  func context(_ logicalID: String) -> ResourceContext? { world.withLock { $0.contexts[logicalID] } }
  func clearJournal() { world.withLock { $0.journal = [] } }
  /// Lets a deed (`create A`) go wrong from now on.
  func fail(_ deed: String) { world.withLock { _ = $0.failures.insert(deed) } }
  func mend(_ deed: String) { world.withLock { _ = $0.failures.remove(deed) } }
  /// Lets a deed begin and not end until it is released.
  func hold(_ deed: String) { world.withLock { _ = $0.held.insert(deed) } }
  func release(_ deed: String) { world.withLock { _ = $0.held.remove(deed) } }

  /// Returns once a deed has begun.
  func begun(_ deed: String) async throws { try await eventually("\(deed) begins") { self.journal.contains(deed) } }

  private func begin(_ deed: String) async throws {
    world.withLock { $0.journal.append(deed) }
    while world.withLock({ $0.held.contains(deed) }) { try await Task.sleep(for: .milliseconds(2)) }
    if world.withLock({ $0.failures.contains(deed) }) { throw AWSError("BoxError", "\(deed) went wrong") }
  }

  private static func handle(_ id: String, _ number: Int, _ properties: JSONValue) -> ResourceHandle {
    ResourceHandle(
      id,
      attributes: [
        "Size": properties["Size"] ?? 0, "Number": .integer(number),
        "Label": .string("\(properties["Name"]?.text ?? "unnamed")/\(properties["Size"]?.text ?? "0")"),
      ])
  }

  /// `Test::Box`, one that is stable only when it has settled (`settle A`), and a role that is a box too, since templates
  /// that make roles must be acknowledged.
  var providers: [ResourceProvider] {
    var slow = provider("Test::SlowBox")
    slow.stabilize = { handle, context in
      try await self.begin("settle \(context.logicalID)")
      var settled = handle
      settled.attributes["Label"] = "settled"
      return settled
    }
    return [provider("Test::Box"), slow, provider("AWS::IAM::Role")]
  }

  private func provider(_ type: String) -> ResourceProvider {
    ResourceProvider(
      type, properties: ["Name", "Size", "Content", "RoleName"], replacedBy: ["Name"],
      create: { properties, context in
        try await self.begin("create \(context.logicalID)")
        let number = self.world.withLock { world in
          world.made += 1
          world.standing["box-\(world.made)"] = properties
          world.contexts[context.logicalID] = context
          return world.made
        }
        return Self.handle("box-\(number)", number, properties)
      },
      update: { handle, _, properties, context in
        try await self.begin("update \(context.logicalID)")
        self.world.withLock { world in
          world.standing[handle.physicalID] = properties
          world.contexts[context.logicalID] = context
        }
        return Self.handle(handle.physicalID, handle.attributes["Number"]?.integer ?? 0, properties)
      },
      delete: { handle, _, context in
        try await self.begin("delete \(context.logicalID)")
        self.world.withLock { _ = $0.standing.removeValue(forKey: handle.physicalID) }
      })
  }
}

/// Returns once the condition holds; records a failure when it has not within a time that no test needs.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while try await !condition() {
    try #require(ContinuousClock.now < deadline, "\(what): not in 30 seconds")
    try await Task.sleep(for: .milliseconds(5))
  }
}
