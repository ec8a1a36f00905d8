// Log groups, streams and events, as clients use them.

import AWSCore
import AWSWire
import CastleTesting
import CloudWatchLogsModel
import KMSModel
import KMSService
import ServiceKit
import Testing

@testable import CloudWatchLogsService

/// CloudWatch Logs with KMS beside it, and a clock that the test moves.
struct LogsFixture {
  let harness: ServiceHarness
  let service: CloudWatchLogsService
  let clock: ManualClock

  static func with(_ body: (LogsFixture) async throws -> Void) async throws {
    let clock = ManualClock()
    var made: CloudWatchLogsService?
    let harness = try ServiceHarness(clock: clock, collections: KMSService.collections) {
      let service = try CloudWatchLogsService($0)
      made = service
      return [service, KMSService($0)]
    }
    defer { harness.remove() }
    try await body(LogsFixture(harness: harness, service: try #require(made), clock: clock))
  }

  func stream(_ group: String = "app", _ stream: String = "s") async throws {
    _ = try? await harness.run(CloudWatchLogs.createLogGroup) { $0.logGroupName = group }
    _ = try await harness.run(CloudWatchLogs.createLogStream) {
      $0.logGroupName = group
      $0.logStreamName = stream
    }
  }

  @discardableResult
  func put(
    _ messages: [String], stream: String = "s", group: String = "app", at first: Int? = nil
  ) async throws -> CloudWatchLogs.PutLogEventsResponse {
    let start = first ?? Int(clock.now.milliseconds)
    return try await harness.run(CloudWatchLogs.putLogEvents) {
      $0.logGroupName = group
      $0.logStreamName = stream
      $0.logEvents = messages.enumerated().map { index, message in
        .make {
          $0.timestamp = start + index
          $0.message = message
        }
      }
    }
  }

  func filter(_ pattern: String, _ configure: (inout CloudWatchLogs.FilterLogEventsRequest) -> Void = { _ in })
    async throws
    -> [String]
  {
    let answer = try await harness.run(CloudWatchLogs.filterLogEvents) {
      $0.logGroupName = "app"
      $0.filterPattern = pattern
      configure(&$0)
    }
    return (answer.events ?? []).compactMap(\.message)
  }

  /// All messages of the group, one event a page.
  func everything() async throws -> [String] {
    var all: [String] = []
    var token: String?
    repeat {
      let asked = token
      let page = try await harness.run(CloudWatchLogs.filterLogEvents) {
        $0.logGroupName = "app"
        $0.limit = 1
        $0.nextToken = asked
      }
      all += (page.events ?? []).compactMap(\.message)
      token = page.nextToken
    } while token != nil
    return all
  }

  /// Two events of a stream.
  func read(_ token: String?, head: Bool? = true) async throws -> CloudWatchLogs.GetLogEventsResponse {
    try await harness.run(CloudWatchLogs.getLogEvents) {
      $0.logGroupName = "app"
      $0.logStreamName = "s"
      $0.startFromHead = head
      $0.limit = 2
      $0.nextToken = token
    }
  }

  /// The AWS error that `body` throws; nil when it throws none.
  func failure(_ body: () async throws -> some Any) async -> AWSError? {
    do {
      _ = try await body()
      return nil
    } catch {
      return error as? AWSError ?? AWSError("Unexpected", "\(error)")
    }
  }
}

@Suite("CloudWatch Logs") struct CloudWatchLogsTests {
  @Test("a group is made once, described with its ARNs, and gone after its deletion")
  func groups() async throws {
    try await LogsFixture.with { logs in
      _ = try await logs.harness.run(CloudWatchLogs.createLogGroup) {
        $0.logGroupName = "/app/web"
        $0.tags = ["team": "shop"]
      }
      let again = await logs.failure {
        try await logs.harness.run(CloudWatchLogs.createLogGroup) { $0.logGroupName = "/app/web" }
      }
      #expect(again?.code == "ResourceAlreadyExistsException")
      #expect(again?.message == "The specified log group already exists")
      _ = try await logs.harness.run(CloudWatchLogs.putRetentionPolicy) {
        $0.logGroupName = "/app/web"
        $0.retentionInDays = 30
      }
      let group = try #require(
        try await logs.harness.run(CloudWatchLogs.describeLogGroups) { $0.logGroupNamePrefix = "/app" }.logGroups?.first
      )
      #expect(group.arn == "arn:aws:logs:us-east-1:000000000000:log-group:/app/web:*")
      #expect(group.logGroupArn == "arn:aws:logs:us-east-1:000000000000:log-group:/app/web")
      #expect(group.retentionInDays == 30)
      for arn in [group.arn, group.logGroupArn].compactMap({ $0 }) {
        #expect(
          try await logs.harness.run(CloudWatchLogs.listTagsForResource) { $0.resourceArn = arn }.tags == [
            "team": "shop"
          ])
      }
      _ = try await logs.harness.run(CloudWatchLogs.deleteLogGroup) { $0.logGroupName = "/app/web" }
      let gone = await logs.failure {
        try await logs.harness.run(CloudWatchLogs.deleteLogGroup) { $0.logGroupName = "/app/web" }
      }
      #expect(gone?.code == "ResourceNotFoundException")
      #expect(gone?.message == "The specified log group does not exist.")
    }
  }

