// What falls due: deletions and automatic rotations.

import AWSCore
import ServiceKit
import Store

/// A step that is due for a key.
enum KeyAction: Hashable {
  case delete
  case rotate
}

/// What is to be done with a key now.
func plan(_ key: KeyRecord, now: Timestamp) -> KeyAction? {
  if key.state == .pendingDeletion { return key.deletionDate.map { $0 <= now } == true ? .delete : nil }
  guard key.rotationEnabled, key.state == .enabled, let due = key.nextRotation, due <= now else { return nil }
  return .rotate
}

/// When a key next has something due; nil when nothing is planned.
func nextDue(_ key: KeyRecord) -> Timestamp? {
  switch key.state {
  case .pendingDeletion: key.deletionDate
  case .enabled: key.rotationEnabled ? key.nextRotation : nil
  case .disabled: nil
  }
}

extension KMSService {
  public func run() async throws {
    try await runByCalendar(clock: environment.clock, changes: store.changes(in: [KeyRecord.collection])) {
      try await settle()
    }
  }

  /// Does what is due.
  /// - Returns: when the next thing is due.
  func settle() async throws -> Timestamp? {
    let now = environment.clock.now
    let keys = try await store.read { try $0.list(KeyRecord.self) }
    var next: Timestamp?
    for (scope, key) in keys {
      if plan(key, now: now) != nil { try await apply(key.id, scope, now) }
      let key = try await store.get(KeyRecord.self, scope, key.id)
      if let due = key.flatMap(nextDue), next.map({ due < $0 }) ?? true { next = due }
    }
    return next
  }

  /// Decides anew inside the transaction, as the key may have changed since it was read.
  private func apply(_ id: String, _ scope: Scope, _ now: Timestamp) async throws {
    let bytes = try await Material.generate(.symmetric, environment.ids)
    let dropped = try await store.write { tx -> [KeyMaterial] in
      guard var key = try tx.get(KeyRecord.self, scope, id) else { return [] }
      switch plan(key, now: now) {
      case .delete:
        try tx.delete(KeyRecord.self, scope, id)
        try tx.delete(KeyGrantsRecord.self, scope, id)
        for alias in try tx.find(AliasRecord.self, scope, index: "key", id) {
          try tx.delete(AliasRecord.self, scope, alias.name)
        }
        return key.materials
      case .rotate:
        key.materials.append(try seal(bytes, into: key, rotation: .automatic, now: now))
        key.nextRotation = now.adding(days: key.rotationPeriodInDays ?? KMSLimits.rotationPeriodDaysDefault)
        try tx.put(key, scope)
        return []
      case nil: return []
      }
    }
    cache.drop(dropped)
  }
}
