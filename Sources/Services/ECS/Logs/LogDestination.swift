// Where a container's log goes: the `awslogs` driver's options.

import AWSCore
import CloudWatchLogsModel
import ECSModel
import ServiceKit
import Store

/// A log stream for a container. Codable: kept beside the log file, so that shipping goes on after a restart.
struct LogDestination: Codable, Sendable, Hashable {
  var group: String
  var stream: String
  var region: String
  var account: String
  /// Whose identity writes; ECS's own when the definition names no execution role.
  var role: String?
  var createsGroup: Bool

  /// Nil when the container's log stays in its file.
  /// - Throws: `Problem` for drivers and options that are not built.
  init?(_ container: ECS.ContainerDefinition, task: String, _ scope: Scope, role: String?) throws(Problem) {
    guard let configuration = container.logConfiguration else { return nil }
    switch configuration.logDriver {
    case "json-file", "local", "journald", "none": return nil
    case "awslogs": break
    default: throw Problem("Castle does not implement the log driver \(configuration.logDriver) yet")
    }
    guard (configuration.secretOptions ?? []).isEmpty else {
      throw Problem("the awslogs driver takes no secretOptions")
    }
    let options = configuration.options ?? [:]
    for key in options.keys.sorted() where !Self.known.contains(key) {
      throw Problem("Castle does not implement the log option \(key) yet")
    }
    guard let group = options["awslogs-group"], !group.isEmpty else {
      throw Problem("must specify a value for log opt 'awslogs-group'")
    }
    let name = container.name ?? ""
    self.group = group
    stream =
      options["awslogs-stream-prefix"].map { "\($0)/\(name)/\(task)" } ?? options["awslogs-stream"] ?? "\(name)/\(task)"
    region = options["awslogs-region"] ?? scope.region
    account = scope.account
    self.role = role
    createsGroup = options["awslogs-create-group"] == "true"
  }

  /// Options that mean something, and those that only tune the delivery.
  private static let known: Set<String> = [
    "awslogs-group", "awslogs-region", "awslogs-stream-prefix", "awslogs-stream", "awslogs-create-group", "mode",
    "max-buffer-size", "awslogs-endpoint",
  ]

  struct Problem: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
  }
}

/// The calls to CloudWatch Logs.
struct LogDestinations: Sendable {
  let environment: ServiceEnvironment
  let roles: RoleSessions

  private func call(_ destination: LogDestination, task: String) async throws -> CallContext {
    let scope = Scope(account: destination.account, region: destination.region)
    var call = environment.call(as: "ecs.amazonaws.com", account: scope.account, region: scope.region)
    if let role = destination.role {
      call.principal = try await roles.session(role: role, task: task, scope).principal
    }
    return call
  }

  /// Makes the stream, and the group where the options ask for it.
  /// - Throws: the `AWSError` of CloudWatch Logs.
  func prepare(_ destination: LogDestination, task: String) async throws {
    let call = try await self.call(destination, task: task)
    func makeStream() async throws {
      do {
        _ = try await call.invoke(
          CloudWatchLogs.createLogStream,
          .make {
            $0.logGroupName = destination.group
            $0.logStreamName = destination.stream
          })
      } catch let error as AWSError where error.code == "ResourceAlreadyExistsException" {}
    }
    do { try await makeStream() } catch let error as AWSError
      where error.code == "ResourceNotFoundException" && destination.createsGroup
    {
      do {
        _ = try await call.invoke(CloudWatchLogs.createLogGroup, .make { $0.logGroupName = destination.group })
      } catch let error as AWSError where error.code == "ResourceAlreadyExistsException" {}
      try await makeStream()
    }
  }

  func put(_ events: [CloudWatchLogs.InputLogEvent], to destination: LogDestination, task: String) async throws {
    _ = try await call(destination, task: task).invoke(
      CloudWatchLogs.putLogEvents,
      .make {
        $0.logGroupName = destination.group
        $0.logStreamName = destination.stream
        $0.logEvents = events
      })
  }
}
