// Waiting for resources: a failure ends it for the others, and it never lasts for ever.

import AWSCore
import CastleTesting
import CloudFormationModel
import Testing

@testable import CloudFormationService

@Suite("CloudFormation's waiting") struct StackWaitTests {
  @Test("a failure ends the waiting for what is on its way, which is removed")
  func cancellation() async throws {
    try await StackFixture.with { cloud in
      cloud.boxes.fail("create B")
      cloud.boxes.hold("settle Slow")
      cloud.boxes.hold("create B")
      let template = boxTemplate(#""B":{"Type":"Test::Box"},"Slow":{"Type":"Test::SlowBox"}"#)
      try await cloud.create("hurried", template)
      try await cloud.boxes.begun("settle Slow")
      cloud.boxes.release("create B")
      // Nobody releases Slow.
      #expect(try await cloud.settled("hurried").stackStatus == "ROLLBACK_COMPLETE")
      #expect(cloud.boxes.standing.isEmpty)
      let events =
        try await cloud.harness.run(CloudFormation.describeStackEvents) { $0.stackName = "hurried" }
        .stackEvents ?? []
      let slow = events.first { $0.logicalResourceId == "Slow" && $0.resourceStatus == "CREATE_FAILED" }
      #expect(slow?.resourceStatusReason == "Resource creation cancelled")
    }
  }

  @Test("a resource of which nothing is heard fails after two hours, and a stack after the time that it was given")
  func limits() async throws {
    try await StackFixture.with { cloud in
      let clock = try #require(cloud.harness.clock as? ManualClock)
      for (name, minutes, reason) in [
        ("silent", nil, "Resource timed out waiting for completion: nothing was reported in 7200 seconds."),
        ("given", 5, "Stack creation time exceeded the specified timeout."),
      ] as [(String, Int?, String)] {
        cloud.boxes.clearJournal()
        cloud.boxes.hold("settle Slow")
        try await cloud.create(name, boxTemplate(#""Slow":{"Type":"Test::SlowBox"}"#)) {
          $0.timeoutInMinutes = minutes
        }
        try await cloud.boxes.begun("settle Slow")
        clock.advance(seconds: minutes.map { Double($0) * 60 + 1 } ?? ResourceWaits.limit + 1)
        #expect(try await cloud.settled(name).stackStatus == "ROLLBACK_COMPLETE")
        let events = try await cloud.harness.run(CloudFormation.describeStackEvents) { $0.stackName = name }.stackEvents
        let slow = events?.first { $0.resourceStatus == "CREATE_FAILED" }
        #expect(slow?.resourceStatusReason == "\(reason) (NotStabilized)")
      }
    }
  }
}
