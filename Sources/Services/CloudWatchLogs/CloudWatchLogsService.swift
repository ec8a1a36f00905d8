// Amazon CloudWatch Logs: log groups, streams, events, over the log store.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import LogStore
import ServiceKit
import Store

/// CloudWatch Logs. Everything it knows is in the log store, which opens with the first call.
public final class CloudWatchLogsService: AWSService {
  let environment: ServiceEnvironment
  let logs: LazyLogStore

  public init(_ environment: ServiceEnvironment) throws {
    self.environment = environment
    logs = LazyLogStore(folder: environment.directory + "/logs")
  }

  public var resourceProviders: [ResourceProvider] { [groupProvider, streamProvider] }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    addGroups(&table)
    addStreams(&table)
    return [ServiceAPI(CloudWatchLogs.model, actionPrefix: "logs", table)]
  }

  private func addGroups(_ table: inout HandlerTable) {
    table.on(CloudWatchLogs.createLogGroup, access: { Self.access($0.logGroupName, $1) }, createLogGroup)
    table.on(CloudWatchLogs.deleteLogGroup, access: { Self.access($0.logGroupName, $1) }, deleteLogGroup)
    table.on(CloudWatchLogs.describeLogGroups, access: { Self.access("", $1) }, describeLogGroups)
    table.on(CloudWatchLogs.putRetentionPolicy, access: { Self.access($0.logGroupName, $1) }, putRetentionPolicy)
    table.on(CloudWatchLogs.deleteRetentionPolicy, access: { Self.access($0.logGroupName, $1) }, deleteRetentionPolicy)
    table.on(
      CloudWatchLogs.associateKmsKey,
      access: { Self.access(try LogGroupName(name: $0.logGroupName, identifier: $0.resourceIdentifier, $1).name, $1) },
      associateKmsKey)
    table.on(
      CloudWatchLogs.disassociateKmsKey,
      access: { Self.access(try LogGroupName(name: $0.logGroupName, identifier: $0.resourceIdentifier, $1).name, $1) },
      disassociateKmsKey)
    table.on(
      CloudWatchLogs.tagResource, access: { [ResourceAccess(try LogGroupName(arn: $0.resourceArn, $1).arn)] },
      tagResource)
    table.on(
      CloudWatchLogs.untagResource, access: { [ResourceAccess(try LogGroupName(arn: $0.resourceArn, $1).arn)] },
      untagResource)
    table.on(
      CloudWatchLogs.listTagsForResource, access: { [ResourceAccess(try LogGroupName(arn: $0.resourceArn, $1).arn)] },
      listTagsForResource)
  }

  private func addStreams(_ table: inout HandlerTable) {
    table.on(
      CloudWatchLogs.createLogStream, access: { Self.access($0.logGroupName, stream: $0.logStreamName, $1) },
      createLogStream)
    table.on(
      CloudWatchLogs.deleteLogStream, access: { Self.access($0.logGroupName, stream: $0.logStreamName, $1) },
      deleteLogStream)
    table.on(
      CloudWatchLogs.describeLogStreams,
      access: { Self.access(try LogGroupName(name: $0.logGroupName, identifier: $0.logGroupIdentifier, $1).name, $1) },
      describeLogStreams)
    table.on(
      CloudWatchLogs.putLogEvents, access: { Self.access($0.logGroupName, stream: $0.logStreamName, $1) }, putLogEvents)
    table.on(
      CloudWatchLogs.getLogEvents,
      access: {
        let group = try LogGroupName(name: $0.logGroupName, identifier: $0.logGroupIdentifier, $1)
        return Self.access(group.name, stream: $0.logStreamName, $1)
      }, getLogEvents)
    table.on(
      CloudWatchLogs.filterLogEvents,
      access: { Self.access(try LogGroupName(name: $0.logGroupName, identifier: $0.logGroupIdentifier, $1).name, $1) },
      filterLogEvents)
  }

  /// What IAM is asked about: AWS tells `…:log-group:NAME:log-stream:STREAM`, with an empty stream for a group.
  private static func access(_ group: String, stream: String = "", _ call: CallContext) -> [ResourceAccess] {
    [ResourceAccess(LogGroupName(group, call).arn(stream: stream))]
  }

  /// Drops events beyond their group's retention, hour by hour.
  public func run() async throws {
    let store = try await logs()
    while true {
      let dropped = try await store.expire(at: environment.clock.now)
      if dropped > 0 { environment.logger.debug("\(dropped) log events reached the end of their retention") }
      try await environment.clock.sleep(seconds: LogsLimits.expirySeconds)
    }
  }

  public func removeEverything() async throws { try await logs().removeEverything() }
}