  @Test("groups are told page by page, and of another region not at all")
  func pages() async throws {
    try await LogsFixture.with { logs in
      for number in 1...5 { try await logs.stream("g\(number)") }
      let elsewhere = try await logs.harness.dispatcher.invoke(
        CloudWatchLogs.describeLogGroups, .make { _ in }, logs.harness.call(region: "eu-west-1"))
      #expect(elsewhere.logGroups?.isEmpty == true)
      var names: [String] = []
      var token: String?
      repeat {
        let page = try await logs.harness.run(CloudWatchLogs.describeLogGroups) {
          $0.limit = 2
          $0.nextToken = token
        }
        names += (page.logGroups ?? []).compactMap(\.logGroupName)
        token = page.nextToken
      } while token != nil
      #expect(names == ["g1", "g2", "g3", "g4", "g5"])
    }
  }

  @Test("reading on with the forward token finds what is new, and at the end the same token comes back")
  func tokens() async throws {
    try await LogsFixture.with { logs in
      try await logs.stream()
      try await logs.put(["one", "two", "three"])
      let first = try await logs.read(nil)
      #expect(first.events?.compactMap(\.message) == ["one", "two"])
      let second = try await logs.read(first.nextForwardToken)
      #expect(second.events?.compactMap(\.message) == ["three"])
      let end = try await logs.read(second.nextForwardToken)
      #expect(end.events?.isEmpty == true)
      #expect(end.nextForwardToken == second.nextForwardToken)
      try await logs.put(["four"], at: Int(logs.clock.now.milliseconds) + 10)
      #expect(try await logs.read(end.nextForwardToken).events?.compactMap(\.message) == ["four"])
      #expect(try await logs.read(end.nextBackwardToken).events?.compactMap(\.message) == ["two", "three"])
      #expect(try await logs.read(nil, head: nil).events?.compactMap(\.message) == ["three", "four"])
    }
  }

  @Test("a batch is refused when it is not in order, and events out of range are told")
  func batches() async throws {
    try await LogsFixture.with { logs in
      try await logs.stream()
      let now = Int(logs.clock.now.milliseconds)
      let unsorted = await logs.failure {
        try await logs.harness.run(CloudWatchLogs.putLogEvents) {
          $0.logGroupName = "app"
          $0.logStreamName = "s"
          $0.logEvents = [now, now - 1].map { time in
            .make {
              $0.timestamp = time
              $0.message = "x"
            }
          }
        }
      }
      #expect(unsorted?.code == "InvalidParameterException")
      let old = try await logs.put(["old"], at: now - 15 * 86_400_000)
      #expect(old.rejectedLogEventsInfo?.tooOldLogEventEndIndex == 1)
      let new = try await logs.put(["new"], at: now + 3 * 3_600_000)
      #expect(new.rejectedLogEventsInfo?.tooNewLogEventStartIndex == 0)
      #expect(try await logs.put(["right"]).rejectedLogEventsInfo == nil)
      let missing = await logs.failure { try await logs.put(["x"], stream: "none") }
      #expect(missing?.message == "The specified log stream does not exist.")
    }
  }

