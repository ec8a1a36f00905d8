// Asks a provider for a session, on a thread of its own: the loop goes on meanwhile.
import Fetch
import GateProtocol
import GateTokens
import Glibc
import Synchronization

/// What came of a question to a provider.
enum SignInOutcome: Sendable {
  /// - Parameter isNew: the provider was asked; false where its answer to another request served.
  case signedIn(SignInSession, isNew: Bool)
  case failed(SignInProblem)
}

struct SignInJob: Sendable {
  /// What is traded for a session.
  enum Grant: Sendable {
    /// The code that a user brought from the provider.
    case code(String, redirectURI: String)
    /// A session whose access token has ended, and its refresh token.
    case refresh(SignInSession, token: String)
  }

  var oidc: GateSnapshot.OIDC
  var grant: Grant
  /// Seconds since 1970.
  var now: Double

  /// Questions under way in all loops; each has a thread.
  private static let running = Atomic<Int>(0)
  private static let runningMax = 64

  /// Starts the thread, which tells what came of it; false when too many run.
  func start(_ tell: @escaping @Sendable (SignInOutcome) -> Void) -> Bool {
    if Self.running.add(1, ordering: .relaxed).newValue > Self.runningMax {
      Self.running.subtract(1, ordering: .relaxed)
      return false
    }
    var thread = pthread_t()
    let own = Unmanaged.passRetained(Box(self, tell))
    let result = pthread_create(
      &thread, nil,
      { raw in
        if let raw {
          let box = Unmanaged<Box>.fromOpaque(raw).takeRetainedValue()
          box.tell(box.job.run())
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
    let tell: @Sendable (SignInOutcome) -> Void

    init(_ job: SignInJob, _ tell: @escaping @Sendable (SignInOutcome) -> Void) {
      self.job = job
      self.tell = tell
    }
  }

  // MARK: - The thread

  func run() -> SignInOutcome {
    let fields: String
    var subject: String?
    switch grant {
    case .code(let code, let redirectURI): fields = OIDCProtocol.tokenRequest(code: code, redirectURI: redirectURI)
    case .refresh(let session, let token):
      fields = OIDCProtocol.refreshRequest(token: token)
      subject = session.subject
    }
    let request = FetchRequest(
      method: "POST", url: oidc.tokenEndpoint, place: .init(oidc.tokenPlace),
      headers: [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Authorization", OIDCProtocol.basicCredentials(clientID: oidc.clientID, secret: oidc.clientSecret)),
      ], body: Array(fields.utf8), authorities: oidc.authorities)
    switch HTTPFetch.perform(request) {
    case .timedOut: return .failed(.tokenRequestTimeout)
    case .tooLarge: return .failed(.invalidTokenResponse)
    case .failed(let reason):
      GateLog.error("an identity provider cannot be asked", [("endpoint", oidc.tokenEndpoint), ("reason", reason)])
      return .failed(.tokenRequestFailed)
    case .answered(let status, let body):
      let tokens = OIDCProtocol.tokens(
        status: status, body: body, issuer: oidc.issuer, clientID: oidc.clientID, now: now, refreshing: subject)
      switch tokens {
      case .success(let tokens): return userInfo(tokens)
      case .failure(let problem): return .failed(problem)
      }
    }
  }

  private func userInfo(_ tokens: OIDCProtocol.Tokens) -> SignInOutcome {
    let request = FetchRequest(
      url: oidc.userInfoEndpoint, place: .init(oidc.userInfoPlace),
      headers: [("Authorization", "Bearer \(tokens.accessToken)")],
      authorities: oidc.authorities)
    switch HTTPFetch.perform(request) {
    case .timedOut: return .failed(.userInfoRequestTimeout)
    case .tooLarge: return .failed(.userInfoTooLarge)
    case .failed(let reason):
      GateLog.error("an identity provider cannot be asked", [("endpoint", oidc.userInfoEndpoint), ("reason", reason)])
      return .failed(.userInfoRequestFailed)
    case .answered(let status, let body):
      switch OIDCProtocol.userInfo(status: status, body: body, subject: tokens.subject) {
      case .success(let claims): return .signedIn(session(tokens, claims), isNew: true)
      case .failure(let problem): return .failed(problem)
      }
    }
  }

  private func session(_ tokens: OIDCProtocol.Tokens, _ claims: String) -> SignInSession {
    let end: Double
    var refreshToken = tokens.refreshToken
    switch grant {
    case .code: end = now + oidc.sessionTimeout
    case .refresh(let old, let token):
      // The time for which a user is signed in begins with the sign-in, and a token that is not replaced stays good.
      end = old.expires
      refreshToken = refreshToken ?? token
    }
    return SignInSession(
      subject: tokens.subject, accessToken: tokens.accessToken, claims: claims, expires: end,
      accessExpires: tokens.expiresIn.map { now + $0 }, refreshToken: refreshToken)
  }
}

extension FetchRequest.Place {
  fileprivate init?(_ place: GateSnapshot.Place?) {
    switch place {
    case .at(let host, let port)?: self = .at(host: host, port: port)
    case .nowhere?: self = .nowhere
    case nil: return nil
    }
  }
}
