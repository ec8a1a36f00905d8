// Metrics, queries and alarms.

import AWSCore
import CastleTesting
import CloudWatchModel
import CloudWatchService
import ServiceKit
import Testing

@Suite("CloudWatch") struct CloudWatchTests {
  /// CloudWatch alone, over a clock that stands still at a full hour.
  struct Fixture {
    let clock = ManualClock()
    let harness: ServiceHarness
    var service: CloudWatchService { CloudWatchService(harness.environment) }

    init() throws {
      harness = try ServiceHarness(clock: clock, collections: CloudWatchService.collections) {
        [CloudWatchService($0)]
      }
    }

    func put(_ values: [Double], name: String = "Latency", ago seconds: Double = 0) async throws {
      let time = clock.now.adding(seconds: -seconds)
      _ = try await harness.run(CloudWatch.putMetricData) {
        $0.namespace = "Shop"
        $0.metricData = values.map { value in
          .make {
            $0.metricName = name
            $0.value = value
            $0.timestamp = time
            $0.unit = "Milliseconds"
            $0.dimensions = [
              .make {
                $0.name = "Service"
                $0.value = "backend"
              }
            ]
          }
        }
      }
    }

    static let dimensions: [CloudWatch.Dimension] = [
      .make {
        $0.name = "Service"
        $0.value = "backend"
      }
    ]

    func query(_ id: String, _ name: String, _ stat: String) -> CloudWatch.MetricDataQuery {
      .make {
        $0.id = id
        $0.returnData = false
        $0.metricStat = .make {
          $0.metric = .make {
            $0.namespace = "Shop"
            $0.metricName = name
            $0.dimensions = Self.dimensions
          }
          $0.period = 60
          $0.stat = stat
        }
      }
    }

    func alarm(_ configure: (inout CloudWatch.PutMetricAlarmInput) -> Void = { _ in }) async throws {
      _ = try await harness.run(CloudWatch.putMetricAlarm) {
        $0.alarmName = "slow"
        $0.namespace = "Shop"
        $0.metricName = "Latency"
        $0.dimensions = Self.dimensions
        $0.statistic = "Average"
        $0.period = 60
        $0.evaluationPeriods = 2
        $0.comparisonOperator = "GreaterThanThreshold"
        $0.threshold = 100
        configure(&$0)
      }
    }

    func state() async throws -> String {
      try await harness.run(CloudWatch.describeAlarms) { $0.alarmNames = ["slow"] }.metricAlarms?.first?.stateValue
        ?? ""
    }
  }

  @Test("statistics of a minute come back, percentiles within two percent")
  func statistics() async throws {
    let fixture = try Fixture()
    defer { fixture.harness.remove() }
    try await fixture.put((1...100).map { Double($0) })
    let answer = try await fixture.harness.run(CloudWatch.getMetricStatistics) {
      $0.namespace = "Shop"
      $0.metricName = "Latency"
      $0.dimensions = Fixture.dimensions
      $0.startTime = fixture.clock.now.adding(seconds: -300)
      $0.endTime = fixture.clock.now.adding(seconds: 60)
      $0.period = 60
      $0.statistics = ["Average", "Sum", "Minimum", "Maximum", "SampleCount"]
      $0.extendedStatistics = ["p99", "p50"]
    }
    let point = try #require(answer.datapoints?.first)
    #expect(answer.datapoints?.count == 1)
    #expect(point.average == 50.5 && point.sum == 5050 && point.minimum == 1 && point.maximum == 100)
    #expect(point.sampleCount == 100 && point.unit == "Milliseconds")
    let p99 = try #require(point.extendedStatistics?["p99"])
    #expect(abs(p99 - 99) < 2.5)
    let metrics = try await fixture.harness.run(CloudWatch.listMetrics) { $0.namespace = "Shop" }.metrics
    #expect(metrics?.map(\.metricName) == ["Latency"])
  }

  @Test("expressions compute over metrics, and name what is not built")
  func expressions() async throws {
    let fixture = try Fixture()
    defer { fixture.harness.remove() }
    for minute in 1...3 { try await fixture.put([Double(minute * 10)], name: "Errors", ago: Double(minute * 60)) }
    for minute in 1...3 { try await fixture.put([100], name: "Requests", ago: Double(minute * 60)) }
    func run(_ expression: String) async throws -> [Double] {
      try await fixture.harness.run(CloudWatch.getMetricData) {
        $0.startTime = fixture.clock.now.adding(seconds: -240)
        $0.endTime = fixture.clock.now
        $0.scanBy = "TimestampAscending"
        $0.metricDataQueries = [
          fixture.query("e", "Errors", "Sum"), fixture.query("r", "Requests", "Sum"),
          .make {
            $0.id = "x"
            $0.expression = expression
          },
        ]
      }.metricDataResults?.first?.values ?? []
    }
    #expect(try await run("100 * e / r") == [30, 20, 10])
    #expect(try await run("SUM([e, r]) - 2^3") == [122, 112, 102])
    #expect(try await run("e - AVG(e)") == [10, 0, -10])
    #expect(try await run("FILL(e, 0)") == [0, 30, 20, 10])
    await #expect(throws: AWSError.self) { _ = try await run("e +") }
    let error = await #expect(throws: AWSError.self) { _ = try await run("ANOMALY_DETECTION_BAND(e)") }
    #expect(error?.status == 501)
  }

