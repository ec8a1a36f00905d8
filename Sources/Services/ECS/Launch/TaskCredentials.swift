// The container credentials endpoint: a task's own role, for whoever shows the task's token.

import AWSCore
import FoundationEssentials
import STSModel
import ServiceKit
import Store
import Supervisor

extension ECSService {
  /// What `AWS_CONTAINER_CREDENTIALS_FULL_URI` answers.
  /// - Parameters:
  ///   - id: the task's id.
  ///   - authorization: the value of the request's `Authorization` header.
  /// - Returns: `AccessKeyId`, `SecretAccessKey`, `Token`, `Expiration` and `RoleArn`.
  /// - Throws: `AWSError` 404 for tasks that are not there, 401 for a wrong token, and what AssumeRole answers.
  public func taskCredentials(id: String, authorization: String) async throws -> JSONValue {
    let found = try await store.read { snapshot -> (Scope, TaskRecord, String?)? in
      guard let (scope, task) = try snapshot.find(TaskRecord.self, index: "live", "yes").first(where: { $0.1.id == id })
      else { return nil }
      let definition = try Lookup.taskDefinition(task.taskDefinition, snapshot, scope)?.definition.value
      return (scope, task, task.overrides.value.taskRoleArn ?? definition?.taskRoleArn)
    }
    // The same answer for a task that is not there and one whose token is another.
    let refused = AWSError("AccessDenied", "The authorization token is not that of a running task.", status: 401)
    guard let (scope, task, role) = found, let token = task.token else { throw refused }
    let expected = try token.open(store.sealer, context: "ecs.task/\(task.id)")
    guard Self.equals(expected, Array(authorization.utf8)) else { throw refused }
    guard let role else {
      throw AWSError("NoRole", "The task \(id) has no task role.", status: 404)
    }
    let session = try await roles.session(role: role, task: task.id, scope)
    return [
      "RoleArn": .string(role), "AccessKeyId": .string(session.credentials.accessKeyId ?? ""),
      "SecretAccessKey": .string(session.credentials.secretAccessKey ?? ""),
      "Token": .string(session.credentials.sessionToken ?? ""), "Expiration": .string(session.expires.iso8601),
    ]
  }

  /// Compares in the same time wherever the first difference is.
  private static func equals(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }

  func removeLogs() async throws {
    let directory = logDirectory
    try await BlockingQueue.once("task-logs") { try PrivateFiles.remove(directory) }
  }
}
