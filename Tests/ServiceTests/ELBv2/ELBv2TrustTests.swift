// Trust stores: bundles and revocation lists out of S3.

import AWSCore
import AWSWire
import ELBv2Model
import S3Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 trust stores", .timeLimit(.minutes(1)))
struct ELBv2TrustTests {
  static let authority = """
    -----BEGIN CERTIFICATE-----
    MIIBiDCCAS+gAwIBAgIUMxtwlch/ilch+nulQBX4WyoWog0wCgYIKoZIzj0EAwIw
    GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIzMDcyMjA4WhgPMjA4
    MTA4MjYwNzIyMDhaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
    zj0CAQYIKoZIzj0DAQcDQgAE8pgG8Q7uvN+Ex6notU2TGZRNydhTd+eJzQMih5lC
    NVWLc6NXwYBunrnJHZ6FVkteVCgkro71cOijs8997Z33NaNTMFEwHQYDVR0OBBYE
    FHL/HqNA3Y50okQK3jR3WVcN8oQrMB8GA1UdIwQYMBaAFHL/HqNA3Y50okQK3jR3
    WVcN8oQrMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgCQIWLlJU
    eGnFZcwz8fxFVHDYdfinsjfe6ZWuDuvtTsMCICO1Mk3xJp9HqthyGVAmyP8Y6+Se
    SYK6/ob6omQx5H2y
    -----END CERTIFICATE-----

    """

  /// Revokes two certificates.
  static let revocations = """
    -----BEGIN X509 CRL-----
    MIHdMIGEAgEBMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5
    Fw0yNjExMjMwNzIyMDhaGA8yMTA5MDExMjA3MjIwOFowKDASAgEBFw0yNjExMjMw
    NzIyMDhaMBICAQIXDTI2MTEyMzA3MjIwOFqgDjAMMAoGA1UdFAQDAgEBMAoGCCqG
    SM49BAMCA0gAMEUCIQDZ34Gzv+Vmrkn3v5QclvuVVQSK2UBG1jFktHO59fqOwQIg
    YCgMWYDLGhAMbRhJSjlSPTgiJdIGf+GkwrmzUnCkKr8=
    -----END X509 CRL-----

    """

  private func put(_ elb: ELBv2Fixture, _ key: String, _ text: String) async throws {
    _ = try await elb.harness.call().invokeStreaming(
      S3.putObject,
      .make {
        $0.bucket = "trust"
        $0.key = key
      }, RequestBody(Array(text.utf8)))
  }

  private func store(_ elb: ELBv2Fixture) async throws -> String {
    _ = try await elb.run(S3.createBucket) { $0.bucket = "trust" }
    try await put(elb, "ca.pem", Self.authority)
    let made = try await elb.run(ELBv2.createTrustStore) {
      $0.name = "clients"
      $0.caCertificatesBundleS3Bucket = "trust"
      $0.caCertificatesBundleS3Key = "ca.pem"
    }
    let store = try #require(made.trustStores?.first)
    #expect(store.status == "ACTIVE" && store.numberOfCaCertificates == 1 && store.totalRevokedEntries == 0)
    return try #require(store.trustStoreArn)
  }

  @Test("a trust store is read out of S3; what is no bundle or not there is refused")
  func makes() async throws {
    try await ELBv2Fixture.alone { elb in
      let arn = try await store(elb)
      #expect(arn.hasPrefix("arn:aws:elasticloadbalancing:us-east-1:000000000000:truststore/clients/"))
      try await put(elb, "bad.pem", "not a certificate")
      func failure(_ name: String, _ key: String) async throws -> String {
        try await elb.failure(ELBv2.createTrustStore) {
          $0.name = name
          $0.caCertificatesBundleS3Bucket = "trust"
          $0.caCertificatesBundleS3Key = key
        }
      }
      #expect(try await failure("other", "none.pem").hasPrefix("CaCertificatesBundleNotFound"))
      #expect(try await failure("other", "bad.pem").hasPrefix("InvalidCaCertificatesBundle"))
      #expect(try await failure("clients", "ca.pem").hasPrefix("DuplicateTrustStoreName"))
      let found = try await elb.run(ELBv2.describeTrustStores) { $0.names = ["clients"] }.trustStores
      #expect(found?.map(\.trustStoreArn) == [arn])
    }
  }

  @Test("revocation lists are counted, told and removed")
  func revokes() async throws {
    try await ELBv2Fixture.alone { elb in
      let arn = try await store(elb)
      try await put(elb, "crl.pem", Self.revocations)
      let added = try await elb.run(ELBv2.addTrustStoreRevocations) {
        $0.trustStoreArn = arn
        $0.revocationContents = [
          .make {
            $0.s3Bucket = "trust"
            $0.s3Key = "crl.pem"
          }
        ]
      }
      #expect(added.trustStoreRevocations?.map(\.numberOfRevokedEntries) == [2])
      let found = try await elb.run(ELBv2.describeTrustStores) { $0.trustStoreArns = [arn] }.trustStores
      #expect(found?.first?.totalRevokedEntries == 2)
      #expect(
        try await elb.failure(ELBv2.addTrustStoreRevocations) {
          $0.trustStoreArn = arn
          $0.revocationContents = [
            .make {
              $0.s3Bucket = "trust"
              $0.s3Key = "ca.pem"
            }
          ]
        }.hasPrefix("InvalidRevocationContent"))
      _ = try await elb.run(ELBv2.removeTrustStoreRevocations) {
        $0.trustStoreArn = arn
        $0.revocationIds = [1]
      }
      let left = try await elb.run(ELBv2.describeTrustStoreRevocations) { $0.trustStoreArn = arn }
      #expect(left.trustStoreRevocations?.isEmpty == true)
    }
  }

  @Test("a trust store that a listener verifies against is told, and not deleted")
  func isUsed() async throws {
    try await ELBv2Fixture.alone { elb in
      let arn = try await store(elb)
      let balancer = try await elb.loadBalancer("shop")
      let certificate = try await elb.certificate("shop.example")
      let made = try await elb.run(ELBv2.createListener) {
        $0.loadBalancerArn = balancer
        $0.port = 443
        $0.protocol = "HTTPS"
        $0.certificates = [.make { $0.certificateArn = certificate }]
        $0.defaultActions = [.fixed("200")]
        $0.mutualAuthentication = .make {
          $0.mode = "verify"
          $0.trustStoreArn = arn
        }
      }
      let mutual = made.listeners?.first?.mutualAuthentication
      #expect(
        mutual?.mode == "verify" && mutual?.trustStoreArn == arn && mutual?.ignoreClientCertificateExpiry == false)
      let users = try await elb.run(ELBv2.describeTrustStoreAssociations) { $0.trustStoreArn = arn }
      #expect(users.trustStoreAssociations?.map(\.resourceArn) == made.listeners?.map(\.listenerArn))
      #expect(try await elb.failure(ELBv2.deleteTrustStore) { $0.trustStoreArn = arn }.hasPrefix("TrustStoreInUse"))
      _ = try await elb.run(ELBv2.deleteLoadBalancer) { $0.loadBalancerArn = balancer }
      _ = try await elb.run(ELBv2.deleteTrustStore) { $0.trustStoreArn = arn }
    }
  }
}
