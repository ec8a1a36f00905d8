// Trust stores' contents, at addresses that hold for ten minutes.

import AWSCore
import AWSWire
import CastleTesting
import ELBv2Model
import Foundation
import GateProtocol
import S3Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 trust store contents", .timeLimit(.minutes(1)))
struct ELBv2TrustStoreContentsTests {
  private typealias Found = (type: String, bytes: [UInt8])

  private func put(_ elb: ELBv2Fixture, _ key: String, _ bytes: [UInt8]) async throws {
    _ = try await elb.harness.call().invokeStreaming(
      S3.putObject,
      .make {
        $0.bucket = "trust"
        $0.key = key
      }, RequestBody(bytes))
  }

  /// A trust store whose bundle has a comment in Latin-1.
  private func store(_ elb: ELBv2Fixture, _ name: String = "clients") async throws -> String {
    if name == "clients" { _ = try await elb.run(S3.createBucket) { $0.bucket = "trust" } }
    try await put(elb, "ca.pem", Self.bundle)
    let made = try await elb.run(ELBv2.createTrustStore) {
      $0.name = name
      $0.caCertificatesBundleS3Bucket = "trust"
      $0.caCertificatesBundleS3Key = "ca.pem"
    }
    return try #require(made.trustStores?.first?.trustStoreArn)
  }

  private static let bundle = [0x23, 0xfc, 0x0a] + Array(ELBv2TrustTests.authority.utf8)

  private func revocation(_ elb: ELBv2Fixture, _ arn: String, _ bytes: [UInt8]) async throws -> Int {
    try await put(elb, "crl", bytes)
    let added = try await elb.run(ELBv2.addTrustStoreRevocations) {
      $0.trustStoreArn = arn
      $0.revocationContents = [
        .make {
          $0.s3Bucket = "trust"
          $0.s3Key = "crl"
        }
      ]
    }
    return try #require(added.trustStoreRevocations?.first?.revocationId)
  }

  private func bundleLocation(_ elb: ELBv2Fixture, _ arn: String) async throws -> String {
    let answer = try await elb.run(ELBv2.getTrustStoreCaCertificatesBundle) { $0.trustStoreArn = arn }
    return try #require(answer.location)
  }

  private func revocationLocation(_ elb: ELBv2Fixture, _ arn: String, _ id: Int) async throws -> String {
    let answer = try await elb.run(ELBv2.getTrustStoreRevocationContent) {
      $0.trustStoreArn = arn
      $0.revocationId = id
    }
    return try #require(answer.location)
  }

  /// What the endpoint does with an address.
  private func get(_ service: ELBv2Service, _ location: String) async throws -> Found {
    let parts = try #require(URLComponents(string: location))
    #expect(parts.path.hasPrefix("/_castle/"))
    var query: [String: String] = [:]
    for item in parts.queryItems ?? [] { query[item.name] = item.value }
    return try await service.trustStoreContents(path: String(parts.path.dropFirst("/_castle".count)), query: query)
  }

  private func refusal(_ service: ELBv2Service, _ location: String) async throws -> String {
    do {
      _ = try await get(service, location)
      return "none"
    } catch let error as AWSError {
      return "\(error.status) \(error.code): \(error.message)"
    }
  }

  @Test("bundle and revocation lists are given back byte for byte, PEM and DER")
  func bytes() async throws {
    try await ELBv2Fixture.alone { elb in
      let arn = try await store(elb)
      let bundle = try await get(elb.service, bundleLocation(elb, arn))
      #expect(bundle.bytes == Self.bundle && bundle.type == "application/x-pem-file")
      let commented = Array(("# of today\r\n" + ELBv2TrustTests.revocations).utf8)
      let text = try await revocation(elb, arn, commented)
      let lines = ELBv2TrustTests.revocations.split(separator: "\n").filter { !$0.hasPrefix("-") }
      let der = try #require(Base64.decode(lines.joined()))
      let binary = try await revocation(elb, arn, der)
      let first = try await get(elb.service, revocationLocation(elb, arn, text))
      #expect(first.bytes == commented && first.type == "application/x-pem-file")
      let second = try await get(elb.service, revocationLocation(elb, arn, binary))
      #expect(second.bytes == der && second.type == "application/pkix-crl")
    }
  }

