// A certificate, as it is kept.

import ACMModel
import AWSCore
import Store

struct CertificateRecord: Record {
  static let collection = "acm.certificate"
  var recordID: String { arn }
  var recordIndex: [String: String] { token.map { ["token": $0] } ?? [:] }

  /// What proves the ownership of a name.
  struct Proof: Codable, Sendable, Hashable {
    var domain: String
    var validationDomain: String
    var name: String
    var value: String
    /// The record was found, at the last time somebody looked.
    var isProven: Bool?
  }

  /// What was read out of a certificate.
  struct Contents: Codable, Sendable, Hashable {
    var certificate: String
    var chain: String?
    var subject: String
    var issuer: String
    var serial: String
    var notBefore: Timestamp
    var notAfter: Timestamp
    var keyAlgorithm: String
    var signatureAlgorithm: String
    /// In ACM's words: `DIGITAL_SIGNATURE`, …
    var keyUsages: [String]?
    /// Object identifiers.
    var extendedKeyUsages: [String]?
  }

  struct Renewal: Codable, Sendable, Hashable {
    /// `PENDING_VALIDATION`, `SUCCESS`.
    var status: String
    var updatedAt: Timestamp
  }

  var arn: String
  var domain: String
  var names: [String]
  var createdAt: Timestamp
  var tags: [String: String]
  var keyAlgorithm: String?
  var transparency: String
  var export: String?
  /// `DNS` or `EMAIL`; nil is DNS.
  var method: String?
  /// Of a request: one for each name.
  var proofs: [Proof]?
  var token: String?
  /// Of an import, and of a request once it is issued.
  var contents: Contents?
  var importedAt: Timestamp?
  var issuedAt: Timestamp?
  /// The private key; context `acm.certificate/ARN`.
  var privateKey: SealedBytes?
  var renewal: Renewal?
  /// Exported since it was issued or renewed.
  var isExported: Bool?
  var revokedAt: Timestamp?
  var revocationReason: String?

  static func keyContext(_ arn: String) -> String { "acm.certificate/\(arn)" }

  var isImported: Bool { importedAt != nil }
  var isValidatedByDNS: Bool { !isImported && method ?? "DNS" == "DNS" }

  /// Waits for its names to be proven.
  func isPending(_ now: Timestamp) -> Bool { status(now) == "PENDING_VALIDATION" }

  func status(_ now: Timestamp) -> String {
    if revokedAt != nil { return "REVOKED" }
    guard let contents else {
      // As on AWS, three days are given to prove the names.
      return createdAt.adding(days: ACMLimits.validationDays) < now ? "VALIDATION_TIMED_OUT" : "PENDING_VALIDATION"
    }
    return contents.notAfter < now ? "EXPIRED" : "ISSUED"
  }

  /// When the next certificate is due; nil for what is not renewed.
  var renewalDue: Timestamp? {
    guard isValidatedByDNS, revokedAt == nil, let contents else { return nil }
    return contents.notAfter.adding(days: -ACMLimits.renewalDays)
  }
}

/// PutAccountConfiguration.
struct AccountRecord: Record {
  static let collection = "acm.account"
  var recordID: String { "account" }
  var daysBeforeExpiry: Int
  var token: String
}
