// ELBv2 with EC2 beside it: alone, or over a real castle-gate.

import ACMModel
import ACMService
import ARCZonalShiftService
import AWSCore
import AWSWire
import CastleTesting
import Certificates
import EC2Model
import EC2Service
import ELBv2Model
import Foundation
import GateProtocol
import Glibc
import Route53Model
import Route53Service
import S3Service
import ServiceKit
import Store

@testable import ELBv2Service

struct ELBTestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A service, its network and, when asked for, its Gate.
final class ELBv2Fixture: Sendable {
  let harness: ServiceHarness
  let service: ELBv2Service
  let shifts: ARCZonalShiftService
  let gate: GateController
  let socketPath: String
  let vpc: String
  let subnets: [String]

  private init(
    harness: ServiceHarness, service: ELBv2Service, shifts: ARCZonalShiftService, gate: GateController,
    socketPath: String, vpc: String, subnets: [String]
  ) {
    self.harness = harness
    self.shifts = shifts
    self.service = service
    self.gate = gate
    self.socketPath = socketPath
    self.vpc = vpc
    self.subnets = subnets
  }

  /// Operations without a data plane.
  static func alone(
    clock: any CastleClock = SystemClock(), _ body: (ELBv2Fixture) async throws -> Void
  ) async throws {
    let fixture = try await make(
      socketPath: "/nowhere/gate.sock", ports: PortPlan(privilegedBelow: 0), bindWait: .zero, clock: clock)
    defer { fixture.harness.remove() }
    try await body(fixture)
  }

  /// Operations over a castle-gate of its own, with the service's loop running.
  static func withGate(
    ports: PortPlan = .system(), keySets: KeySetKeeper.Timing = .init(), clock: any CastleClock = SystemClock(),
    _ body: (ELBv2Fixture) async throws -> Void
  ) async throws {
    let folder = NSTemporaryDirectory() + "elb-\(SystemIdentifiers().hex(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let program = try GateProgram(folder: folder)
    let outcome: Result<Void, any Error>
    do {
      let fixture = try await make(
        socketPath: program.socketPath, ports: ports, bindWait: .seconds(20), keySets: keySets, clock: clock)
      defer { fixture.harness.remove() }
      outcome = await fixture.running { await Self.result { try await body(fixture) } }
    } catch {
      outcome = .failure(error)
    }
    await program.end()
    try outcome.get()
  }

  /// Runs the loops of the controller and the service beside the body.
  func running<T: Sendable>(_ body: () async -> T) async -> T {
    let controller = Task { await gate.run() }
    let loop = Task { try await service.run() }
    let shifting = Task { try await shifts.run() }
    let value = await body()
    controller.cancel()
    loop.cancel()
    shifting.cancel()
    await controller.value
    _ = await shifting.result
    _ = await loop.result
    return value
  }

  static func result(_ body: () async throws -> Void) async -> Result<Void, any Error> {
    do {
      return .success(try await body())
    } catch {
      return .failure(error)
    }
  }

  private static func make(
    socketPath: String, ports: PortPlan, bindWait: Duration, keySets: KeySetKeeper.Timing = .init(),
    clock: any CastleClock
  ) async throws -> ELBv2Fixture {
    let gate = GateController(socketPath: socketPath, awaiting: ["elbv2"])
    var services: (ELBv2Service, EC2Service, ARCZonalShiftService)?
    let harness = try ServiceHarness(
      clock: clock,
      collections: ELBv2Service.collections + ARCZonalShiftService.collections + EC2Service.collections
        + ACMService.collections + Route53Service.collections + S3Service.collections
    ) { environment in
      let authority = CertificateAuthority(directory: "\(environment.directory)/tls")
      let acm = ACMService(environment, authority: authority)
      let dns = Route53Service(environment)
      let elb = ELBv2Service(
        environment, gate: gate, certificates: [acm],
        authority: { try authority.certificate(now: environment.clock.now) }, names: dns, ports: ports,
        bindWait: bindWait,
        keySetTiming: keySets)
      let ec2 = EC2Service(environment)
      let shifts = ARCZonalShiftService(environment, gate: gate)
      services = (elb, ec2, shifts)
      return [ec2, elb, acm, shifts, dns, try S3Service(environment)]
    }
    guard let (service, ec2, shifts) = services else { throw ELBTestFailure("no services") }
    try await ec2.prepareAccount("000000000000", region: "us-east-1")
    let subnets = (try await harness.run(EC2.describeSubnets).subnets ?? [])
      .ordered { $0.availabilityZone ?? "" }
    return ELBv2Fixture(
      harness: harness, service: service, shifts: shifts, gate: gate, socketPath: socketPath,
      vpc: subnets.first?.vpcId ?? "", subnets: subnets.prefix(2).compactMap(\.subnetId))
  }

