// Access tokens that have ended and are had anew. Many requests of one user find that at the same time, on several loops;
// a refresh token may be good for one use only (RFC 9700, section 2.2.2): the provider is asked once for all of them.
import GateProtocol
import GateTokens
import Synchronization

/// The refreshes of all loops, under way or just over.
final class SessionRefreshes: Sendable {
  static let shared = SessionRefreshes()

  /// Whose tokens they are.
  private struct Key: Hashable {
    let endpoint: String
    let client: String
    let token: String
  }

  private struct Waiter {
    /// By which the loop knows the request that waits.
    let id: UInt64
    let mailbox: Mailbox<LoopMessage>
  }

  private enum Entry {
    case running([Waiter])
    /// Until so many seconds since 1970 requests with the old cookies get this.
    case over(SignInSession, until: Double)
  }

  private static let overMax = 1024
  /// Seconds for which browsers may still send the old cookies.
  private static let overTime: Double = 60

  private let entries = Mutex<[Key: Entry]>([:])

  /// Has a session's access token renewed; the loop is told by its mailbox.
  /// - Returns: false when too many ask at the same time.
  func refresh(
    _ session: SignInSession, _ oidc: GateSnapshot.OIDC, now: Double, id: UInt64, mailbox: Mailbox<LoopMessage>
  ) -> Bool {
    guard let token = session.refreshToken else { return false }
    let key = Key(endpoint: oidc.tokenEndpoint, client: oidc.clientID, token: token)
    let waiter = Waiter(id: id, mailbox: mailbox)
    let isFirst = entries.withLock { entries in
      switch entries[key] {
      case .running(let waiters):
        entries[key] = .running(waiters + [waiter])
        return false
      case .over(let session, let until) where until > now:
        mailbox.post(.signIn(id: id, .signedIn(session, isNew: false)))
        return false
      case .over, nil:
        entries[key] = .running([waiter])
        return true
      }
    }
    if !isFirst { return true }
    let job = SignInJob(oidc: oidc, grant: .refresh(session, token: token), now: now)
    if job.start({ self.ended(key, $0, now) }) { return true }
    // Who came meanwhile is told; the first one by the answer of this call.
    tell(entries.withLock { $0.removeValue(forKey: key) }, .failed(.unhandled), exceptFirst: true)
    return false
  }

  private func ended(_ key: Key, _ outcome: SignInOutcome, _ now: Double) {
    let entry = entries.withLock { entries in
      let entry = entries.removeValue(forKey: key)
      if case .signedIn(let session, _) = outcome {
        if entries.count >= Self.overMax { Self.purge(&entries, now) }
        entries[key] = .over(session, until: now + Self.overTime)
      }
      return entry
    }
    tell(entry, outcome, exceptFirst: false)
  }

  private func tell(_ entry: Entry?, _ outcome: SignInOutcome, exceptFirst: Bool) {
    guard case .running(let waiters)? = entry else { return }
    for (index, waiter) in waiters.enumerated() where index > 0 || !exceptFirst {
      var own = outcome
      if index > 0, case .signedIn(let session, _) = outcome { own = .signedIn(session, isNew: false) }
      waiter.mailbox.post(.signIn(id: waiter.id, own))
    }
  }

  /// Takes away what is over: first what nobody can want, and all of it when that is not enough.
  private static func purge(_ entries: inout [Key: Entry], _ now: Double) {
    func drop(_ isDropped: (Double) -> Bool) {
      entries = entries.filter { if case .over(_, let until) = $0.value { !isDropped(until) } else { true } }
    }
    drop { $0 <= now }
    if entries.count >= overMax { drop { _ in true } }
  }
}