  @Test("an address ends after ten minutes of the castle's clock, and holds when the service starts again before")
  func ends() async throws {
    let clock = ManualClock()
    try await ELBv2Fixture.alone(clock: clock) { elb in
      let arn = try await store(elb)
      let location = try await bundleLocation(elb, arn)
      clock.advance(seconds: 599)
      let again = ELBv2Service(elb.harness.environment, gate: GateController(socketPath: "/nowhere/gate.sock"))
      let found = try await get(again, location)
      #expect(found.bytes == Self.bundle)
      clock.advance(seconds: 1)
      let refused = try await refusal(again, location)
      #expect(refused == "403 AccessDenied: Request has expired")
    }
  }

  @Test("an address that this castle did not sign, or signed for something else, opens nothing")
  func forged() async throws {
    try await ELBv2Fixture.alone { elb in
      let arn = try await store(elb)
      let other = try await store(elb, "others")
      let id = try await revocation(elb, arn, Array(ELBv2TrustTests.revocations.utf8))
      let location = try await bundleLocation(elb, arn)
      let list = try await revocationLocation(elb, arn, id)
      let signature = try #require(location.range(of: "Signature=").map { String(location[$0.upperBound...]) })
      var flipped = signature
      flipped.replaceSubrange(flipped.startIndex...flipped.startIndex, with: signature.hasPrefix("0") ? "1" : "0")
      let date = try #require(location.range(of: "X-Amz-Date=").map { String(location[$0.upperBound...].prefix(16)) })
      for changed in [
        location.replacing(arn, with: other), location.replacing("X-Amz-Expires=600", with: "X-Amz-Expires=60000"),
        location.replacing(date, with: "20991231T000000Z"), location.replacing(signature, with: flipped),
        location.replacing(signature, with: String(signature.dropLast())), location.replacing(signature, with: "é"),
        list.replacing("/revocations/\(id)", with: "/ca-certificates-bundle"),
        list.replacing("/revocations/\(id)", with: "/revocations/\(id + 1)"),
      ] {
        #expect(changed != location && changed != list)
        let refused = try await refusal(elb.service, changed)
        #expect(refused.hasPrefix("403 SignatureDoesNotMatch"), "\(changed)")
      }
      let bare = String(location.prefix { $0 != "?" })
      let unsigned = try await refusal(elb.service, bare)
      #expect(unsigned == "403 AccessDenied: Access Denied")
      let elsewhere = try await refusal(elb.service, bare + "/more")
      #expect(elsewhere.hasPrefix("404 NoSuchKey"))
    }
  }

  @Test("what is not there has no address, and an address of what was deleted leads nowhere")
  func gone() async throws {
    try await ELBv2Fixture.alone { elb in
      let arn = try await store(elb)
      let id = try await revocation(elb, arn, Array(ELBv2TrustTests.revocations.utf8))
      let missing = try await elb.failure(ELBv2.getTrustStoreRevocationContent) {
        $0.trustStoreArn = arn
        $0.revocationId = id + 1
      }
      #expect(missing.hasPrefix("RevocationIdNotFound"))
      let bundle = try await bundleLocation(elb, arn)
      let list = try await revocationLocation(elb, arn, id)
      _ = try await elb.run(ELBv2.removeTrustStoreRevocations) {
        $0.trustStoreArn = arn
        $0.revocationIds = [id]
      }
      let removed = try await refusal(elb.service, list)
      #expect(removed.hasPrefix("404 NoSuchKey"))
      _ = try await elb.run(ELBv2.deleteTrustStore) { $0.trustStoreArn = arn }
      let deleted = try await refusal(elb.service, bundle)
      #expect(deleted.hasPrefix("404 NoSuchKey"))
      let failures = [
        try await elb.failure(ELBv2.getTrustStoreCaCertificatesBundle) { $0.trustStoreArn = arn },
        try await elb.failure(ELBv2.getTrustStoreRevocationContent) {
          $0.trustStoreArn = arn
          $0.revocationId = id
        },
      ]
      #expect(failures.allSatisfy { $0.hasPrefix("TrustStoreNotFound") })
    }
  }
}
