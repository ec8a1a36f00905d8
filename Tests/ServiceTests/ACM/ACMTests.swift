// Requested and imported certificates.

import ACMModel
import ACMService
import AWSCore
import AWSWire
import CastleTesting
import ServiceKit
import Testing

@Suite("ACM") struct ACMTests {
  private func harness(_ clock: ManualClock = ManualClock()) throws -> ServiceHarness {
    try ServiceHarness(clock: clock, collections: ACMService.collections) { [ACMService($0)] }
  }

  @Test("a request waits for its names to be proven, and times out")
  func request() async throws {
    let clock = ManualClock()
    let harness = try harness(clock)
    defer { harness.remove() }
    func ask() async throws -> String {
      try await harness.run(ACM.requestCertificate) {
        $0.domainName = "example.com"
        $0.subjectAlternativeNames = ["*.example.com", "example.com"]
        $0.validationMethod = "DNS"
        $0.idempotencyToken = "once"
      }.certificateArn ?? ""
    }
    let arn = try await ask()
    #expect(try await ask() == arn)
    let found = try await harness.run(ACM.describeCertificate) { $0.certificateArn = arn }.certificate
    #expect(found?.status == "PENDING_VALIDATION" && found?.type == "AMAZON_ISSUED")
    let records = found?.domainValidationOptions?.compactMap { $0.resourceRecord?.name } ?? []
    #expect(records.count == 2 && Set(records).count == 1)
    #expect(records.first?.hasSuffix(".example.com.") == true)
    var error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ACM.getCertificate) { $0.certificateArn = arn }
    }
    #expect(error?.code == "RequestInProgressException")
    clock.advance(seconds: 4 * 86_400)
    let late = try await harness.run(ACM.describeCertificate) { $0.certificateArn = arn }.certificate
    #expect(late?.status == "VALIDATION_TIMED_OUT")
    _ = try await harness.run(ACM.deleteCertificate) { $0.certificateArn = arn }
    error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ACM.describeCertificate) { $0.certificateArn = arn }
    }
    #expect(error?.code == "ResourceNotFoundException")
  }

  @Test("an imported certificate is read; a wrong key is refused")
  func imported() async throws {
    // 2030: the certificate is valid then.
    let harness = try harness(ManualClock(Timestamp(seconds: 1_900_000_000)))
    defer { harness.remove() }
    let arn =
      try await harness.run(ACM.importCertificate) {
        $0.certificate = Blob(ACMCertificates.certificate.utf8)
        $0.privateKey = Blob(ACMCertificates.key.utf8)
        $0.tags = [
          .make {
            $0.key = "team"
            $0.value = "web"
          }
        ]
      }.certificateArn ?? ""
    let found = try await harness.run(ACM.describeCertificate) { $0.certificateArn = arn }.certificate
    #expect(found?.status == "ISSUED" && found?.type == "IMPORTED" && found?.domainName == "shop.test")
    #expect(found?.subjectAlternativeNames == ["shop.test", "www.shop.test"])
    #expect(found?.keyAlgorithm == "EC_prime256v1" && found?.signatureAlgorithm == "SHA256WITHECDSA")
    let got = try await harness.run(ACM.getCertificate) { $0.certificateArn = arn }
    #expect(got.certificate == ACMCertificates.certificate && got.certificateChain == nil)
    let issued = try await harness.run(ACM.listCertificates) { $0.certificateStatuses = ["ISSUED"] }
    #expect(issued.certificateSummaryList?.map(\.certificateArn) == [arn])
    #expect(try await harness.run(ACM.listTagsForCertificate) { $0.certificateArn = arn }.tags?.count == 1)
    let error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ACM.importCertificate) {
        $0.certificate = Blob(ACMCertificates.certificate.utf8)
        $0.privateKey = Blob(ACMCertificates.otherKey.utf8)
      }
    }
    #expect(error?.message == "The private key does not match the public key of the certificate.")
  }
}
