// RDS's pure parts as tables.

import AWSCore
import GateProtocol
import PostgresEngine
import Store
import Supervisor
import Testing

@testable import RDSService

@Suite("RDS rules") struct RDSRuleTests {
  func cluster(_ change: (inout ClusterRecord) -> Void = { _ in }) -> ClusterRecord {
    var it = ClusterRecord(
      id: "c", arn: "arn:c", resourceID: "cluster-R", created: Timestamp(seconds: 0), engineVersion: "15.15",
      masterUsername: "castle", password: SealedBytes(sealed: []), port: 5432, writerAddress: "127.20.0.1",
      readerAddress: "127.20.0.2", subnetGroup: "default", parameterGroup: "default.aurora-postgresql15",
      securityGroups: [], zones: ["us-east-1a"], storageEncrypted: false, settings: ClusterSettings(), tags: [:])
    change(&it)
    return it
  }

  func instance(_ id: String, number: Int = 1, _ change: (inout InstanceRecord) -> Void = { _ in }) -> InstanceRecord {
    var it = InstanceRecord(
      id: id, arn: "arn:\(id)", resourceID: "db-\(id)", cluster: "c", created: Timestamp(seconds: 0), number: number,
      instanceClass: "db.serverless", promotionTier: 1, zone: "us-east-1a", address: "127.20.1.\(number)", port: 5432,
      parameterGroup: "default.aurora-postgresql15", maintenanceWindow: "", tags: [:])
    change(&it)
    return it
  }

  func state(_ statuses: [(String, PostgresCluster.Status)], writer: String? = "a") -> PostgresCluster.State {
    PostgresCluster.State(
      writer: writer,
      instances: statuses.enumerated().map { index, item in
        .init(
          name: item.0, role: item.0 == writer ? .writer : .reader, status: item.1, address: "127.20.1.\(index + 1)",
          port: 5432, pid: item.1 == .stopped ? nil : 7)
      })
  }

  func seen(_ state: PostgresCluster.State) -> ObservedRecord {
    var it = ObservedRecord(cluster: "c", resourceID: "cluster-R", isOpen: true, passwordVersion: 1)
    it.note(state)
    return it
  }

  @Test("the plan opens, applies, changes the password, fails over, restarts, forgets and removes in that order")
  func plan() {
    typealias Change = (inout KeeperView) -> Void
    let failover = ClusterRecord.Failover(request: "r", target: nil)
    let table: [(String, Change, [KeeperAction])] = [
      ("settled", { _ in }, []),
      ("not open", { $0.isOpen = false }, [.open]),
      (
        "cannot be opened, and an instance on its way",
        {
          ($0.isOpen, $0.isBlocked) = (false, true)
          $0.instances[1].isDeleting = true
        }, [.finishInstance("b"), .open]
      ),
      ("told something else", { $0.isApplied = false }, [.apply]),
      ("new password", { $0.cluster.passwordVersion = 2 }, [.setPassword]),
      (
        "new password and no writer",
        {
          $0.cluster.passwordVersion = 2
          $0.state = state([("a", .starting), ("b", .available)])
        }, []
      ),
      ("failover", { $0.cluster.failover = failover }, [.failOver(failover)]),
      (
        "failover with nobody ready",
        {
          $0.cluster.failover = failover
          $0.state = state([("a", .available), ("b", .rejoining)])
        }, []
      ),
      (
        "failover to whom it is already",
        { $0.cluster.failover = .init(request: "r", target: "a") }, [.finishFailover(.init(request: "r", target: "a"))]
      ),
      ("reboot", { $0.instances[1].reboot = "x" }, [.restart(instance: "b", request: "x")]),
      ("instance on its way", { $0.instances[1].isDeleting = true }, []),
      (
        "instance gone",
        {
          $0.instances[1].isDeleting = true
          $0.state = state([("a", .available)])
        }, [.finishInstance("b")]
      ),
      ("started", { $0.cluster.isStarting = true }, [.finishStart]),
      ("deleted", { $0.cluster.wanted = .deleted }, [.destroy]),
      (
        "deleted with a snapshot, still running",
        {
          $0.cluster.wanted = .deleted
          $0.cluster.finalSnapshot = "s"
        }, []
      ),
      (
        "deleted with a snapshot, stopped",
        {
          $0.cluster.wanted = .deleted
          $0.cluster.finalSnapshot = "s"
          $0.state = state([("a", .stopped), ("b", .stopped)])
        }, [.snapshot("s")]
      ),
    ]
    for (name, change, expected) in table {
      var view = KeeperView(
        cluster: cluster(), instances: [instance("a"), instance("b", number: 2)], isOpen: true, isApplied: true,
        passwordVersion: 1, state: state([("a", .available), ("b", .available)]))
      change(&view)
      #expect(ClusterPlan.actions(view) == expected, "\(name)")
    }
  }

