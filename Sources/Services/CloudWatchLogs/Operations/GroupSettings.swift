// Retention, the KMS key and the tags of a log group.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import LogStore
import ServiceKit

extension CloudWatchLogsService {
  func putRetentionPolicy(
    _ input: CloudWatchLogs.PutRetentionPolicyRequest, _ call: CallContext
  ) async throws -> Empty {
    guard LogsLimits.retentionDays.contains(input.retentionInDays) else {
      throw LogsError.invalid(
        "1 validation error detected: Value '\(input.retentionInDays)' at 'retentionInDays' failed to satisfy "
          + "constraint: Member must satisfy enum value set: \(LogsLimits.retentionDays.sorted())")
    }
    let days = input.retentionInDays
    try await change(LogGroupName(input.logGroupName, call)) { record, _ in record.retentionDays = days }
    return Empty()
  }

  func deleteRetentionPolicy(
    _ input: CloudWatchLogs.DeleteRetentionPolicyRequest, _ call: CallContext
  ) async throws -> Empty {
    try await change(LogGroupName(input.logGroupName, call)) { record, _ in record.retentionDays = nil }
    return Empty()
  }

  func associateKmsKey(_ input: CloudWatchLogs.AssociateKmsKeyRequest, _ call: CallContext) async throws -> Empty {
    let group = try LogGroupName(name: input.logGroupName, identifier: input.resourceIdentifier, call)
    let key = try await checkedKey(input.kmsKeyId, call)
    try await change(group) { _, configuration in configuration.kmsKeyId = key }
    return Empty()
  }

  func disassociateKmsKey(
    _ input: CloudWatchLogs.DisassociateKmsKeyRequest, _ call: CallContext
  ) async throws -> Empty {
    let group = try LogGroupName(name: input.logGroupName, identifier: input.resourceIdentifier, call)
    try await change(group) { _, configuration in configuration.kmsKeyId = nil }
    return Empty()
  }

  // MARK: Tags

  func tagResource(_ input: CloudWatchLogs.TagResourceRequest, _ call: CallContext) async throws -> Empty {
    let new = try Self.checked(input.tags, call)
    try await change(LogGroupName(arn: input.resourceArn, call)) { _, configuration in
      configuration.tags.merge(new) { _, new in new }
      if configuration.tags.count > LogsLimits.tagsMax { throw LogsError.tooManyTags }
    }
    return Empty()
  }

  func untagResource(_ input: CloudWatchLogs.UntagResourceRequest, _ call: CallContext) async throws -> Empty {
    try await change(LogGroupName(arn: input.resourceArn, call)) { _, configuration in
      for key in input.tagKeys { configuration.tags[key] = nil }
    }
    return Empty()
  }

  func listTagsForResource(
    _ input: CloudWatchLogs.ListTagsForResourceRequest, _ call: CallContext
  ) async throws -> CloudWatchLogs.ListTagsForResourceResponse {
    let group = try LogGroupName(arn: input.resourceArn, call)
    guard let record = try await logs().group(group.key) else { throw LogsError.noSuchResource }
    let tags = try GroupConfiguration(record.configuration).tags
    return .make { $0.tags = tags }
  }

  /// - Throws: `InvalidParameterException` for the reserved prefix, `TooManyTagsException`.
  static func checked(_ tags: [String: String], _ call: CallContext) throws -> [String: String] {
    // Only services write tags of this prefix; CloudFormation marks what it made.
    let isService = call.principal.kind == .service || !call.calledVia.isEmpty
    if !isService, tags.keys.contains(where: { $0.lowercased().hasPrefix("aws:") }) {
      throw LogsError.invalid("Tag keys that begin with aws: are reserved.")
    }
    if tags.count > LogsLimits.tagsMax { throw LogsError.tooManyTags }
    return tags
  }

  private func change(
    _ group: LogGroupName, _ body: @escaping @Sendable (inout LogGroupRecord, inout GroupConfiguration) throws -> Void
  ) async throws {
    try await LogsError.translated {
      try await logs().updateGroup(group.key) { record in
        var configuration = try GroupConfiguration(record.configuration)
        try body(&record, &configuration)
        record.configuration = try configuration.bytes()
      }
    }
  }
}
