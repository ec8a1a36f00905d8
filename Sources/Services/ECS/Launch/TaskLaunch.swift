// From a task's record and its definition to what the runtime starts.

import AWSCore
import ECSModel
import FoundationEssentials
import SecretsManagerModel
import ServiceKit
import Store
import Tasks

/// Prepares tasks for the process runtime.
struct TaskLaunch: Sendable {
  let environment: ServiceEnvironment
  let roles: RoleSessions
  let logs: LogDestinations
  /// A task's log files lie in a folder of its own here.
  let logDirectory: String

  func logFile(task: String, container: String) -> String { "\(logDirectory)/\(task)/\(container).log" }

  /// What the runtime is to start. Secrets are fetched, log streams made.
  /// - Parameter token: what the task shows to get its role's credentials.
  /// - Throws: `LaunchFailure`.
  func specification(
    _ task: TaskRecord, _ definition: ECS.TaskDefinition, token: String?, _ scope: Scope
  ) async throws -> TaskSpecification {
    let overrides = task.overrides.value
    let executionRole = overrides.executionRoleArn ?? definition.executionRoleArn
    var containers: [ContainerSpecification] = []
    for container in try ContainerOrder.sorted(definition.containerDefinitions ?? []) {
      let override = overrides.containerOverrides?.first { $0.name == container.name }
      try refuseWhatIsNotBuilt(container, override)
      let name = container.name ?? ""
      var variables = base(task, scope)
      for pair in container.environment ?? [] { if let name = pair.name { variables[name] = pair.value ?? "" } }
      for secret in container.secrets ?? [] {
        variables[secret.name] = try await value(of: secret, executionRole, task, scope)
      }
      for pair in override?.environment ?? [] { if let name = pair.name { variables[name] = pair.value ?? "" } }
      // The process shares the machine's network: its own address is the only one that it may listen on.
      variables["HOST"] = task.address
      if let token, overrides.taskRoleArn ?? definition.taskRoleArn != nil {
        variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "\(environment.endpoint)/_castle/credentials/\(task.id)"
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
      }
      try await prepareLog(container, task, executionRole, scope)
      let (command, directory) = try command(container, override)
      containers.append(
        ContainerSpecification(
          name: name, command: command, environment: variables, workingDirectory: directory,
          cpuUnits: override?.cpu ?? container.cpu,
          memoryBytes: Self.memory(container, override, task).map { UInt64($0) << 20 },
          logFile: logFile(task: task.id, container: name), isEssential: container.essential ?? true,
          openFiles: container.ulimits?.first { $0.name == "nofile" }.flatMap { UInt64(exactly: $0.hardLimit) },
          stopGrace: container.stopTimeout.map { Double($0) } ?? Limits.stopTimeout))
    }
    return TaskSpecification(
      id: task.id, containers: containers, address: task.address ?? "",
      labels: ["cluster": task.cluster, "group": task.group, "account": scope.account, "region": scope.region])
  }

  /// What every container is given; the definition may say otherwise.
  private func base(_ task: TaskRecord, _ scope: Scope) -> [String: String] {
    var variables = [
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
      "CASTLE_TASK_ID": task.id, "AWS_REGION": scope.region, "AWS_DEFAULT_REGION": scope.region,
      "AWS_ENDPOINT_URL": environment.endpoint, "AWS_EXECUTION_ENV": "AWS_ECS_\(task.launchType ?? "FARGATE")",
    ]
    if let home = ProcessInfo.processInfo.environment["HOME"] { variables["HOME"] = home }
    return variables
  }

  private static func memory(
    _ container: ECS.ContainerDefinition, _ override: ECS.ContainerOverride?, _ task: TaskRecord
  ) -> Int? {
    (override?.memory ?? container.memory ?? task.memory.flatMap { Int($0) }).flatMap { $0 > 0 ? $0 : nil }
  }

  // MARK: The program

  /// The program and its arguments, and the folder it runs in.
  private func command(
    _ container: ECS.ContainerDefinition, _ override: ECS.ContainerOverride?
  ) throws(LaunchFailure) -> (command: [String], directory: String?) {
    let labels = container.dockerLabels ?? [:]
    let directory = labels["castle.directory"] ?? container.workingDirectory
    if let directory, !FileManager.default.fileExists(atPath: directory) {
      throw LaunchFailure(.start, "the folder \(directory) does not exist", container: container.name)
    }
    let overridden = override?.command ?? []
    if let run = labels["castle.run"], !run.isEmpty {
      return (overridden.isEmpty ? ["/bin/sh", "-c", "exec \(run)"] : overridden, directory)
    }
    let image = container.image ?? ""
    let program = (container.entryPoint ?? []) + (overridden.isEmpty ? container.command ?? [] : overridden)
    guard image.isEmpty || image == "scratch", !program.isEmpty else {
      throw LaunchFailure(
        .pull, "the container runtime is not built: image \(image.isEmpty ? "(none)" : image) has no castle.run label",
        container: container.name)
    }
    return (program, directory)
  }

