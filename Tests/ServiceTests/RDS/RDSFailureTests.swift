// Databases that cannot start, with real PostgreSQL: statuses, events, what a stack is told, and recovery.

import AWSCore
import CastleTesting
import Foundation
import RDSModel
import ServiceKit
import Supervisor
import Testing

@testable import RDSService

@Suite("RDS databases that cannot start", .serialized, .timeLimit(.minutes(3))) struct RDSFailureTests {
  private func instance(_ f: DataFixture, _ id: String) async throws -> RDS.DBInstance {
    try #require(try await f.run(RDS.describeDBInstances) { $0.dbInstanceIdentifier = id }.dbInstances?.first)
  }

  private func awaitInstance(_ f: DataFixture, _ id: String, _ status: String) async throws {
    try await f.rds.waitFor { try await instance(f, id).dbInstanceStatus == status ? () : nil }
  }

  private func events(_ f: DataFixture, _ type: String, _ id: String) async throws -> [RDS.Event] {
    try await f.run(RDS.describeEvents) {
      $0.sourceType = type
      $0.sourceIdentifier = id
    }.events ?? []
  }

  private func create(_ f: DataFixture, _ id: String, group: String? = nil, instances: Int = 1) async throws {
    try await f.run(RDS.createDBCluster) {
      $0.dbClusterIdentifier = id
      $0.engine = "aurora-postgresql"
      $0.masterUsername = "castle"
      $0.masterUserPassword = "open-sesame-1"
      $0.dbClusterParameterGroupName = group
    }
    for number in 1...instances {
      try await f.run(RDS.createDBInstance) {
        $0.dbInstanceIdentifier = "\(id)-\(number)"
        $0.dbClusterIdentifier = id
        $0.dbInstanceClass = "db.r6g.large"
        $0.engine = "aurora-postgresql"
      }
    }
  }

  /// What a stack that waits for a resource is told.
  private func refusal(
    _ provider: ResourceProvider, _ id: String, _ f: DataFixture
  ) async throws -> AWSError? {
    do {
      _ = try await provider.stabilize?(ResourceHandle(id), f.context("Orders"))
      return nil
    } catch let error as AWSError { return error }
  }

  @Test("a parameter that PostgreSQL refuses is told in events and to stacks, and a reset and a reboot help")
  func parameters() async throws {
    try await DataFixture.running { f in
      try await f.run(RDS.createDBClusterParameterGroup) {
        $0.dbClusterParameterGroupName = "absurd"
        $0.dbParameterGroupFamily = "aurora-postgresql15"
        $0.description = "eight terabytes"
      }
      try await f.run(RDS.modifyDBClusterParameterGroup) {
        $0.dbClusterParameterGroupName = "absurd"
        $0.parameters = [("shared_buffers", "1073741823"), ("timezone", "Nowhere/Land")].map { name, value in
          .make { ($0.parameterName, $0.parameterValue, $0.applyMethod) = (name, value, "pending-reboot") }
        }
      }
      try await create(f, "orders", group: "absurd", instances: 2)
      // The reader waits for a writer that does not come.
      for id in ["orders-1", "orders-2"] {
        let told = try #require(try await refusal(f.rds.instanceProvider, id, f))
        #expect(told.code == "NotStabilized")
        #expect(told.message.contains("DB Instance orders-"), "\(told)")
        #expect(told.message.contains(" is in state: incompatible-parameters. "), "\(told)")
        #expect(told.message.contains(#"invalid value for parameter "TimeZone": "Nowhere/Land""#), "\(told)")
        #expect(told.message.contains("reset the parameters"), "\(told)")
      }
      let broken = try await instance(f, "orders-1")
      #expect(broken.dbInstanceStatus == "incompatible-parameters")
      #expect(broken.statusInfos?.first?.normal == false)
      let failure = try #require(try await events(f, "db-instance", "orders-1").last)
      #expect(failure.eventCategories == ["failure"])
      #expect(failure.message?.hasPrefix("Database instance put into incompatible-parameters. ") == true)
      #expect(failure.message?.contains("GMT [") == false, "the log's times are left out: \(failure)")
      #expect(failure.sourceArn == broken.dbInstanceArn)

      // One is corrected: the other one is still wrong.
      func reset(_ name: String) async throws {
        try await f.run(RDS.resetDBClusterParameterGroup) {
          $0.dbClusterParameterGroupName = "absurd"
          $0.parameters = [.make { $0.parameterName = name }]
        }
      }
      try await reset("timezone")
      try await f.rds.waitFor {
        let told = try await events(f, "db-instance", "orders-1").last?.message ?? ""
        return told.contains("Cannot allocate memory") && told.contains("shared_buffers") ? () : nil
      }
      // A reboot tries at once, and tells again what is wrong.
      try await f.run(RDS.rebootDBInstance) { $0.dbInstanceIdentifier = "orders-1" }
      try await f.rds.waitFor {
        try await events(f, "db-instance", "orders-1").count { $0.eventCategories == ["failure"] } >= 3 ? () : nil
      }
      try await awaitInstance(f, "orders-1", "incompatible-parameters")
      try await reset("shared_buffers")
      for id in ["orders-1", "orders-2"] { try await awaitInstance(f, id, "available") }
      #expect(try await instance(f, "orders-1").statusInfos?.isEmpty ?? true)
      let all = try await events(f, "db-instance", "orders-1")
      #expect(all.contains { $0.message == "DB instance created" && $0.eventCategories == ["creation"] })
      #expect(all.count { $0.eventCategories == ["failure"] } >= 3, "\(all)")
    }
  }

  @Test("a data folder with wrong rights is told after the reboot that it spoils, and mends itself when they are right")
  func rights() async throws {
    try await DataFixture.running { f in
      try await create(f, "kept")
      try await awaitInstance(f, "kept-1", "available")
      let cluster = try #require(try await f.run(RDS.describeDBClusters).dbClusters?.first)
      let data = "\(f.rds.reconciler.family.root)/\(cluster.dbClusterResourceId ?? "")/kept-1/data"
      chmod(data, 0o755)
      try await f.run(RDS.rebootDBInstance) { $0.dbInstanceIdentifier = "kept-1" }
      try await awaitInstance(f, "kept-1", "failed")
      let told = try #require(try await events(f, "db-instance", "kept-1").last)
      #expect(told.message?.contains("has invalid permissions") == true, "\(told)")
      #expect(told.message?.contains("What to do: ") == true, "\(told)")
      chmod(data, 0o700)
      try await awaitInstance(f, "kept-1", "available")
      let messages = try await events(f, "db-instance", "kept-1").compactMap(\.message)
      #expect(
        messages.filter { !$0.hasPrefix("Database instance put") } == [
          "DB instance created", "DB instance shutdown", "DB instance restarted",
          "Recovery of the DB instance is complete.",
        ])
    }
  }

  @Test("a folder that no database can be made in fails the cluster, which can be deleted, and comes up without it")
  func folder() async throws {
    try await DataFixture.running { f in
      let root = f.rds.reconciler.family.root
      try PrivateFiles.remove(root)
      try PrivateFiles.write("in the way".utf8, to: root)
      for id in ["lost", "late"] { try await create(f, id) }
      for (provider, id) in [
        (f.rds.clusterProvider, "lost"), (f.rds.instanceProvider, "lost-1"), (f.rds.clusterProvider, "late"),
      ] {
        let told = try #require(try await refusal(provider, id, f))
        #expect(told.code == "NotStabilized" && told.message.contains("is in state: failed."), "\(told)")
        #expect(told.message.contains(root), "\(told)")
      }
      let told = try #require(try await events(f, "db-cluster", "lost").last)
      #expect(told.eventCategories == ["failure"] && told.message?.contains(root) == true, "\(told)")
      try await f.rds.instanceProvider.delete(ResourceHandle("lost-1"), .null, f.context("Writer"))
      try await f.rds.clusterProvider.delete(ResourceHandle("lost"), .null, f.context("Orders"))
      #expect(try await events(f, "db-cluster", "lost").last?.message == "DB cluster deleted")
      try PrivateFiles.remove(root)
      try await awaitInstance(f, "late-1", "available")
      let late = try await events(f, "db-cluster", "late")
      #expect(late.map(\.eventCategories) == [["failure"], ["creation"]], "\(late)")
    }
  }

  private func names(
    _ f: DataFixture, _ configure: @Sendable (inout RDS.DescribeEventsMessage) -> Void
  ) async throws -> [String] {
    let answer = try await f.run(RDS.describeEvents, configure)
    return answer.events?.compactMap(\.sourceIdentifier) ?? []
  }

  private func remember(_ f: DataFixture, _ name: String, hoursAgo: Double) async throws {
    let scope = f.harness.call().scope
    let time = f.harness.environment.clock.now.adding(seconds: -3600 * hoursAgo)
    let event = Events.deleted(.init(id: name, arn: "arn:\(name)", scope: scope))
    try await f.harness.environment.store.write { try EventRecord.append([event], at: time, scope, $0) }
  }

  @Test("events are asked for by time, source and category, and kept for two weeks") func queries() async throws {
    try await DataFixture.quiet { f in
      try await remember(f, "gone", hoursAgo: 400)
      try await remember(f, "old", hoursAgo: 3)
      try await remember(f, "new", hoursAgo: 0)
      #expect(try await names(f) { _ in } == ["new"])
      #expect(try await names(f) { $0.duration = 300 } == ["old", "new"])
      let start = f.harness.environment.clock.now.adding(seconds: -13_000)
      #expect(try await names(f) { $0.startTime = start } == ["old", "new"])
      let twoWeeks = 14 * 24 * 60
      #expect(try await names(f) { ($0.duration, $0.eventCategories) = (twoWeeks, ["failure"]) } == [])
      #expect(try await names(f) { ($0.duration, $0.eventCategories) = (twoWeeks, ["deletion"]) } == ["old", "new"])
      #expect(try await names(f) { $0.sourceType = "db-instance" } == [])
      let refused = try await f.refusal(RDS.describeEvents) { $0.sourceIdentifier = "old" }
      #expect(refused?.code == "InvalidParameterCombination")
    }
  }
}
