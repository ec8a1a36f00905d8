// The log store, opened when it is first needed.

import LogStore
import Synchronization

/// Opens the engine once, for whoever asks first.
final class LazyLogStore: Sendable {
  private let folder: String
  private let opening = Mutex<Task<LogStore, any Error>?>(nil)

  init(folder: String) { self.folder = folder }

  /// The store. A failed opening is tried again by the next caller.
  func callAsFunction() async throws -> LogStore {
    let task = opening.withLock { task in
      if let task { return task }
      let folder = folder
      let new = Task { try await LogStore.open(folder) }
      task = new
      return new
    }
    do {
      return try await task.value
    } catch {
      opening.withLock { if $0 == task { $0 = nil } }
      throw error
    }
  }
}