  @Test("the status words follow from what is wanted and what is seen")
  func statuses() {
    let good = seen(state([("a", .available), ("b", .available)]))
    let members = [instance("a"), instance("b", number: 2)]
    func word(_ seen: ObservedRecord?, _ change: (inout ClusterRecord) -> Void = { _ in }) -> String {
      Status.cluster(cluster(change), members, seen)
    }
    #expect(word(nil) == "creating")
    #expect(word(good) == "available")
    #expect(word(good) { $0.failover = .init(request: "r") } == "failing-over")
    #expect(word(good) { $0.passwordVersion = 2 } == "resetting-master-credentials")
    #expect(word(good) { $0.wanted = .stopped } == "stopping")
    #expect(word(seen(state([("a", .stopped), ("b", .stopped)]))) { $0.wanted = .stopped } == "stopped")
    #expect(word(good) { $0.isStarting = true } == "starting")
    #expect(word(good) { $0.wanted = .deleted } == "deleting")
    #expect(word(good) { $0.resourceID = "cluster-NEXT" } == "creating")

    let a = instance("a")
    #expect(Status.instance(a, cluster(), nil) == "creating")
    #expect(Status.instance(a, cluster(), good) == "available")
    #expect(Status.instance(instance("a") { $0.isDeleting = true }, cluster(), good) == "deleting")
    #expect(Status.instance(a, cluster { $0.wanted = .stopped }, good) == "stopping")
    var restarted = good
    restarted.note(state([("a", .starting), ("b", .available)]))
    #expect(Status.instance(a, cluster(), restarted) == "rebooting")
    #expect(Status.instance(a, cluster(), seen(state([("a", .failed)]))) == "creating")
    for (cause, word) in [
      (EngineFailure.Cause.files, "failed"), (.parameters, "incompatible-parameters"), (.storage, "storage-full"),
    ] {
      // It is tried again and again; the word stays.
      for status in [PostgresCluster.Status.failed, .starting, .creating] {
        var broken = state([("a", status)])
        broken.instances[0].failure = EngineFailure(cause, "why")
        #expect(Status.instance(a, cluster(), seen(broken)) == word)
        #expect(Status.failures.contains(word))
      }
    }
    var closed = ObservedRecord(cluster: "c", resourceID: "cluster-R")
    closed.failure = EngineFailure(.program, "PostgreSQL is not installed")
    #expect(word(closed) == "failed")
    #expect(Status.instance(a, cluster(), closed) == "failed")
    closed.forgetFailures()
    #expect(word(closed) == "creating")
  }

  @Test(
    "the writer endpoint leads to the writer, the reader endpoint to replicas, and to the writer when there are none")
  func endpoints() {
    func backends(_ state: PostgresCluster.State?) -> [[String]] {
      Endpoints.of(cluster(), state.map(seen)).map { $0.backends.map(\.address) }
    }
    #expect(backends(nil) == [[], []])
    #expect(backends(state([("a", .available), ("b", .available)])) == [["127.20.1.1"], ["127.20.1.2"]])
    #expect(backends(state([("a", .available), ("b", .rejoining)])) == [["127.20.1.1"], ["127.20.1.1"]])
    #expect(backends(state([("a", .failed), ("b", .available)])) == [[], ["127.20.1.2"]])
    #expect(Endpoints.of(cluster { $0.port = 6000 }, nil).map(\.port) == [6000, 6000])
  }

  @Test("versions resolve to full ones, 15.x and the installed major version's only")
  func versions() {
    #expect(EngineVersions.resolve(nil, installed: 15) == "15.15")
    #expect(EngineVersions.resolve("15", installed: 15) == "15.15")
    #expect(EngineVersions.resolve("15.4", installed: 15) == "15.4")
    #expect(EngineVersions.resolve("15.99", installed: 15) == nil)
    #expect(EngineVersions.resolve("16.4", installed: 15) == nil)
    #expect(EngineVersions.resolve("16", installed: 16) == "16.11")
    #expect(EngineVersions.resolve("15.15", installed: 17) == "15.15")
  }

  @Test(
    "parameter values are held to their ranges and words",
    arguments: [
      ("max_connections", "100", true), ("max_connections", "5", false), ("max_connections", "many", false),
      ("log_min_duration_statement", "-1", true), ("log_min_duration_statement", "-2", false),
      ("log_statement", "ddl", true), ("log_statement", "some", false), ("random_page_cost", "1.1", true),
      ("work_mem", "4096.5", false), ("search_path", "anything, goes", true),
    ])
  func parameters(_ name: String, _ value: String, _ isAllowed: Bool) {
    #expect(Parameters.byName[name]?.allows(value) == isAllowed)
  }
}