  @Test("filters match words, phrases, exclusions, alternatives and JSON")
  func filters() async throws {
    try await LogsFixture.with { logs in
      try await logs.stream()
      try await logs.put([
        "ERROR disk full", "WARN disk slow", "INFO all well",
        #"{"status": 500, "path": "/api/cart", "user": {"id": 7}}"#,
        #"{"status": 200, "path": "/api/list", "ok": true}"#,
      ])
      #expect(try await logs.filter("disk") == ["ERROR disk full", "WARN disk slow"])
      #expect(try await logs.filter("disk -WARN") == ["ERROR disk full"])
      #expect(try await logs.filter("?ERROR ?INFO").count == 2)
      #expect(try await logs.filter("\"disk slow\"") == ["WARN disk slow"])
      #expect(try await logs.filter("{ $.status = 500 }").count == 1)
      #expect(try await logs.filter("{ $.status >= 200 && $.path = \"/api/*\" }").count == 2)
      #expect(try await logs.filter("{ ($.user.id = 7) || ($.ok IS TRUE) }").count == 2)
      #expect(try await logs.filter("{ $.user NOT EXISTS }").count == 1)
      #expect(await logs.failure { try await logs.filter("{ $.status = }") }?.code == "InvalidParameterException")
      #expect(await logs.failure { try await logs.filter("[ip, user]") }?.status == 501)
    }
  }

  @Test("streams of a group are searched together, in the order of time, page by page")
  func interleaved() async throws {
    try await LogsFixture.with { logs in
      try await logs.stream("app", "web/1")
      try await logs.stream("app", "web/2")
      try await logs.stream("app", "db")
      let now = Int(logs.clock.now.milliseconds)
      for (stream, time) in [("web/1", 0), ("web/2", 1), ("web/1", 2), ("db", 3)] {
        try await logs.put(["\(time)"], stream: stream, at: now + time)
      }
      #expect(try await logs.filter("") { $0.logStreamNamePrefix = "web/" } == ["0", "1", "2"])
      #expect(try await logs.filter("") { $0.endTime = now + 1 } == ["0", "1"])
      #expect(try await logs.everything() == ["0", "1", "2", "3"])
      let streams = try await logs.harness.run(CloudWatchLogs.describeLogStreams) {
        $0.logGroupName = "app"
        $0.orderBy = "LastEventTime"
        $0.descending = true
      }
      #expect(streams.logStreams?.compactMap(\.logStreamName) == ["db", "web/1", "web/2"])
    }
  }

  @Test("a KMS key is taken when it exists")
  func keys() async throws {
    try await LogsFixture.with { logs in
      let key = try #require(try await logs.harness.run(KMS.createKey).keyMetadata?.arn)
      _ = try await logs.harness.run(CloudWatchLogs.createLogGroup) {
        $0.logGroupName = "app"
        $0.kmsKeyId = key
      }
      #expect(try await logs.harness.run(CloudWatchLogs.describeLogGroups).logGroups?.first?.kmsKeyId == key)
      let wrong = await logs.failure {
        try await logs.harness.run(CloudWatchLogs.associateKmsKey) {
          $0.logGroupName = "app"
          $0.kmsKeyId = "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012"
        }
      }
      #expect(wrong?.code == "InvalidParameterException")
    }
  }

  @Test("events beyond the retention go when the clock says so")
  func retention() async throws {
    try await LogsFixture.with { logs in
      try await logs.stream()
      try await logs.put(["one"])
      _ = try await logs.harness.run(CloudWatchLogs.putRetentionPolicy) {
        $0.logGroupName = "app"
        $0.retentionInDays = 1
      }
      logs.clock.advance(seconds: 2 * 86_400)
      let loop = Task { try await logs.service.run() }
      defer { loop.cancel() }
      while try await !logs.filter("").isEmpty { await Task.yield() }
      #expect(try await logs.harness.run(CloudWatchLogs.describeLogGroups).logGroups?.first?.storedBytes == 0)
    }
  }

  @Test("a stack makes a group, changes its retention and removes it")
  func stack() async throws {
    try await LogsFixture.with { logs in
      let context = ResourceContext(
        stackName: "shop", stackID: "id", logicalID: "Logs", tags: ["stack": "shop"], call: logs.harness.call())
      let provider = logs.service.groupProvider
      let old: JSONValue = ["RetentionInDays": 30]
      let handle = try await provider.create(old, context)
      #expect(handle.attributes["Arn"]?.text?.hasSuffix(":log-group:\(handle.physicalID):*") == true)
      _ = try await provider.update(handle, old, ["RetentionInDays": 7], context)
      let groups = try await logs.harness.run(CloudWatchLogs.describeLogGroups).logGroups
      #expect(groups?.first?.retentionInDays == 7)
      try await provider.delete(handle, ["RetentionInDays": 7], context)
      try await provider.delete(handle, ["RetentionInDays": 7], context)
      #expect(try await logs.harness.run(CloudWatchLogs.describeLogGroups).logGroups?.isEmpty == true)
    }
  }
}
