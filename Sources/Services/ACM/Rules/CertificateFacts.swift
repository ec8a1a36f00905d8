// A certificate as SearchCertificates looks at it: what ACM keeps of it, and what is written in it.

import AWSCore
import X509

/// Read out of the certificate when it is first asked for: most searches never look there.
final class CertificateFacts {
  let record: CertificateRecord
  let status: String
  let isUsed: Bool
  private(set) lazy var parsed = record.contents.flatMap { try? Certificate(pemEncoded: $0.certificate) }

  init(_ record: CertificateRecord, isUsed: Bool, now: Timestamp) {
    self.record = record
    self.isUsed = isUsed
    status = record.status(now)
  }

  var type: String { record.isImported ? "IMPORTED" : "AMAZON_ISSUED" }
  var isExported: Bool { record.isExported ?? false }
  var exportOption: String? { record.isImported ? nil : record.export ?? "DISABLED" }
  var validationMethod: String? { record.isImported ? nil : record.method ?? "DNS" }
  var renewalStatus: String? { record.renewal?.status }
  var renewalEligibility: String { ACMService.eligibility(record, isUsed: isUsed) }
  /// Of a request that is not issued, the name that it will have.
  var commonName: String? {
    parsed.map { X509Names.distinguished($0.subject).commonName } ?? record.domain
  }
  /// A certificate that does not restrict what its key is for has `ANY`; nil before there is a certificate.
  var keyUsages: [String]? { Self.usages(record, record.contents?.keyUsages, none: "ANY") }
  /// One that names no purpose has `NONE`; nil before there is a certificate.
  var extendedKeyUsages: [String]? {
    Self.usages(record, record.contents?.extendedKeyUsages?.map(KeyUsages.extended), none: "NONE")
  }

  private static func usages(_ record: CertificateRecord, _ usages: [String]?, none: String) -> [String]? {
    guard record.contents != nil else { return nil }
    guard let usages, !usages.isEmpty else { return [none] }
    return usages
  }
}
