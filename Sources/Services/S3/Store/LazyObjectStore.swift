// The object store, opened when it is first needed.

import ObjectStore
import Synchronization

/// Opens the engine once, for whoever asks first.
final class LazyObjectStore: Sendable {
  private struct State: Sendable {
    var store: ObjectStore?
    var opening: Task<ObjectStore, any Error>?
  }
  private let folder: String
  private let state = Mutex(State())

  init(folder: String) { self.folder = folder }

  /// The store. A failed opening is tried again by the next caller.
  func callAsFunction() async throws -> ObjectStore {
    let task = state.withLock { state -> Task<ObjectStore, any Error>? in
      if state.store != nil { return nil }
      if let opening = state.opening { return opening }
      let folder = folder
      let new = Task { try await ObjectStore.open(folder) }
      state.opening = new
      return new
    }
    guard let task else { return try opened() }
    do {
      let store = try await task.value
      state.withLock { $0.store = store }
      return store
    } catch {
      state.withLock { if $0.opening == task { $0.opening = nil } }
      throw error
    }
  }

  private func opened() throws -> ObjectStore {
    guard let store = state.withLock({ $0.store }) else { throw ObjectStoreError.misuse("the store is not open") }
    return store
  }
}
