// Trades a provider's code for a session, on a thread of its own: the loop goes on meanwhile.
import Fetch
import GateProtocol
import GateTokens
import Glibc
import Synchronization

/// What came of a sign-in.
enum SignInOutcome: Sendable {
  case signedIn(SignInSession, url: String)
  case failed(SignInProblem)
}

struct SignInJob: Sendable {
  var oidc: GateSnapshot.OIDC
  var code: String
  var redirectURI: String
  /// Where the user wanted to go.
  var url: String
  /// Seconds since 1970.
  var now: Double
  /// By which the loop knows the request that waits.
  var id: UInt64
  var mailbox: Mailbox<LoopMessage>

  /// Sign-ins under way in all loops; each has a thread.
  private static let running = Atomic<Int>(0)
  private static let runningMax = 64

  /// Starts the thread; false when too many run.
  func start() -> Bool {
    if Self.running.add(1, ordering: .relaxed).newValue > Self.runningMax {
      Self.running.subtract(1, ordering: .relaxed)
      return false
    }
    var thread = pthread_t()
    let own = Unmanaged.passRetained(Box(self))
    let result = pthread_create(
      &thread, nil,
      { raw in
        if let raw {
          let job = Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().job
          job.mailbox.post(.signIn(id: job.id, job.run()))
          SignInJob.running.subtract(1, ordering: .relaxed)
        }
        return nil
      }, own.toOpaque())
    if result != 0 {
      own.release()
      Self.running.subtract(1, ordering: .relaxed)
      return false
    }
    pthread_detach(thread)
    return true
  }

  private final class Box: Sendable {
    let job: SignInJob
    init(_ job: SignInJob) { self.job = job }
  }

  // MARK: - The thread

  func run() -> SignInOutcome {
    let request = FetchRequest(
      method: "POST", url: oidc.tokenEndpoint,
      headers: [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Authorization", OIDCProtocol.basicCredentials(clientID: oidc.clientID, secret: oidc.clientSecret)),
      ], body: Array(OIDCProtocol.tokenRequest(code: code, redirectURI: redirectURI).utf8),
      authorities: oidc.authorities)
    switch HTTPFetch.perform(request) {
    case .timedOut: return .failed(.tokenRequestTimeout)
    case .tooLarge: return .failed(.invalidTokenResponse)
    case .failed(let reason):
      GateLog.error("an identity provider cannot be asked", [("endpoint", oidc.tokenEndpoint), ("reason", reason)])
      return .failed(.tokenRequestFailed)
    case .answered(let status, let body):
      let tokens = OIDCProtocol.tokens(
        status: status, body: body, issuer: oidc.issuer, clientID: oidc.clientID, now: now)
      switch tokens {
      case .success(let tokens): return userInfo(tokens)
      case .failure(let problem): return .failed(problem)
      }
    }
  }

  private func userInfo(_ tokens: OIDCProtocol.Tokens) -> SignInOutcome {
    let request = FetchRequest(
      url: oidc.userInfoEndpoint, headers: [("Authorization", "Bearer \(tokens.accessToken)")],
      authorities: oidc.authorities)
    switch HTTPFetch.perform(request) {
    case .timedOut: return .failed(.userInfoRequestTimeout)
    case .tooLarge: return .failed(.userInfoTooLarge)
    case .failed(let reason):
      GateLog.error("an identity provider cannot be asked", [("endpoint", oidc.userInfoEndpoint), ("reason", reason)])
      return .failed(.userInfoRequestFailed)
    case .answered(let status, let body):
      switch OIDCProtocol.userInfo(status: status, body: body, subject: tokens.subject) {
      case .success(let claims):
        let lifetime = min(oidc.sessionTimeout, tokens.expiresIn ?? .infinity)
        return .signedIn(
          SignInSession(
            subject: tokens.subject, accessToken: tokens.accessToken, claims: claims, expires: now + lifetime),
          url: url)
      case .failure(let problem): return .failed(problem)
      }
    }
  }
}
