// Policies, parsed once.

import Policy
import Synchronization

/// Parsed policies by their text. Bounded: the young half becomes the old one when it is full, and the old is dropped.
final class PolicyCache: Sendable {
  private struct Key: Hashable {
    let text: String
    let kind: PolicyDocument.Kind
  }
  private struct State {
    var young: [Key: PolicyDocument] = [:]
    var old: [Key: PolicyDocument] = [:]
  }
  private let state = Mutex(State())

  /// - Throws: `MalformedPolicy`.
  func document(_ text: String, _ kind: PolicyDocument.Kind) throws(MalformedPolicy) -> PolicyDocument {
    let key = Key(text: text, kind: kind)
    if let known = state.withLock({ $0.young[key] ?? $0.old[key] }) { return known }
    let parsed = try PolicyDocument(text, kind: kind)
    state.withLock {
      if $0.young.count >= Limits.cachedPolicies / 2 {
        $0.old = $0.young
        $0.young = [:]
      }
      $0.young[key] = parsed
    }
    return parsed
  }
}
