// The identities that tasks lend: execution roles for what ECS does for a task, task roles for what it does itself.

import AWSCore
import STSModel
import ServiceKit
import Store
import Synchronization

/// Sessions of roles, assumed as `ecs-tasks.amazonaws.com` and kept until shortly before they run out.
final class RoleSessions: Sendable {
  struct Session: Sendable {
    var credentials: STS.Credentials
    var principal: Principal
    var expires: Timestamp
  }
  private let environment: ServiceEnvironment
  private let sessions = Mutex<[String: Session]>([:])

  init(_ environment: ServiceEnvironment) { self.environment = environment }

  /// A session of the role in the name of a task.
  /// - Throws: the `AWSError` of AssumeRole: the role is not there, or does not trust ecs-tasks.amazonaws.com.
  func session(role: String, task: String, _ scope: Scope) async throws -> Session {
    let key = "\(role)|\(task)"
    let now = environment.clock.now
    if let known = sessions.withLock({ $0[key] }), known.expires.adding(seconds: -Limits.credentialsMargin) > now {
      return known
    }
    let call = environment.call(as: "ecs-tasks.amazonaws.com", account: scope.account, region: scope.region)
    let answer = try await call.invoke(
      STS.assumeRole,
      .make {
        $0.roleArn = role
        $0.roleSessionName = task
        $0.durationSeconds = Limits.credentialsLife
      })
    guard let credentials = answer.credentials, let user = answer.assumedRoleUser, let arn = user.arn else {
      throw AWSError("InternalFailure", "AssumeRole gave no credentials.", status: 500)
    }
    let account = ARN(role)?.account ?? scope.account
    let session = Session(
      credentials: credentials,
      principal: Principal(
        kind: .assumedRole, account: account, arn: arn, userID: user.assumedRoleId ?? arn, roleARN: role),
      expires: credentials.expiration ?? now.adding(seconds: Double(Limits.credentialsLife)))
    sessions.withLock { $0[key] = session }
    return session
  }

  /// Forgets a task's sessions.
  func forget(task: String) {
    sessions.withLock { s in for key in s.keys where key.hasSuffix("|\(task)") { s[key] = nil } }
  }
}
