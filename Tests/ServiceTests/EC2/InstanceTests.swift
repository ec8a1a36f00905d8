// The machine as an EC2 instance.

import AWSCore
import CastleTesting
import EC2Model
import ELBv2Model
import ServiceKit
import Store
import Testing

@testable import EC2Service

@Suite("The machine as an instance") struct InstanceTests {
  private static let scope = Scope(account: "000000000000", region: "us-east-1")

  private func withHarness(_ body: (ServiceHarness) async throws -> Void) async throws {
    let harness = try ServiceHarness(collections: EC2Service.collections) { [EC2Service($0)] }
    defer { harness.remove() }
    try await EC2Service(harness.environment).prepareAccount("000000000000", region: "us-east-1")
    try await body(harness)
  }

  private func instance(
    _ harness: ServiceHarness, _ configure: (inout EC2.DescribeInstancesRequest) -> Void = { _ in }
  ) async throws -> EC2.Instance? {
    try await harness.run(EC2.describeInstances, configure).reservations?.first?.instances?.first
  }

  /// The error's code and message, or "" when there was none.
  private func failure(
    _ harness: ServiceHarness, _ configure: (inout EC2.DescribeInstancesRequest) -> Void
  ) async throws -> String {
    do {
      _ = try await harness.run(EC2.describeInstances, configure)
      return ""
    } catch let error as AWSError {
      return "\(error.code): \(error.message)"
    }
  }

  private static func filter(_ name: String, _ values: String...) -> EC2.Filter {
    .make { ($0.name, $0.values) = (name, values) }
  }

  @Test("it runs in the default VPC's subnet of the first zone, at 127.0.0.1")
  func described() async throws {
    try await withHarness { harness in
      let found = try #require(try await instance(harness))
      let id = try #require(found.instanceId)
      #expect(Machine.isID(id) && id.count == 19)
      #expect(found.state?.name == "running" && found.state?.code == 16)
      #expect(found.privateIpAddress == "127.0.0.1" && found.privateDnsName == "localhost")
      #expect(found.placement?.availabilityZone == "us-east-1a")
      let subnets = try await harness.run(EC2.describeSubnets) {
        $0.filters = [Self.filter("availability-zone", "us-east-1a")]
      }
      let subnet = try #require(subnets.subnets?.first)
      #expect(found.subnetId == subnet.subnetId && found.vpcId == subnet.vpcId)
      #expect(found.securityGroups?.map(\.groupName) == ["default"])
      #expect(found.instanceType == "castle.\(Machine.this.processors)x\(Machine.this.memory)")
      let launched = try #require(found.launchTime)
      #expect(launched < SystemClock().now && launched.milliseconds > 0)
    }
  }

  @Test("its id is the same in every castle, and another one in each account and region")
  func ids() async throws {
    #expect(Machine.id(Self.scope) == "i-08f3c0274b4c6e1a0")
    let scopes = ["us-east-1", "us-east-2", "eu-west-1"].flatMap { region in
      ["000000000000", "000000000001", "123456789012"].map { Scope(account: $0, region: region) }
    }
    #expect(Set(scopes.map(Machine.id)).count == 9)
    #expect(scopes.allSatisfy { Machine.isID(Machine.id($0)) })
    try await withHarness { harness in
      let elsewhere = try await harness.dispatcher.invoke(
        EC2.describeInstances, .init(), harness.call(account: "123456789012", region: "eu-west-1"))
      let found = elsewhere.reservations?.first?.instances?.first
      #expect(found?.instanceId == Machine.id(Scope(account: "123456789012", region: "eu-west-1")))
      #expect(found?.placement?.availabilityZone == "eu-west-1a")
    }
  }

  @Test("without its subnet it has neither subnet nor VPC, and stays in its zone")
  func withoutSubnet() async throws {
    try await withHarness { harness in
      let subnet = try await instance(harness)?.subnetId
      _ = try await harness.run(EC2.deleteSubnet) { $0.subnetId = subnet ?? "" }
      let found = try #require(try await instance(harness))
      #expect(found.subnetId == nil && found.vpcId == nil && found.securityGroups?.isEmpty == true)
      #expect(found.placement?.availabilityZone == "us-east-1a")
    }
  }

