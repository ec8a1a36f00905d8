// A request whose user's access token has ended: it waits in front of its target while the provider is asked for another,
// and its answer brings the browser the new session.
import GateProtocol
import GateTokens
import HTTPWire

/// A request's session that is to be refreshed before the request goes on.
struct StaleSession {
  let session: SignInSession
  /// The rule that wants it.
  let priority: Int
  /// Scheme and host, and path and query, as the client says them: for the case that the user must sign in anew.
  let origin: String?
  let url: String
  /// Cookies in which the browser has it.
  let shards: Int
  /// Where in `outgoing` the lines about the user belong.
  var place = 0
}

extension Exchange {
  final func stale(
    _ session: SignInSession, _ check: SignInCheck, _ priority: Int, _ target: TargetParts,
    _ bytes: UnsafePointer<UInt8>
  ) -> StaleSession {
    StaleSession(
      session: session, priority: priority, origin: origin(bytes), url: target.url(bytes),
      shards: check.shards(loop.requestHead, bytes))
  }

  /// Asks the provider; the request, complete in `outgoing`, goes to its target afterwards.
  final func refresh(_ stale: StaleSession) {
    staleSession = nil
    guard let check = listener.rules.signIns[stale.priority], let token = stale.session.refreshToken else {
      return refreshFailed(stale)
    }
    let id = loop.random.next() | 1
    wait(id, .refresh(stale))
    let job = SignInJob(
      oidc: check.oidc, grant: .refresh(stale.session, token: token), now: Double(loop.wallSeconds))
    loop.control.post(.signIn(loop: loop.index, id: id, job))
  }

  /// The provider's word is there.
  final func refreshEnded(_ stale: StaleSession, _ outcome: SignInOutcome) {
    guard case .signedIn(let session, let isNew) = outcome, let check = listener.rules.signIns[stale.priority],
      let cookies = check.cookies(
        session, seal: loop.cookies.seal, isSecure: listener.isSecure, replacing: stale.shards),
      let lines = check.lines(
        of: session, signer: loop.identitySigner, balancer: balancer.id, second: loop.wallSeconds)
    else { return refreshFailed(stale) }
    if isNew { node.statistics.signInsRefreshed += 1 }
    for cookie in cookies { sessionLines += Array("Set-Cookie: \(cookie)\r\n".utf8) }
    outgoing.insert(lines, at: stale.place)
    touch()
    dispatch(except: nil)
  }

  /// The user signs in anew, as if there were no session.
  private func refreshFailed(_ stale: StaleSession) {
    guard let check = listener.rules.signIns[stale.priority],
      let local = signIn(check, stale.priority, origin: stale.origin, url: stale.url)
    else { return dispatch(except: nil) }
    outgoing.clear()
    answer(local, closing: !request.body.isDone)
  }
}

extension TargetParts {
  /// Path and query.
  func url(_ bytes: UnsafePointer<UInt8>) -> String {
    String(decoding: UnsafeBufferPointer(start: bytes + path.start, count: query.end - path.start), as: UTF8.self)
  }
}