  /// Settings that change what a container does and that the process runtime cannot give it.
  private func refuseWhatIsNotBuilt(
    _ container: ECS.ContainerDefinition, _ override: ECS.ContainerOverride?
  ) throws(LaunchFailure) {
    func refuse(_ isUsed: Bool, _ what: String) throws(LaunchFailure) {
      if isUsed { throw LaunchFailure(.resource, "Castle does not implement \(what) yet", container: container.name) }
    }
    let files = (container.environmentFiles ?? []) + (override?.environmentFiles ?? [])
    try refuse(!files.isEmpty, "environment files")
    try refuse(!(container.mountPoints ?? []).isEmpty, "mount points of process tasks")
    try refuse(!(container.volumesFrom ?? []).isEmpty, "volumes from other containers")
    try refuse(container.restartPolicy?.enabled ?? false, "container restart policies")
    try refuse(container.firelensConfiguration != nil, "FireLens")
  }

  // MARK: Secrets

  private func value(
    of secret: ECS.Secret, _ role: String?, _ task: TaskRecord, _ scope: Scope
  ) async throws -> String {
    let reference: SecretReference
    do { reference = try SecretReference(secret.valueFrom) } catch {
      throw LaunchFailure(.resource, "unable to pull secrets or registry auth: \(error)")
    }
    guard let role else {
      throw LaunchFailure(
        .resource, "unable to pull secrets or registry auth: the task definition has secrets but no execution role")
    }
    let call = try await self.call(as: role, task, scope).in(region: ARN(reference.secret)?.region ?? scope.region)
    do {
      let answer = try await call.invoke(
        SecretsManager.getSecretValue,
        .make {
          $0.secretId = reference.secret
          $0.versionStage = reference.stage
          $0.versionId = reference.version
        })
      guard let text = answer.secretString else {
        throw AWSError("InvalidParameterException", "the secret \(reference.secret) is binary")
      }
      return try Self.part(reference.jsonKey, of: text, reference.secret)
    } catch let error as AWSError {
      throw LaunchFailure(
        .resource,
        "unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from "
          + "asm: service call has been retried 1 time(s): failed to fetch secret \(reference.secret) from secrets "
          + "manager: \(error.code): \(error.message)")
    }
  }

  /// The whole text, or the value of a key of its JSON.
  static func part(_ key: String?, of text: String, _ secret: String) throws -> String {
    guard let key else { return text }
    guard let json = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)), let value = json[key] else {
      throw AWSError(
        "ResourceNotFoundException", "retrieved secret from Secrets Manager did not contain json key \(key)")
    }
    return value.text ?? value.description
  }

  /// A call with the identity of the task's execution role.
  func call(as role: String, _ task: TaskRecord, _ scope: Scope) async throws -> CallContext {
    do {
      let session = try await roles.session(role: role, task: task.id, scope)
      var call = environment.call(as: "ecs-tasks.amazonaws.com", account: scope.account, region: scope.region)
      call.principal = session.principal
      return call
    } catch let error as AWSError {
      throw LaunchFailure(
        .resource,
        "ECS was unable to assume the role '\(role)' that was provided for this task. Please verify that the role "
          + "being passed has the proper trust relationship and permissions and that your IAM user has permissions to "
          + "pass this role. (\(error.message))")
    }
  }

  // MARK: Logs

  private func prepareLog(
    _ container: ECS.ContainerDefinition, _ task: TaskRecord, _ role: String?, _ scope: Scope
  ) async throws {
    let destination: LogDestination?
    do { destination = try LogDestination(container, task: task.id, scope, role: role) } catch {
      throw LaunchFailure(.resource, "failed to validate logger args: \(error)", container: container.name)
    }
    guard let destination else { return }
    do { try await logs.prepare(destination, task: task.id) } catch let error as AWSError {
      throw LaunchFailure(
        .resource,
        "failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log "
          + "stream: \(error.code): \(error.message)", container: container.name)
    }
  }
}