  // MARK: - Short ways to make things

  func run<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }) async throws -> O {
    try await harness.run(operation, configure)
  }

  /// The error's code and message, or "" when there was none.
  func failure<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void) async throws -> String {
    do {
      _ = try await harness.run(operation, configure)
      return ""
    } catch let error as AWSError {
      return "\(error.code): \(error.message)"
    }
  }

  /// A certificate that ACM has issued, with its zone made for it; its authority is in `authorityPath`.
  func certificate(_ domain: String) async throws -> String {
    let zone = try await run(Route53.createHostedZone) {
      $0.name = domain
      $0.callerReference = domain
    }.hostedZone?.id
    let provider = ACMService(harness.environment).resourceProviders.first {
      $0.type == "AWS::CertificateManager::Certificate"
    }
    guard let provider, let zone else { throw ELBTestFailure("no zone") }
    let issuer = ACMService(harness.environment)
    let loop = Task { try await issuer.run() }
    defer { loop.cancel() }
    let handle = try await provider.make(
      [
        "DomainName": .string(domain), "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1",
        "DomainValidationOptions": [["DomainName": .string(domain), "HostedZoneId": .string(zone)]],
      ], ResourceContext(stackName: "s", stackID: "s", logicalID: "C", tags: [:], call: harness.call()))
    return handle.physicalID
  }

  var authorityPath: String { "\(harness.directory)/tls/ca.pem" }

  func loadBalancer(_ name: String, scheme: String? = nil) async throws -> String {
    let made = try await run(ELBv2.createLoadBalancer) {
      $0.name = name
      $0.subnets = self.subnets
      $0.scheme = scheme
    }
    guard let arn = made.loadBalancers?.first?.loadBalancerArn else { throw ELBTestFailure("no load balancer") }
    return arn
  }

  func targetGroup(_ name: String, _ configure: (inout ELBv2.CreateTargetGroupInput) -> Void = { _ in }) async throws
    -> String
  {
    let made = try await run(ELBv2.createTargetGroup) {
      $0.name = name
      $0.targetType = "ip"
      $0.protocol = "HTTP"
      $0.port = 8080
      $0.vpcId = self.vpc
      $0.healthCheckIntervalSeconds = 5
      $0.healthCheckTimeoutSeconds = 2
      configure(&$0)
    }
    guard let arn = made.targetGroups?.first?.targetGroupArn else { throw ELBTestFailure("no target group") }
    return arn
  }

  func listener(_ balancer: String, port: Int = 80, _ action: ELBv2.Action) async throws -> String {
    let made = try await run(ELBv2.createListener) {
      $0.loadBalancerArn = balancer
      $0.port = port
      $0.protocol = "HTTP"
      $0.defaultActions = [action]
    }
    guard let arn = made.listeners?.first?.listenerArn else { throw ELBTestFailure("no listener") }
    return arn
  }

  func rule(_ listener: String, _ priority: Int, _ condition: ELBv2.RuleCondition, _ action: ELBv2.Action) async throws
    -> String
  {
    let made = try await run(ELBv2.createRule) {
      $0.listenerArn = listener
      $0.priority = priority
      $0.conditions = [condition]
      $0.actions = [action]
    }
    guard let arn = made.rules?.first?.ruleArn else { throw ELBTestFailure("no rule") }
    return arn
  }

  /// - Parameter zones: those of the servers; empty for none.
  func register(_ group: String, _ servers: [ELBServer], zones: [String] = []) async throws {
    _ = try await run(ELBv2.registerTargets) {
      $0.targetGroupArn = group
      $0.targets = servers.enumerated().map { index, server in
        .make {
          $0.id = "127.0.0.1"
          $0.port = Int(server.port)
          $0.availabilityZone = zones.isEmpty ? nil : zones[index]
        }
      }
    }
  }

  func dnsName(_ balancer: String) async throws -> String {
    try await run(ELBv2.describeLoadBalancers) { $0.loadBalancerArns = [balancer] }.loadBalancers?.first?.dnsName ?? ""
  }

  /// State (and reason) by port.
  func health(_ group: String) async throws -> [Int: String] {
    let all = try await run(ELBv2.describeTargetHealth) { $0.targetGroupArn = group }.targetHealthDescriptions ?? []
    return Dictionary(
      all.map {
        (
          $0.target?.port ?? 0,
          [$0.targetHealth?.state, $0.targetHealth?.reason].compactMap(\.self).joined(separator: " ")
        )
      }
    ) { $1 }
  }

  /// Looks again whenever the Gate or the store has news, until it holds.
  /// - Parameter store: collections whose changes are looked at too.
  func until(
    _ what: String, seconds: Double = 20, store: Set<String> = [],
    _ condition: @escaping @Sendable () async throws -> Bool
  )
    async throws
  {
    let events = await gate.events()
    let changes = harness.environment.store.changes(in: store)
    let holds = try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        if try await condition() { return true }
        for await _ in events where try await condition() { return true }
        return false
      }
      if !store.isEmpty {
        group.addTask {
          for await _ in changes where try await condition() { return true }
          return false
        }
      }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        return false
      }
      defer { group.cancelAll() }
      return try await group.next() ?? false
    }
    guard holds else { throw ELBTestFailure("it never came to: \(what)") }
  }
}

