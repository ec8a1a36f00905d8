// Signing users in by OpenID Connect: sending them to the provider, and taking them back.
import GateProtocol
import GateTokens
import HTTPWire

/// What a request waits for a provider's word for.
enum SignInWait {
  case callback(SignInCallback)
  case refresh(StaleSession)
}

/// A user who came back from the provider.
struct SignInCallback {
  /// The rule that sent the user there.
  let priority: Int
  /// Where the user wanted to go.
  let location: String
  /// Cookies of another session that the browser has.
  let shards: Int
}

extension Exchange {
  /// Seconds that a user has to sign in.
  private static let signInTime: Double = 900

  /// Answers a request without a session as the action says; nil when it goes on without one.
  final func signIn(
    _ check: SignInCheck, _ priority: Int, _ target: TargetParts, _ bytes: UnsafePointer<UInt8>
  ) -> LocalAnswer? {
    signIn(check, priority, origin: origin(bytes), url: target.url(bytes))
  }

  /// - Parameters:
  ///   - origin: scheme and host as the client says them.
  ///   - url: path and query.
  final func signIn(_ check: SignInCheck, _ priority: Int, origin: String?, url: String) -> LocalAnswer? {
    switch check.oidc.onUnauthenticated {
    case .allow: return nil
    case .deny:
      node.statistics.signInsRefused += 1
      return LocalAnswer(status: 401)
    case .authenticate: break
    }
    let nonce = String(loop.random.next(), radix: 16) + String(UInt64.random(in: 0...UInt64.max), radix: 16)
    let state = SignInState(
      url: url, priority: priority, nonce: nonce,
      expires: Double(loop.wallSeconds) + Self.signInTime)
    guard let origin else { return refusedSignIn(.missingHost) }
    guard let sealed = loop.cookies.seal.sealValue(state, purpose: SignInCheck.statePurpose) else {
      return refusedSignIn(.unhandled)
    }
    let location = OIDCProtocol.authorizationURL(
      endpoint: check.oidc.authorizationEndpoint, clientID: check.oidc.clientID,
      redirectURI: origin + OIDCProtocol.callbackPath, scope: check.oidc.scope, state: sealed,
      extra: check.oidc.extraParameters)
    var local = LocalAnswer(redirectTo: location)
    let attributes = listener.isSecure ? "; Secure; SameSite=None" : ""
    local.headers = [("Set-Cookie", "\(SignInCheck.nonceCookie)=\(nonce); Path=/; HttpOnly\(attributes)")]
    record?.redirectURL = location
    return local
  }

  /// The provider sent the user back. Returns how many bytes belong to the request.
  final func finishSignIn(
    _ target: TargetParts, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int
  ) -> Int {
    record?.add(action: "authenticate")
    let query = UnsafeBufferPointer(start: bytes + target.query.start, count: target.query.count)
    switch signInJob(OIDCProtocol.fields(query), bytes) {
    case .failure(let problem):
      let local = refusedSignIn(problem)
      return headLength + answerAndSkipBody(local, bytes + headLength, count - headLength)
    case .success(let (job, callback)):
      let id = loop.random.next() | 1
      wait(id, .callback(callback))
      loop.control.post(.signIn(loop: loop.index, id: id, job))
      willDispatch()
      touch()
      return headLength
    }
  }

  private func signInJob(
    _ fields: [String: String], _ bytes: UnsafePointer<UInt8>
  ) -> Result<(SignInJob, SignInCallback), SignInProblem> {
    guard let sealed = fields["state"] else { return .failure(.missingState) }
    guard
      let state = loop.cookies.seal.openValue(SignInState.self, Array(sealed.utf8), purpose: SignInCheck.statePurpose),
      state.expires > Double(loop.wallSeconds), let check = listener.rules.signIns[state.priority]
    else { return .failure(.invalidState) }
    guard let nonce = CookieJar.cookie(named: Array(SignInCheck.nonceCookie.utf8), loop.requestHead, bytes),
      nonce.elementsEqual(state.nonce.utf8)
    else { return .failure(.invalidCookie) }
    if let error = fields["error"] { return .failure(error == "access_denied" ? .invalidCookie : .invalidGrant) }
    guard let code = fields["code"], !code.isEmpty else { return .failure(.missingCode) }
    guard let origin = origin(bytes) else { return .failure(.missingHost) }
    let job = SignInJob(
      oidc: check.oidc, grant: .code(code, redirectURI: origin + OIDCProtocol.callbackPath),
      now: Double(loop.wallSeconds))
    return .success(
      (
        job,
        SignInCallback(
          priority: state.priority, location: origin + state.url, shards: check.shards(loop.requestHead, bytes))
      ))
  }

  /// Waits for a provider's word.
  final func wait(_ id: UInt64, _ wait: SignInWait) {
    signInWait = (id, wait, loop.now)
    loop.pendingSignIns[id] = self
  }

  /// The provider's word is there.
  final func signInEnded(_ outcome: SignInOutcome) {
    guard let (_, wait, began) = signInWait else { return }
    signInWait = nil
    switch wait {
    case .callback(let callback):
      node.statistics.signInLatency.record(microseconds: loop.now &- began)
      answer(callbackAnswer(callback, outcome), closing: !request.body.isDone)
    case .refresh(let stale): refreshEnded(stale, outcome)
    }
  }

  private func callbackAnswer(_ callback: SignInCallback, _ outcome: SignInOutcome) -> LocalAnswer {
    let session: SignInSession
    switch outcome {
    case .failed(let problem): return refusedSignIn(problem)
    case .signedIn(let signedIn, _): session = signedIn
    }
    guard let check = listener.rules.signIns[callback.priority],
      let cookies = check.cookies(
        session, seal: loop.cookies.seal, isSecure: listener.isSecure, replacing: callback.shards)
    else { return refusedSignIn(.userInfoTooLarge) }
    node.statistics.signInsSucceeded += 1
    var local = LocalAnswer(redirectTo: callback.location)
    local.headers = cookies.map { ("Set-Cookie", $0) }
    record?.redirectURL = callback.location
    return local
  }

  private func refusedSignIn(_ problem: SignInProblem) -> LocalAnswer {
    if problem.status == 500 {
      node.statistics.signInsFailed += 1
    } else {
      node.statistics.signInsRefused += 1
    }
    if problem == .userInfoTooLarge { node.statistics.signInsTooLarge += 1 }
    record?.errorReason = problem.rawValue
    return LocalAnswer(status: problem.status)
  }

  /// `https://host[:port]` as the client says it; nil without a Host.
  final func origin(_ bytes: UnsafePointer<UInt8>) -> String? {
    guard loop.requestHead.hostField >= 0 else { return nil }
    let field = loop.requestHead.fields[loop.requestHead.hostField]
    if field.valueLength == 0 { return nil }
    let host = UnsafeBufferPointer(start: bytes + Int(field.valueStart), count: Int(field.valueLength))
    return (listener.isSecure ? "https://" : "http://") + String(decoding: host, as: UTF8.self)
  }
}

extension LocalAnswer {
  init(redirectTo location: String) {
    self.init(GateSnapshot.Redirect(statusCode: 302), location: location)
  }
}
