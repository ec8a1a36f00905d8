// Unsealed material in memory: unsealing and parsing are the slow part of a small Encrypt or Sign.

import Synchronization

/// A bounded map from a material's id to the material. An id is never used again, so what is here is never outdated;
/// it is taken out when its key is disabled, about to be deleted, or gone.
///
/// Bounded by two generations, as the store's cache of records.
final class MaterialCache: Sendable {
  private struct State {
    var young: [String: Material] = [:]
    var old: [String: Material] = [:]
  }
  private let state = Mutex(State())
  private let countMax: Int

  init(countMax: Int = KMSLimits.materialsInMemoryMax) { self.countMax = countMax }

  /// The material with that id, unsealed by `open` when it is not here.
  func material(_ id: String, _ open: () throws -> Material) rethrows -> Material {
    if let known = state.withLock({ lookup(id, &$0) }) { return known }
    let material = try open()
    state.withLock { insert(id, material, &$0) }
    return material
  }

  /// Forgets the material of a key.
  func drop(_ materials: [KeyMaterial]) {
    state.withLock { s in
      for material in materials {
        s.young[material.id] = nil
        s.old[material.id] = nil
      }
    }
  }

  private func lookup(_ id: String, _ s: inout State) -> Material? {
    if let material = s.young[id] { return material }
    guard let material = s.old.removeValue(forKey: id) else { return nil }
    insert(id, material, &s)
    return material
  }

  private func insert(_ id: String, _ material: Material, _ s: inout State) {
    if s.young.count >= max(1, countMax / 2) {
      s.old = s.young
      s.young = [:]
    }
    s.young[id] = material
  }
}