extension ELBv2.Action {
  static func forward(_ group: String) -> ELBv2.Action {
    .make {
      $0.type = "forward"
      $0.targetGroupArn = group
    }
  }

  static func fixed(_ status: String, _ body: String = "") -> ELBv2.Action {
    .make {
      $0.type = "fixed-response"
      $0.fixedResponseConfig = .make {
        $0.statusCode = status
        $0.contentType = "text/plain"
        $0.messageBody = body
      }
    }
  }
}

extension ELBv2.RuleCondition {
  static func path(_ patterns: String...) -> ELBv2.RuleCondition {
    .make {
      $0.field = "path-pattern"
      $0.values = patterns
    }
  }

  static func host(_ patterns: String...) -> ELBv2.RuleCondition {
    .make {
      $0.field = "host-header"
      $0.hostHeaderConfig = .make { $0.values = patterns }
    }
  }
}

/// A castle-gate process, the program built beside the test bundle.
final class GateProgram: Sendable {
  let process: pid_t
  let socketPath: String

  private static func find() -> String? {
    var folders = [CommandLine.arguments[0]]
    var link = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &link, link.count - 1)
    if count > 0 { folders.append(String(decoding: link[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)) }
    folders += CommandLine.arguments.dropFirst().filter { $0.contains(".xctest") }
    for path in folders {
      var parts = path.split(separator: "/", omittingEmptySubsequences: false)
      while !parts.isEmpty {
        parts.removeLast()
        let candidate = parts.joined(separator: "/") + "/castle-gate"
        if access(candidate, X_OK) == 0 { return candidate }
      }
    }
    return nil
  }

  init(folder: String) throws {
    guard let program = Self.find() else { throw ELBTestFailure("castle-gate is not built") }
    socketPath = folder + "/gate.sock"
    let texts = [program, "--socket", socketPath, "--state", folder + "/state", "--drain", "1"]
    var arguments: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var child: pid_t = 0
    guard posix_spawn(&child, program, nil, &attributes, arguments, environ) == 0 else {
      throw ELBTestFailure("castle-gate cannot be started")
    }
    process = child
  }

  func end() async {
    let process = process
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        kill(process, SIGTERM)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        continuation.resume()
      }
    }
  }
}
