// Certificates and revocation lists of trust stores, as they lie in S3.

import AWSCore
import FoundationEssentials
import SwiftASN1
import X509

enum Bundles {
  /// How many certificates a bundle has.
  /// - Throws: `InvalidCaCertificatesBundle`.
  static func certificates(_ text: String) throws -> Int {
    let certificates: [Certificate]
    do {
      certificates = try PEMDocument.parseMultiple(pemString: text).map { try Certificate(pemDocument: $0) }
    } catch {
      throw AWSError(
        "InvalidCaCertificatesBundle", "The specified ca certificate bundle is in an invalid format: \(error)")
    }
    guard !certificates.isEmpty else {
      throw AWSError("InvalidCaCertificatesBundle", "The specified ca certificate bundle is empty")
    }
    guard certificates.count <= ELBv2Limits.authorityCertificatesMax else {
      throw AWSError(
        "InvalidCaCertificatesBundle",
        "A trust store can have at most '\(ELBv2Limits.authorityCertificatesMax)' certificates")
    }
    return certificates.count
  }

  /// A revocation list, PEM or DER, as PEM, and how many certificates it revokes (RFC 5280, section 5.1).
  /// - Throws: `InvalidRevocationContent`.
  static func revocations(_ bytes: [UInt8]) throws -> (pem: String, entries: Int) {
    let der: [UInt8]
    do {
      der = isPEM(bytes) ? try PEMDocument(pemString: String(decoding: bytes, as: UTF8.self)).derBytes : bytes
      let count = try entries(der)
      return (PEMDocument(type: "X509 CRL", derBytes: der).pemString + "\n", count)
    } catch {
      throw AWSError(
        "InvalidRevocationContent", "The provided revocation file is an invalid format, or uses an incorrect algorithm")
    }
  }

  /// Whether a revocation list is written in PEM.
  static func isPEM(_ bytes: [UInt8]) -> Bool {
    String(decoding: bytes, as: UTF8.self).contains("-----BEGIN X509 CRL-----")
  }

  private struct NoList: Error {}

  private static func children(_ node: ASN1Node) throws -> [ASN1Node] {
    guard case .constructed(let nodes) = node.content else { throw NoList() }
    return Array(nodes)
  }

  private static func entries(_ der: [UInt8]) throws -> Int {
    let list = try children(DER.parse(der))
    guard list.count == 3 else { throw NoList() }
    var fields = try children(list[0])[...]
    if fields.first?.identifier == .integer { fields = fields.dropFirst() }
    // The signature's algorithm, the issuer, and when this list was made.
    guard fields.count >= 3, fields.prefix(2).allSatisfy({ $0.identifier == .sequence }) else { throw NoList() }
    fields = fields.dropFirst(3)
    if let next = fields.first, next.identifier == .utcTime || next.identifier == .generalizedTime {
      fields = fields.dropFirst()
    }
    guard let revoked = fields.first, revoked.identifier == .sequence else { return 0 }
    return try children(revoked).count
  }
}
