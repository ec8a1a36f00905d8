// What falls due: secrets whose recovery window is over.

import AWSCore
import ServiceKit
import Store

/// The secret is to be gone now.
func isDue(_ secret: SecretRecord, now: Timestamp) -> Bool { secret.deletionDate.map { $0 <= now } ?? false }

extension SecretsManagerService {
  public func run() async throws {
    try await runByCalendar(clock: environment.clock, changes: store.changes(in: [SecretRecord.collection])) {
      try await settle()
    }
  }

  /// Removes what is due.
  /// - Returns: when the next secret is.
  func settle() async throws -> Timestamp? {
    let now = environment.clock.now
    var next: Timestamp?
    for (_, secret) in try await store.read({ try $0.list(SecretRecord.self) }) {
      if isDue(secret, now: now) {
        try await store.write { tx in
          // It may have been restored since it was read.
          guard let secret = try tx.get(SecretRecord.self, secret.scope, secret.name), isDue(secret, now: now) else {
            return
          }
          try Self.remove(secret, tx)
        }
      } else if let date = secret.deletionDate, next.map({ date < $0 }) ?? true {
        next = date
      }
    }
    return next
  }
}
