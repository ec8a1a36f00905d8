// Certificates that are issued: proven in Route 53, renewed on the clock, exported, made by a stack.

import ACMModel
import ACMService
import AWSCore
import AWSWire
import CastleTesting
import CloudWatchModel
import Foundation
import Route53Model
import Route53Service
import ServiceKit
import Store
import Testing

@Suite("ACM issues") struct ACMIssueTests {
  /// ACM beside Route 53, with ACM's loop running, and a hosted zone `example.com`.
  /// - Parameter metrics: where CloudWatch is, when it is to be there.
  private func running(metrics: MetricSink? = nil, _ body: (ServiceHarness, ManualClock, String) async throws -> Void)
    async throws
  {
    let clock = ManualClock()
    let harness = try ServiceHarness(clock: clock, collections: ACMService.collections + Route53Service.collections) {
      [ACMService($0), Route53Service($0)] + (metrics.map { [$0] } ?? [])
    }
    defer { harness.remove() }
    let service = ACMService(harness.environment)
    let loop = Task { try await service.run() }
    let zone = try await harness.run(Route53.createHostedZone) {
      $0.name = "example.com"
      $0.callerReference = "once"
    }.hostedZone?.id
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(harness, clock, zone ?? ""))
    } catch {
      outcome = .failure(error)
    }
    loop.cancel()
    _ = await loop.result
    try outcome.get()
  }

  private func request(
    _ harness: ServiceHarness, _ configure: (inout ACM.RequestCertificateRequest) -> Void = { _ in }
  ) async throws -> String {
    try await harness.run(ACM.requestCertificate) {
      $0.domainName = "shop.example.com"
      $0.subjectAlternativeNames = ["*.shop.example.com"]
      $0.validationMethod = "DNS"
      configure(&$0)
    }.certificateArn ?? ""
  }

  private func describe(_ harness: ServiceHarness, _ arn: String) async throws -> ACM.CertificateDetail {
    let found = try await harness.run(ACM.describeCertificate) { $0.certificateArn = arn }.certificate
    return try #require(found)
  }

  /// Puts (or removes) the record that proves the names.
  private func record(_ harness: ServiceHarness, _ zone: String, _ arn: String, _ action: String) async throws {
    let found = try await describe(harness, arn)
    let record = try #require(found.domainValidationOptions?.first?.resourceRecord)
    _ = try await harness.run(Route53.changeResourceRecordSets) {
      $0.hostedZoneId = zone
      $0.changeBatch = .make {
        $0.changes = [
          .make {
            $0.action = action
            $0.resourceRecordSet = .make {
              $0.name = record.name ?? ""
              $0.type = "CNAME"
              $0.ttl = 60
              $0.resourceRecords = [.make { $0.value = record.value ?? "" }]
            }
          }
        ]
      }
    }
  }

  /// The certificate once it is as wanted; looked at again after each change.
  private func until(
    _ harness: ServiceHarness, _ arn: String, _ holds: (ACM.CertificateDetail) -> Bool
  ) async throws -> ACM.CertificateDetail {
    let changes = harness.environment.store.changes(in: ["acm.certificate"])
    var found = try await describe(harness, arn)
    if holds(found) { return found }
    for await _ in changes {
      found = try await describe(harness, arn)
      if holds(found) { return found }
    }
    return found
  }

  @Test(
    "a request is issued as soon as its record is in the zone",
    arguments: ["RSA_2048", "EC_prime256v1", "EC_secp384r1"])
  func issued(algorithm: String) async throws {
    try await running { harness, clock, zone in
      let arn = try await request(harness) { $0.keyAlgorithm = algorithm }
      #expect(try await describe(harness, arn).status == "PENDING_VALIDATION")
      try await record(harness, zone, arn, "UPSERT")
      let found = try await until(harness, arn) { $0.status == "ISSUED" }
      #expect(found.keyAlgorithm == algorithm && found.issuedAt == clock.now)
      #expect(found.domainValidationOptions?.allSatisfy { $0.validationStatus == "SUCCESS" } == true)
      #expect(found.subject == "CN=shop.example.com" && found.issuer == "Castle local authority")
      #expect(found.keyUsages?.compactMap(\.name) == ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"])
      #expect(found.renewalEligibility == "INELIGIBLE")
      let pem = try await harness.run(ACM.getCertificate) { $0.certificateArn = arn }
      let authority = try String(contentsOfFile: "\(harness.directory)/tls/ca.pem", encoding: .utf8)
      #expect(pem.certificateChain == authority)
      let listed = try await harness.run(ACM.listCertificates) {
        $0.certificateStatuses = ["ISSUED"]
        $0.includes = .make { $0.extendedKeyUsage = ["TLS_WEB_SERVER_AUTHENTICATION"] }
        $0.sortBy = "CREATED_AT"
        $0.sortOrder = "DESCENDING"
      }
      #expect(listed.certificateSummaryList?.map(\.certificateArn) == [arn])
    }
  }

  @Test("the days that are left to each certificate are told once a day")
  func daysToExpiry() async throws {
    let sink = MetricSink()
    try await running(metrics: sink) { harness, clock, zone in
      let arn = try await request(harness)
      try await record(harness, zone, arn, "UPSERT")
      let issued = try await until(harness, arn) { $0.status == "ISSUED" }
      var told = sink.inputs.makeAsyncIterator()
      for days in [1.0, 3.0] {
        clock.advance(seconds: (days == 1 ? 1 : 2) * 86_400)
        let input = try #require(await told.next())
        #expect(input.namespace == "AWS/CertificateManager")
        let datum = try #require(input.metricData?.first)
        #expect(input.metricData?.count == 1 && datum.metricName == "DaysToExpiry")
        #expect(datum.dimensions?.map { [$0.name, $0.value] } == [["CertificateArn", arn]])
        let end = try #require(issued.notAfter)
        #expect(datum.value == ((end.seconds - clock.now.seconds) / 86_400).rounded(.down))
      }
    }
  }

  @Test("an exported certificate is renewed sixty days before its end, under its ARN, while its record is there")
  func renewed() async throws {
    try await running { harness, clock, zone in
      let arn = try await request(harness) {
        $0.keyAlgorithm = "EC_prime256v1"
        $0.options = .make { $0.export = "ENABLED" }
      }
      try await record(harness, zone, arn, "UPSERT")
      let first = try await until(harness, arn) { $0.status == "ISSUED" }
      _ = try await harness.run(ACM.exportCertificate) {
        $0.certificateArn = arn
        $0.passphrase = Blob("open sesame".utf8)
      }
      #expect(try await describe(harness, arn).renewalEligibility == "ELIGIBLE")
      clock.advance(seconds: 336 * 86_400)
      let second = try await until(harness, arn) { $0.renewalSummary?.renewalStatus == "SUCCESS" }
      #expect(second.serial != first.serial && second.status == "ISSUED")
      #expect(second.issuedAt == clock.now)
      // Without its record the next renewal waits.
      _ = try await harness.run(ACM.exportCertificate) {
        $0.certificateArn = arn
        $0.passphrase = Blob("open sesame".utf8)
      }
      try await record(harness, zone, arn, "DELETE")
      clock.advance(seconds: 336 * 86_400)
      let third = try await until(harness, arn) { $0.renewalSummary?.renewalStatus == "PENDING_VALIDATION" }
      #expect(third.serial == second.serial)
      try await record(harness, zone, arn, "UPSERT")
      let fourth = try await until(harness, arn) { $0.renewalSummary?.renewalStatus == "SUCCESS" }
      #expect(fourth.serial != second.serial)
    }
  }

  @Test("a request by e-mail waits honestly, and says where mail would go")
  func mail() async throws {
    try await running { harness, _, _ in
      let arn = try await request(harness) {
        $0.validationMethod = "EMAIL"
        $0.domainValidationOptions = [
          .make {
            $0.domainName = "shop.example.com"
            $0.validationDomain = "example.com"
          }
        ]
      }
      let found = try await describe(harness, arn)
      #expect(found.status == "PENDING_VALIDATION")
      #expect(found.domainValidationOptions?.first?.validationEmails?.contains("admin@example.com") == true)
      let error = await #expect(throws: AWSError.self) {
        _ = try await harness.run(ACM.resendValidationEmail) {
          $0.certificateArn = arn
          $0.domain = "shop.example.com"
          $0.validationDomain = "example.com"
        }
      }
      #expect(error?.status == 501)
    }
  }

  @Test("only a certificate whose export is enabled gives its key away, and only under a passphrase")
  func exported() async throws {
    try await running { harness, _, zone in
      let closed = try await request(harness) { $0.keyAlgorithm = "EC_prime256v1" }
      try await record(harness, zone, closed, "UPSERT")
      _ = try await until(harness, closed) { $0.status == "ISSUED" }
      let refusal = await #expect(throws: AWSError.self) {
        _ = try await harness.run(ACM.exportCertificate) {
          $0.certificateArn = closed
          $0.passphrase = Blob("open sesame".utf8)
        }
      }
      #expect(refusal?.code == "ValidationException")
      let open = try await request(harness) { $0.options = .make { $0.export = "ENABLED" } }
      _ = try await until(harness, open) { $0.status == "ISSUED" }
      let exported = try await harness.run(ACM.exportCertificate) {
        $0.certificateArn = open
        $0.passphrase = Blob("open sesame".utf8)
      }
      let key = try #require(exported.privateKey)
      #expect(key.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"))
      // Another program reads it, and it is the certificate's own.
      let folder = harness.directory
      try Data(key.utf8).write(to: URL(fileURLWithPath: "\(folder)/key.pem"))
      try Data((exported.certificate ?? "").utf8).write(to: URL(fileURLWithPath: "\(folder)/certificate.pem"))
      let fromKey = try await openssl([
        "pkey", "-in", "\(folder)/key.pem", "-passin", "pass:open sesame", "-pubout",
      ])
      let fromCertificate = try await openssl(["x509", "-in", "\(folder)/certificate.pem", "-noout", "-pubkey"])
      #expect(fromKey == fromCertificate && fromKey.hasPrefix("-----BEGIN PUBLIC KEY-----"))
      _ = try await harness.run(ACM.revokeCertificate) {
        $0.certificateArn = open
        $0.revocationReason = "SUPERSEDED"
      }
      #expect(try await describe(harness, open).status == "REVOKED")
    }
  }

  /// What openssl prints.
  private func openssl(_ arguments: [String]) async throws -> String {
    String(decoding: try await Program.run(["openssl"] + arguments).output, as: UTF8.self)
  }

  @Test("a stack's certificate puts its record into the zone and waits until it is issued")
  func resource() async throws {
    try await running { harness, _, zone in
      let provider = try #require(
        ACMService(harness.environment).resourceProviders.first { $0.type == "AWS::CertificateManager::Certificate" })
      let context = ResourceContext(
        stackName: "s", stackID: "a", logicalID: "C", tags: ["team": "web"], call: harness.call())
      let handle = try await provider.make(
        [
          "DomainName": "example.com", "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1",
          "DomainValidationOptions": [["DomainName": "example.com", "HostedZoneId": .string(zone)]],
        ], context)
      #expect(try await describe(harness, handle.physicalID).status == "ISSUED")
      let tags = try await harness.run(ACM.listTagsForCertificate) { $0.certificateArn = handle.physicalID }.tags
      #expect(tags?.map(\.key) == ["team"])
      try await provider.delete(handle, [:], context)
      let left = try await harness.run(ACM.listCertificates).certificateSummaryList
      #expect(left?.isEmpty == true)
    }
  }

  @Test("what the account says about expiry events comes back")
  func account() async throws {
    try await running { harness, _, _ in
      #expect(try await harness.run(ACM.getAccountConfiguration).expiryEvents?.daysBeforeExpiry == 45)
      _ = try await harness.run(ACM.putAccountConfiguration) {
        $0.expiryEvents = .make { $0.daysBeforeExpiry = 30 }
        $0.idempotencyToken = "a"
      }
      #expect(try await harness.run(ACM.getAccountConfiguration).expiryEvents?.daysBeforeExpiry == 30)
    }
  }
}

/// CloudWatch as far as services tell it of themselves: what was put.
private final class MetricSink: AWSService {
  let inputs: AsyncStream<CloudWatch.PutMetricDataInput>
  private let continuation: AsyncStream<CloudWatch.PutMetricDataInput>.Continuation

  init() { (inputs, continuation) = AsyncStream.makeStream() }

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(CloudWatch.putMetricData) { [continuation] input, _ in
      continuation.yield(input)
      return .init()
    }
    return [ServiceAPI(CloudWatch.model, actionPrefix: "cloudwatch", table)]
  }
}