  @Test("an alarm goes to ALARM by its datapoints, back to OK, and to INSUFFICIENT_DATA without any")
  func alarm() async throws {
    let fixture = try Fixture()
    defer { fixture.harness.remove() }
    try await fixture.alarm()
    #expect(try await fixture.state() == "INSUFFICIENT_DATA")
    let running = Task { try await fixture.service.run() }
    defer { running.cancel() }
    func becomes(_ wanted: String) async throws {
      let changes = fixture.harness.environment.store.changes(in: ["cloudwatch.alarm"])
      if try await fixture.state() == wanted { return }
      for await _ in changes { if try await fixture.state() == wanted { return } }
    }
    try await fixture.put([150], ago: 60)
    try await becomes("OK")
    try await fixture.put([151])
    try await becomes("ALARM")
    let told = try await fixture.harness.run(CloudWatch.describeAlarms) { $0.stateValue = "ALARM" }.metricAlarms?.first
    #expect(told?.stateReason?.hasPrefix("Threshold Crossed: 2 out of the last 2 datapoints [151.0 (") == true)
    fixture.clock.advance(seconds: 180)
    try await becomes("INSUFFICIENT_DATA")
  }

  @Test("samples are forgotten after fifteen days")
  func retention() async throws {
    let fixture = try Fixture()
    defer { fixture.harness.remove() }
    try await fixture.put([1])
    fixture.clock.advance(seconds: 17 * 86_400)
    let running = Task { try await fixture.service.run() }
    defer { running.cancel() }
    let changes = fixture.harness.environment.store.changes(in: ["cloudwatch.metric"])
    for await _ in changes { break }
    #expect(try await fixture.harness.run(CloudWatch.listMetrics).metrics?.isEmpty == true)
  }

  @Test("bad input is refused in AWS's words")
  func refusals() async throws {
    let fixture = try Fixture()
    defer { fixture.harness.remove() }
    var error = await #expect(throws: AWSError.self) { try await fixture.put([1], ago: 20 * 86_400) }
    #expect(error?.code == "InvalidParameterValue")
    error = await #expect(throws: AWSError.self) {
      _ = try await fixture.harness.run(CloudWatch.deleteAlarms) { $0.alarmNames = ["none"] }
    }
    #expect(error?.code == "ResourceNotFound" && error?.status == 404)
    error = await #expect(throws: AWSError.self) { try await fixture.alarm { $0.period = 10 } }
    #expect(error?.status == 501)
  }

  @Test("the stack resource makes, changes and removes an alarm with its tags")
  func resource() async throws {
    let fixture = try Fixture()
    defer { fixture.harness.remove() }
    let provider = try #require(fixture.service.resourceProviders.first)
    let context = ResourceContext(
      stackName: "shop", stackID: "arn", logicalID: "Slow", tags: ["team": "web"], call: fixture.harness.call())
    let properties: JSONValue = [
      "AlarmName": "slow", "Namespace": "Shop", "MetricName": "Latency", "Statistic": "Maximum", "Period": "300",
      "EvaluationPeriods": 1, "Threshold": "0.5", "ComparisonOperator": "GreaterThanOrEqualToThreshold",
      "Dimensions": [["Name": "Service", "Value": "backend"]], "OKActions": ["arn:aws:sns:us-east-1:1:x"],
    ]
    let made = try await provider.create(properties, context)
    #expect(made.physicalID == "slow")
    var alarm = try await fixture.harness.run(CloudWatch.describeAlarms).metricAlarms?.first
    #expect(alarm?.threshold == 0.5 && alarm?.period == 300 && alarm?.okActions == ["arn:aws:sns:us-east-1:1:x"])
    let changed: JSONValue = .object((properties.object ?? [:]).merging(["Threshold": 2]) { $1 })
    _ = try await provider.update(made, properties, changed, context)
    alarm = try await fixture.harness.run(CloudWatch.describeAlarms).metricAlarms?.first
    #expect(alarm?.threshold == 2)
    let tags = try await fixture.harness.run(CloudWatch.listTagsForResource) { $0.resourceARN = alarm?.alarmArn ?? "" }
    #expect(tags.tags?.map(\.key) == ["team"])
    try await provider.delete(made, changed, context)
    try await provider.delete(made, changed, context)
    #expect(try await fixture.harness.run(CloudWatch.describeAlarms).metricAlarms?.isEmpty == true)
  }
}