  @Test("ids that are none, or not its own, are AWS's errors")
  func strangers() async throws {
    try await withHarness { harness in
      func failure(_ ids: String...) async throws -> String {
        try await self.failure(harness) { $0.instanceIds = ids }
      }
      let malformed = try await failure("ma1")
      #expect(malformed == "InvalidInstanceID.Malformed: Invalid id: \"ma1\"")
      let one = try await failure(Machine.id(Self.scope), "i-0123456789abcdef0")
      #expect(one == "InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist")
      let two = try await failure("i-12345678", "i-0123456789abcdef0")
      #expect(two == "InvalidInstanceID.NotFound: The instance IDs 'i-12345678, i-0123456789abcdef0' do not exist")
      #expect(try await instance(harness) { $0.instanceIds = [Machine.id(Self.scope)] } != nil)
    }
  }

  @Test("filters choose it or leave it out; an unknown one is an error, wherever it stands")
  func filters() async throws {
    try await withHarness { harness in
      let id = Machine.id(Self.scope)
      _ = try await harness.run(EC2.createTags) {
        $0.resources = [id]
        $0.tags = [.make { ($0.key, $0.value) = ("Name", "machine") }]
      }
      let vpc = try await instance(harness)?.vpcId ?? ""
      for filter in [
        Self.filter("instance-id", id, "i-12345678"), Self.filter("instance-state-name", "running"),
        Self.filter("vpc-id", vpc), Self.filter("availability-zone", "*a"), Self.filter("tag:Name", "mach*"),
        Self.filter("private-ip-address", "127.0.0.1"), Self.filter("tag-key", "Name"),
        Self.filter("instance-type", "castle.*"), Self.filter("instance.group-name", "default"),
      ] {
        #expect(try await instance(harness) { $0.filters = [filter] } != nil, "\(filter)")
      }
      for filter in [
        Self.filter("instance-state-name", "stopped", "pending"), Self.filter("tag:Name", "other"),
        Self.filter("image-id", "*"), Self.filter("ip-address", "*"),
      ] {
        #expect(try await instance(harness) { $0.filters = [filter] } == nil, "\(filter)")
      }
      #expect(
        try await failure(harness) { $0.filters = [Self.filter("tag-key", "none"), Self.filter("colour", "red")] }
          == "InvalidParameterValue: The filter 'colour' is invalid")
    }
  }

  @Test("it takes tags and gives them up")
  func tags() async throws {
    try await withHarness { harness in
      let id = Machine.id(Self.scope)
      _ = try await harness.run(EC2.createTags) {
        $0.resources = [id]
        $0.tags = [
          .make { ($0.key, $0.value) = ("Name", "machine") }, .make { ($0.key, $0.value) = ("Stage", "test") },
        ]
      }
      _ = try await harness.run(EC2.deleteTags) {
        $0.resources = [id]
        $0.tags = [.make { $0.key = "Stage" }]
      }
      #expect(try await instance(harness)?.tags?.map { "\($0.key ?? "")=\($0.value ?? "")" } == ["Name=machine"])
      let told = try await harness.run(EC2.describeTags) { $0.filters = [Self.filter("resource-type", "instance")] }
      #expect(told.tags?.map(\.resourceId) == [id])
      await #expect(throws: AWSError.self) {
        try await harness.run(EC2.createTags) {
          $0.resources = ["i-0123456789abcdef0"]
          $0.tags = [.make { ($0.key, $0.value) = ("Name", "other") }]
        }
      }
    }
  }

  @Test("its status is told, and pages are as large as AWS lets them be")
  func status() async throws {
    try await withHarness { harness in
      let all = try await harness.run(EC2.describeInstanceStatus)
      #expect(all.instanceStatuses?.map(\.instanceId) == [Machine.id(Self.scope)])
      #expect(all.instanceStatuses?.first?.instanceStatus?.status == "ok" && all.nextToken == nil)
      let none = try await harness.run(EC2.describeInstanceStatus) {
        $0.filters = [Self.filter("instance-status.status", "impaired")]
      }
      #expect(none.instanceStatuses?.isEmpty == true)
      #expect(try await instance(harness) { $0.maxResults = 5 } != nil)
      #expect(try await failure(harness) { $0.maxResults = 1 }.hasPrefix("InvalidParameterValue: Value (1)"))
      #expect(try await failure(harness) { $0.nextToken = "x" }.hasPrefix("InvalidParameterValue"))
      #expect(
        try await failure(harness) {
          $0.maxResults = 5
          $0.instanceIds = [Machine.id(Self.scope)]
        }.hasPrefix("InvalidParameterCombination"))
      #expect(try await failure(harness) { $0.dryRun = true }.hasPrefix("DryRunOperation"))
    }
  }
}
