// CreateLogGroup, DeleteLogGroup, DescribeLogGroups.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import KMSModel
import LogStore
import ServiceKit

extension CloudWatchLogsService {
  func createLogGroup(_ input: CloudWatchLogs.CreateLogGroupRequest, _ call: CallContext) async throws -> Empty {
    var configuration = GroupConfiguration()
    configuration.tags = try Self.checked(input.tags ?? [:], call)
    configuration.logGroupClass = input.logGroupClass
    configuration.deletionProtection = input.deletionProtectionEnabled
    if let key = input.kmsKeyId { configuration.kmsKeyId = try await checkedKey(key, call) }
    let group = LogGroupName(input.logGroupName, call)
    let bytes = try configuration.bytes()
    try await LogsError.translated {
      try await logs().createGroup(group.key, configuration: bytes, at: call.now)
    }
    return Empty()
  }

  func deleteLogGroup(_ input: CloudWatchLogs.DeleteLogGroupRequest, _ call: CallContext) async throws -> Empty {
    let group = LogGroupName(input.logGroupName, call)
    guard let record = try await logs().group(group.key) else { throw LogsError.noSuchGroup }
    if try GroupConfiguration(record.configuration).deletionProtection == true { throw LogsError.deletionProtected }
    try await LogsError.translated { try await logs().deleteGroup(group.key) }
    return Empty()
  }

  func describeLogGroups(
    _ input: CloudWatchLogs.DescribeLogGroupsRequest, _ call: CallContext
  ) async throws -> CloudWatchLogs.DescribeLogGroupsResponse {
    if input.logGroupNamePrefix != nil, input.logGroupNamePattern != nil {
      throw LogsError.invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    }
    let prefix = LogGroupName.prefix(call.account, call.region)
    let limit = max(1, input.limit ?? 50)
    let store = try await logs()
    var found: [CloudWatchLogs.LogGroup] = []
    var next: String?
    if let identifiers = input.logGroupIdentifiers {
      for identifier in identifiers {
        let group = try LogGroupName(name: nil, identifier: identifier, call)
        if let record = try await store.group(group.key) { found.append(try Self.told(record, call)) }
      }
    } else {
      // Of a page that a pattern or a class thins out, the rest comes from the following ones.
      var after = input.nextToken ?? ""
      pages: while true {
        let records = try await store.groups(
          prefix: prefix + (input.logGroupNamePrefix ?? ""), after: prefix + after, limit: limit + 1)
        for record in records.prefix(limit) {
          if found.count == limit {
            next = after
            break pages
          }
          let group = try Self.told(record, call)
          after = group.logGroupName ?? ""
          if let part = input.logGroupNamePattern, !part.isEmpty, !after.contains(part) { continue }
          if let wanted = input.logGroupClass, wanted != group.logGroupClass { continue }
          found.append(group)
        }
        if records.count <= limit { break }
        if found.count == limit {
          next = after
          break
        }
      }
    }
    return .make {
      $0.logGroups = found
      $0.nextToken = next
    }
  }

  static func told(_ record: LogGroupRecord, _ call: CallContext) throws -> CloudWatchLogs.LogGroup {
    let configuration = try GroupConfiguration(record.configuration)
    let prefix = LogGroupName.prefix(call.account, call.region)
    let group = LogGroupName(String(record.name.dropFirst(prefix.count)), call)
    return .make {
      $0.logGroupName = group.name
      $0.arn = group.arn + ":*"
      $0.logGroupArn = group.arn
      $0.creationTime = Int(record.created.milliseconds)
      $0.retentionInDays = record.retentionDays
      $0.metricFilterCount = 0
      $0.storedBytes = record.bytes
      $0.kmsKeyId = configuration.kmsKeyId
      $0.logGroupClass = configuration.logGroupClass ?? "STANDARD"
      $0.deletionProtectionEnabled = configuration.deletionProtection ?? false
    }
  }

  /// The key as it is recorded. The service looks whether it can be used, as AWS does, with its own identity.
  /// - Throws: `InvalidParameterException`.
  func checkedKey(_ key: String, _ call: CallContext) async throws -> String {
    guard key.hasPrefix("arn:") else {
      throw LogsError.invalid("The specified KMS Key Id \(key) is not the ARN of a key.")
    }
    do {
      let told = try await call.acting(as: "logs.amazonaws.com").invoke(KMS.describeKey, .make { $0.keyId = key })
      guard told.keyMetadata?.keyState ?? "Enabled" == "Enabled" else {
        throw LogsError.invalid("The specified KMS Key Id is disabled or pending deletion.")
      }
      guard told.keyMetadata?.keySpec ?? "SYMMETRIC_DEFAULT" == "SYMMETRIC_DEFAULT" else {
        throw LogsError.invalid("The specified KMS Key Id is not that of a symmetric key.")
      }
      return key
    } catch let error as AWSError where error.code == "NotFoundException" {
      throw LogsError.invalid("The specified KMS Key Id could not be found.")
    }
  }
}
