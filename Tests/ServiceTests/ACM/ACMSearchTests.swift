// SearchCertificates: filters, orders, pages and what is told.

import ACMModel
import ACMService
import AWSCore
import AWSWire
import CastleTesting
import ELBv2Model
import Route53Model
import Route53Service
import ServiceKit
import Testing

@Suite("ACM search", .timeLimit(.minutes(1))) struct ACMSearchTests {
  /// 2030: the imported certificates are valid then.
  private static let start = 1_900_000_000_000

  /// A world with, a second between them: `late` (timed out), then four days later `wait` (by e-mail), `shop` and `office`
  /// (imported), `gone` (exported, revoked), `fresh` (exported, renewed).
  private func searching(_ body: (ServiceHarness) async throws -> Void) async throws {
    let clock = ManualClock(Timestamp(milliseconds: Int64(Self.start)))
    let harness = try ServiceHarness(clock: clock, collections: ACMService.collections + Route53Service.collections) {
      [ACMService($0), Route53Service($0)]
    }
    defer { harness.remove() }
    let service = ACMService(harness.environment)
    let loop = Task { try await service.run() }
    let outcome: Result<Void, any Error>
    do {
      try await fill(harness, service, clock)
      outcome = .success(try await body(harness))
    } catch {
      outcome = .failure(error)
    }
    loop.cancel()
    _ = await loop.result
    try outcome.get()
  }

  private func fill(_ harness: ServiceHarness, _ service: ACMService, _ clock: ManualClock) async throws {
    _ = try await harness.run(ACM.requestCertificate) {
      $0.domainName = "late.example.com"
      $0.validationMethod = "DNS"
    }
    clock.advance(seconds: 4 * 86_400)
    _ = try await harness.run(ACM.requestCertificate) {
      $0.domainName = "wait.example.com"
      $0.subjectAlternativeNames = ["*.wait.example.com"]
      $0.validationMethod = "EMAIL"
      $0.keyAlgorithm = "RSA_2048"
    }
    for (certificate, key) in [
      (ACMCertificates.certificate, ACMCertificates.key), (ACMCertificates.office, ACMCertificates.officeKey),
    ] {
      clock.advance(seconds: 1)
      _ = try await harness.run(ACM.importCertificate) {
        $0.certificate = Blob(certificate.utf8)
        $0.privateKey = Blob(key.utf8)
      }
    }
    let zone = try await harness.run(Route53.createHostedZone) {
      $0.name = "example.com"
      $0.callerReference = "once"
    }.hostedZone?.id
    let gone = try await issue("gone.example.com", zone, harness, service, clock)
    _ = try await harness.run(ACM.revokeCertificate) {
      $0.certificateArn = gone
      $0.revocationReason = "SUPERSEDED"
    }
    let fresh = try await issue("fresh.example.com", zone, harness, service, clock)
    _ = try await harness.run(ACM.renewCertificate) { $0.certificateArn = fresh }
  }

  /// Issued and exported, a second later.
  private func issue(
    _ domain: String, _ zone: String?, _ harness: ServiceHarness, _ service: ACMService, _ clock: ManualClock
  ) async throws -> String {
    clock.advance(seconds: 1)
    let provider = try #require(
      service.resourceProviders.first { $0.type == "AWS::CertificateManager::Certificate" })
    let handle = try await provider.make(
      [
        "DomainName": .string(domain), "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1",
        "CertificateExport": "ENABLED",
        "DomainValidationOptions": [["DomainName": .string(domain), "HostedZoneId": .string(zone ?? "")]],
      ], ResourceContext(stackName: "s", stackID: "s", logicalID: "C", tags: [:], call: harness.call()))
    _ = try await harness.run(ACM.exportCertificate) {
      $0.certificateArn = handle.physicalID
      $0.passphrase = Blob("open sesame".utf8)
    }
    return handle.physicalID
  }

  private func search(_ harness: ServiceHarness, _ request: JSONValue) async throws -> ACM.SearchCertificatesResponse {
    let input = ShapeJSON(ACM.model).structure(ACM.SearchCertificatesRequest.self, request)
    return try await harness.run(ACM.searchCertificates) { $0 = input }
  }

  /// The first labels of the names of what is found, as they come.
  private func names(_ harness: ServiceHarness, _ request: JSONValue) async throws -> [String] {
    names(try await search(harness, request))
  }

  private func names(_ answer: ACM.SearchCertificatesResponse) -> [String] {
    (answer.results ?? []).map { ($0.x509Attributes?.subject?.commonName ?? "").lowercased().prefix { $0 != "." } }
      .map(String.init)
  }

  private static let all = ["late", "wait", "shop", "office", "gone", "fresh"]

  private static func subject(_ comparison: JSONValue, _ value: JSONValue) -> JSONValue {
    ["X509AttributeFilter": ["Subject": ["CommonName": ["Value": value, "ComparisonOperator": comparison]]]]
  }

  private static func alternative(_ comparison: JSONValue, _ value: JSONValue) -> JSONValue {
    [
      "X509AttributeFilter": [
        "SubjectAlternativeName": ["DnsName": ["Value": value, "ComparisonOperator": comparison]]
      ]
    ]
  }

  private static func x509(_ member: String, _ value: JSONValue) -> JSONValue {
    ["X509AttributeFilter": .object([member: value])]
  }

  private static func metadata(_ member: String, _ value: JSONValue) -> JSONValue {
    ["AcmCertificateMetadataFilter": .object([member: value])]
  }

  /// 24 November 2026, 00:07:00: where `office` begins to be valid.
  private static let officeBegins = 1_795_478_820_000
  private static let officeEnds = officeBegins + 20_000 * 86_400_000

  @Test("each filter finds the certificates that it describes, and no others")
  func filters() async throws {
    let expected: [(JSONValue, [String])] = [
      (Self.subject("EQUALS", "OFFICE.example"), ["office"]), (Self.subject("EQUALS", "office"), []),
      (Self.subject("CONTAINS", "example.com"), ["late", "wait", "gone", "fresh"]),
      (Self.alternative("EQUALS", "*.office.example"), ["office"]),
      (Self.alternative("EQUALS", "*.wait.example.com"), ["wait"]),
      (Self.alternative("CONTAINS", "WWW.shop"), ["shop"]), (Self.alternative("CONTAINS", "192.0.2.7"), []),
      (Self.x509("ExtendedKeyUsage", "TLS_WEB_SERVER_AUTHENTICATION"), ["office", "gone", "fresh"]),
      (Self.x509("ExtendedKeyUsage", "CUSTOM"), ["office"]), (Self.x509("ExtendedKeyUsage", "NONE"), ["shop"]),
      (Self.x509("KeyUsage", "NON_REPUDIATION"), ["office"]), (Self.x509("KeyUsage", "ANY"), ["shop"]),
      (Self.x509("KeyUsage", "DIGITAL_SIGNATURE"), ["office", "gone", "fresh"]),
      (Self.x509("KeyAlgorithm", "EC_secp384r1"), ["office"]),
      (Self.x509("KeyAlgorithm", "EC_prime256v1"), ["shop", "gone", "fresh"]),
      (Self.x509("SerialNumber", "12:34"), ["shop"]), (Self.x509("SerialNumber", "0a:1b:2c"), ["office"]),
      (Self.x509("NotBefore", ["Start": .integer(Self.officeBegins), "End": .integer(Self.start)]), ["office"]),
      (Self.x509("NotBefore", ["Start": .integer(Self.officeBegins + 1), "End": .integer(Self.start)]), []),
      (Self.x509("NotBefore", ["End": .integer(Self.officeBegins)]), ["shop", "office"]),
      (Self.x509("NotAfter", ["Start": .integer(Self.officeEnds), "End": .integer(Self.officeEnds)]), ["office"]),
      (Self.x509("NotAfter", ["End": .integer(Self.start + 500 * 86_400_000)]), ["gone", "fresh"]),
      (Self.metadata("Status", "ISSUED"), ["shop", "office", "fresh"]), (Self.metadata("Status", "REVOKED"), ["gone"]),
      (Self.metadata("Status", "PENDING_VALIDATION"), ["wait"]),
      (Self.metadata("Status", "VALIDATION_TIMED_OUT"), ["late"]), (Self.metadata("Status", "EXPIRED"), []),
      (Self.metadata("RenewalStatus", "SUCCESS"), ["fresh"]), (Self.metadata("Type", "IMPORTED"), ["shop", "office"]),
      (Self.metadata("Type", "AMAZON_ISSUED"), ["late", "wait", "gone", "fresh"]),
      (Self.metadata("Type", "PRIVATE"), []), (Self.metadata("InUse", true), []),
      (Self.metadata("InUse", false), Self.all),
      // A renewed certificate has not been exported yet.
      (Self.metadata("Exported", true), ["gone"]),
      (Self.metadata("Exported", false), ["late", "wait", "shop", "office", "fresh"]),
      (Self.metadata("ExportOption", "ENABLED"), ["gone", "fresh"]),
      (Self.metadata("ExportOption", "DISABLED"), ["late", "wait"]), (Self.metadata("ManagedBy", "CLOUDFRONT"), []),
      (Self.metadata("ValidationMethod", "DNS"), ["late", "gone", "fresh"]),
      (Self.metadata("ValidationMethod", "EMAIL"), ["wait"]),
    ]
    try await searching { harness in
      for (filter, wanted) in expected {
        let found = try await names(harness, ["FilterStatement": ["Filter": filter]])
        #expect(found == wanted, "\(filter)")
      }
      let shop = try await search(harness, ["FilterStatement": ["Filter": Self.subject("EQUALS", "shop.test")]])
      let arn = try #require(shop.results?.first?.certificateArn)
      #expect(try await names(harness, ["FilterStatement": ["Filter": ["CertificateArn": .string(arn)]]]) == ["shop"])
      #expect(try await names(harness, [:]) == Self.all)
    }
  }

  @Test("statements are joined with and, or and not, at any depth")
  func joined() async throws {
    func filter(_ filter: JSONValue) -> JSONValue { ["Filter": filter] }
    let issued = filter(Self.metadata("Status", "ISSUED"))
    let imported = filter(Self.metadata("Type", "IMPORTED"))
    let exportable = filter(Self.metadata("ExportOption", "ENABLED"))
    let expected: [(JSONValue, [String])] = [
      (["And": [issued, imported]], ["shop", "office"]),
      (["Or": [imported, exportable]], ["shop", "office", "gone", "fresh"]),
      (["Not": issued], ["late", "wait", "gone"]), (["And": [issued, ["Not": imported]]], ["fresh"]),
      (["Not": ["Or": [imported, exportable]]], ["late", "wait"]),
      (["Or": [["And": [["Not": issued], exportable]], ["Not": ["Not": imported]]]], ["shop", "office", "gone"]),
      (["And": [issued]], ["shop", "office", "fresh"]),
    ]
    try await searching { harness in
      for (statement, wanted) in expected {
        let found = try await names(harness, ["FilterStatement": statement])
        #expect(found == wanted, "\(statement)")
      }
    }
  }

  @Test(
    "a statement with no part or two, and a range that is none, are refused with their place",
    arguments: [
      ([:], "filterStatement'"), (["Filter": [:]], "filterStatement.filter'"),
      (["Filter": ["X509AttributeFilter": [:]]], "filterStatement.filter.x509AttributeFilter'"),
      (["Filter": ["X509AttributeFilter": ["Subject": [:]]]], "filterStatement.filter.x509AttributeFilter.subject'"),
      (
        ["Or": [["Filter": metadata("InUse", true)], ["Not": ["And": [["Filter": metadata("InUse", true)], [:]]]]]],
        "filterStatement.or.2.member.not.and.2.member'"
      ),
      (
        ["Filter": ["AcmCertificateMetadataFilter": ["InUse": true, "Status": "ISSUED"]]],
        "filterStatement.filter.acmCertificateMetadataFilter'"
      ),
      (
        ["Filter": metadata("InUse", true), "Not": ["Filter": metadata("InUse", true)]],
        "filterStatement' failed to satisfy constraint: Member must have exactly one of [And, Filter, Not, Or]"
      ),
      (["Filter": x509("NotAfter", [:])], "filterStatement.filter.x509AttributeFilter.notAfter'"),
      (
        ["Filter": x509("NotBefore", ["Start": 2000, "End": 1000])],
        "filterStatement.filter.x509AttributeFilter.notBefore' failed to satisfy constraint: Start must not be after End"
      ),
    ] as [(JSONValue, String)])
  func refused(statement: JSONValue, place: String) async throws {
    let harness = try ServiceHarness(collections: ACMService.collections) { [ACMService($0)] }
    defer { harness.remove() }
    let error = await #expect(throws: AWSError.self) {
      _ = try await search(harness, ["FilterStatement": statement])
    }
    #expect(error?.code == "ValidationException")
    #expect(error?.message.contains("Value at '" + place) == true, "\(error?.message ?? "")")
  }

  @Test("results come in the order that was asked for, in pages, and a token belongs to its order")
  func order() async throws {
    try await searching { harness in
      let orders: [(JSONValue, [String])] = [
        ("COMMON_NAME", ["fresh", "gone", "late", "office", "shop", "wait"]), ("CREATED_AT", Self.all),
        ("NOT_AFTER", ["gone", "fresh", "shop", "office"]), ("IMPORTED_AT", ["shop", "office"]),
        ("REVOKED_AT", ["gone"]), ("RENEWAL_STATUS", ["fresh"]), ("EXPORTED", ["gone"]),
      ]
      for (field, wanted) in orders {
        let up = try await names(harness, ["SortBy": field, "SortOrder": "ASCENDING"])
        let down = try await names(harness, ["SortBy": field, "SortOrder": "DESCENDING"])
        #expect(up == down.reversed(), "\(field)")
        // What has no such value comes last.
        #expect(field == "EXPORTED" ? up.suffix(1) == wanted[...] : up.prefix(wanted.count) == wanted[...], "\(field)")
        #expect(Set(up) == Set(Self.all))
      }
      for field in [
        "STATUS", "IN_USE", "NOT_BEFORE", "KEY_ALGORITHM", "TYPE", "CERTIFICATE_ARN", "RENEWAL_ELIGIBILITY",
        "ISSUED_AT",
        "MANAGED_BY", "EXPORT_OPTION", "VALIDATION_METHOD",
      ] {
        let found = try await names(harness, ["SortBy": .string(field), "SortOrder": "DESCENDING"])
        #expect(Set(found) == Set(Self.all), "\(field)")
      }
      var paged: [String] = []
      var token: JSONValue?
      repeat {
        var request: [String: JSONValue] = ["SortBy": "NOT_AFTER", "SortOrder": "DESCENDING", "MaxResults": 4]
        request["NextToken"] = token
        let page = try await search(harness, .object(request))
        #expect(page.results?.count == (token == nil ? 4 : 2))
        paged += names(page)
        token = page.nextToken.map(JSONValue.string)
      } while token != nil && paged.count < 20
      let whole = try await names(harness, ["SortBy": "NOT_AFTER", "SortOrder": "DESCENDING"])
      #expect(paged == whole)
      let first = try await search(harness, ["SortBy": "STATUS", "MaxResults": 1])
      let foreign = try #require(first.nextToken)
      for token in [foreign, "nothing", "bm90aGluZw=="] {
        let error = await #expect(throws: AWSError.self) {
          _ = try await search(harness, ["SortBy": "TYPE", "NextToken": .string(token)])
        }
        #expect(error?.code == "ValidationException")
      }
    }
  }

  @Test("a certificate is told whole: its names of every kind, its usages, and what ACM knows of it")
  func told() async throws {
    try await searching { harness in
      let answer = try await search(harness, ["FilterStatement": ["Filter": Self.subject("EQUALS", "office.example")]])
      let office = try #require(answer.results?.first)
      let found = try #require(office.x509Attributes)
      let subject = try #require(found.subject)
      #expect(subject.commonName == "Office.example" && subject.domainComponents == ["example", "office"])
      #expect(subject.country == "DE" && subject.state == "Berlin" && subject.locality == "Mitte")
      #expect(subject.organization == "Büro" && subject.organizationalUnit == "First" && subject.serialNumber == "42")
      #expect(subject.surname == "Doe" && subject.givenName == "Jo" && subject.initials == "JD")
      #expect(subject.title == "Clerk" && subject.pseudonym == "jd")
      #expect(subject.distinguishedNameQualifier == "q" && subject.generationQualifier == "III")
      #expect(
        subject.customAttributes?.map { "\($0.objectIdentifier ?? "")=\($0.value ?? "")" } == [
          "2.5.4.11=Second", "1.2.840.113549.1.9.1=jo@office.example",
        ])
      #expect(found.issuer?.commonName == "Office.example")
      let names = try #require(found.subjectAlternativeNames)
      #expect(names.compactMap(\.dnsName) == ["office.example", "*.office.example"])
      #expect(names.compactMap(\.ipAddress) == ["192.0.2.7", "2001:db8::7"])
      #expect(names.compactMap(\.rfc822Name) == ["jo@office.example"])
      #expect(names.compactMap(\.uniformResourceIdentifier) == ["https://office.example/"])
      #expect(names.compactMap(\.registeredId) == ["1.2.3.4"])
      #expect(names.compactMap(\.otherName).map(\.objectIdentifier) == ["1.2.3.5"])
      #expect(names.compactMap(\.otherName).map(\.value) == ["other"])
      #expect(names.compactMap(\.directoryName).map(\.organization) == ["Deep"])
      #expect(found.serialNumber == "0a:1b:2c" && found.keyAlgorithm == "EC_secp384r1")
      #expect(found.keyUsages == ["DIGITAL_SIGNATURE", "NON_REPUDIATION", "KEY_ENCIPHERMENT"])
      #expect(found.extendedKeyUsages == ["TLS_WEB_SERVER_AUTHENTICATION", "CUSTOM"])
      #expect(found.notBefore == Timestamp(milliseconds: Int64(Self.officeBegins)))
      #expect(found.notAfter == Timestamp(milliseconds: Int64(Self.officeEnds)))
      let known = try #require(office.certificateMetadata?.acmCertificateMetadata)
      #expect(known.type == "IMPORTED" && known.status == "ISSUED" && known.importedAt == known.createdAt)
      #expect(known.inUse == false && known.exported == false && known.renewalEligibility == "INELIGIBLE")
      #expect(known.exportOption == nil && known.validationMethod == nil && known.managedBy == nil)

      let gone = try await search(harness, ["FilterStatement": ["Filter": Self.metadata("Status", "REVOKED")]])
      let revoked = try #require(gone.results?.first?.certificateMetadata?.acmCertificateMetadata)
      #expect(revoked.revokedAt != nil && revoked.issuedAt != nil && revoked.importedAt == nil)
      #expect(revoked.exported == true && revoked.exportOption == "ENABLED" && revoked.validationMethod == "DNS")
      // Of a request, what it asked for.
      let pending = try await search(
        harness, ["FilterStatement": ["Filter": Self.metadata("ValidationMethod", "EMAIL")]])
      let wait = try #require(pending.results?.first?.x509Attributes)
      #expect(wait.subject?.commonName == "wait.example.com" && wait.keyAlgorithm == "RSA_2048")
      #expect(wait.subjectAlternativeNames?.map(\.dnsName) == ["wait.example.com", "*.wait.example.com"])
      #expect(wait.issuer == nil && wait.keyUsages == nil && wait.extendedKeyUsages == nil && wait.serialNumber == nil)
    }
  }

  @Test("a certificate that a listener serves is found as used")
  func used() async throws {
    try await ELBv2Fixture.alone { elb in
      let arn = try await elb.certificate("shop.example")
      let query: JSONValue = ["FilterStatement": ["Filter": Self.metadata("InUse", true)]]
      #expect(try await names(elb.harness, query).isEmpty)
      let balancer = try await elb.loadBalancer("shop")
      _ = try await elb.run(ELBv2.createListener) {
        $0.loadBalancerArn = balancer
        $0.port = 443
        $0.protocol = "HTTPS"
        $0.certificates = [.make { $0.certificateArn = arn }]
        $0.defaultActions = [.fixed("200")]
      }
      let found = try await search(elb.harness, query)
      #expect(found.results?.map(\.certificateArn) == [arn])
      let known = found.results?.first?.certificateMetadata?.acmCertificateMetadata
      #expect(known?.inUse == true && known?.renewalEligibility == "ELIGIBLE")
    }
  }
}
