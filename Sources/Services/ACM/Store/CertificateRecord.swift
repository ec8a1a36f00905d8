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
  }

  /// What was read out of an imported certificate.
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
  }

  var arn: String
  var domain: String
  var names: [String]
  var createdAt: Timestamp
  var tags: [String: String]
  var keyAlgorithm: String?
  var transparency: String
  var export: String?
  /// Of a request: one for each name.
  var proofs: [Proof]?
  var token: String?
  /// Of an import.
  var contents: Contents?
  var importedAt: Timestamp?
  /// The private key; context `acm.certificate/ARN`.
  var privateKey: SealedBytes?

  var isImported: Bool { contents != nil }

  func status(_ now: Timestamp) -> String {
    guard let contents else {
      // As on AWS, three days are given to prove the names.
      return createdAt.adding(days: 3) < now ? "VALIDATION_TIMED_OUT" : "PENDING_VALIDATION"
    }
    return contents.notAfter < now ? "EXPIRED" : "ISSUED"
  }
}
