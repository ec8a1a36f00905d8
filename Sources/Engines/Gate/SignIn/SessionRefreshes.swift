// Access tokens that have ended and are had anew. Many requests of one user find that at the same time, on several loops;
// a refresh token may be good for one use only (RFC 9700, section 2.2.2): the provider is asked once for all of them.
import GateProtocol
import GateTokens
import Synchronization

/// The refreshes of all loops, under way or just over.
final class SessionRefreshes: Sendable {
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

  /// Asks a provider, for a session's new access token once for all who ask; the loop is told by its mailbox. Called on
  /// the control thread, so that the question's thread has the process's descriptors, not a loop's.
  func ask(_ job: SignInJob, id: UInt64, mailbox: Mailbox<LoopMessage>) {
    switch job.grant {
    case .code:
      if !job.start({ mailbox.post(.signIn(id: id, $0)) }) { mailbox.post(.signIn(id: id, .failed(.unhandled))) }
    case .refresh(_, let token): refresh(job, token, id: id, mailbox: mailbox)
    }
  }

  private func refresh(_ job: SignInJob, _ token: String, id: UInt64, mailbox: Mailbox<LoopMessage>) {
    let now = job.now
    let key = Key(endpoint: job.oidc.tokenEndpoint, client: job.oidc.clientID, token: token)
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
    if isFirst, !job.start({ self.ended(key, $0, now) }) { ended(key, .failed(.unhandled), now) }
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
    guard case .running(let waiters)? = entry else { return }
    for (index, waiter) in waiters.enumerated() {
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
