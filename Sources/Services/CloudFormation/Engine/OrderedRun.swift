// Runs steps that need one another: each as soon as what it needs is done, several at a time.

import AWSCore

enum OrderedRun {
  /// How many resources are worked on at the same time.
  static let widthMax = 24

  /// Runs a step for each id, after those that it needs (needs outside `ids` count as done). After the first failure
  /// nothing new is begun; what is under way is awaited, since a resource half made could not be found again.
  /// - Returns: what failed.
  static func run(
    _ ids: [String], needs: [String: Set<String>], _ step: @escaping @Sendable (String) async throws -> Void
  ) async -> [String: any Error] {
    let all = Set(ids)
    var waiting = ids
    var done: Set<String> = []
    var failures: [String: any Error] = [:]
    await withTaskGroup(of: (String, (any Error)?).self) { group in
      var running = 0
      func begin() {
        guard failures.isEmpty else { return }
        var rest: [String] = []
        for id in waiting {
          let isReady = (needs[id] ?? []).allSatisfy { !all.contains($0) || done.contains($0) }
          guard isReady, running < widthMax else {
            rest.append(id)
            continue
          }
          running += 1
          group.addTask {
            do {
              try await step(id)
              return (id, nil)
            } catch {
              return (id, error)
            }
          }
        }
        waiting = rest
      }
      begin()
      for await (id, error) in group {
        running -= 1
        if let error { failures[id] = error } else { done.insert(id) }
        begin()
      }
    }
    return failures
  }
}
