// Certificates as callers import them: read, checked against their key and their chain.

import AWSCore
import FoundationEssentials
import SwiftASN1
import X509

/// Reads a PEM certificate, its key and its chain.
enum CertificateReader {
  /// - Throws: `ValidationException` that says which part is wrong.
  static func read(
    certificate pem: String, key: String, chain: String?, now: Timestamp
  ) throws -> (contents: CertificateRecord.Contents, names: [String]) {
    let certificate: Certificate
    do { certificate = try Certificate(pemEncoded: pem) } catch {
      throw ACMError.validation("The certificate is not a valid PEM certificate: \(error)")
    }
    let privateKey: Certificate.PrivateKey
    do { privateKey = try Certificate.PrivateKey(pemEncoded: key) } catch {
      throw ACMError.validation("The private key is not a supported, unencrypted PEM key: \(error)")
    }
    guard privateKey.publicKey == certificate.publicKey else {
      throw ACMError.validation("The private key does not match the public key of the certificate.")
    }
    if let chain { try check(chain, certificate) }
    let before = Timestamp(seconds: certificate.notValidBefore.timeIntervalSince1970)
    let after = Timestamp(seconds: certificate.notValidAfter.timeIntervalSince1970)
    guard before <= now, now <= after else {
      throw ACMError.validation(
        now < before
          ? "The certificate field contains a certificate that is not yet valid." : "The certificate has expired.")
    }
    let contents = CertificateRecord.Contents(
      certificate: pem, chain: chain, subject: "\(certificate.subject)", issuer: commonName(certificate.issuer),
      serial: serial(certificate), notBefore: before, notAfter: after, keyAlgorithm: algorithm(certificate.publicKey),
      signatureAlgorithm: signature(certificate.signatureAlgorithm), keyUsages: keyUsages(certificate),
      extendedKeyUsages: extendedKeyUsages(certificate))
    return (contents, names(certificate))
  }

  private static func keyUsages(_ certificate: Certificate) -> [String] {
    guard let usage = try? certificate.extensions.keyUsage else { return [] }
    let all = [
      ("DIGITAL_SIGNATURE", usage.digitalSignature), ("NON_REPUDIATION", usage.nonRepudiation),
      ("KEY_ENCIPHERMENT", usage.keyEncipherment), ("DATA_ENCIPHERMENT", usage.dataEncipherment),
      ("KEY_AGREEMENT", usage.keyAgreement), ("CERTIFICATE_SIGNING", usage.keyCertSign),
      ("CRL_SIGNING", usage.cRLSign), ("ENCIPHER_ONLY", usage.encipherOnly), ("DECIPHER_ONLY", usage.decipherOnly),
    ]
    return all.filter { $0.1 }.map { $0.0 }
  }

  private static func extendedKeyUsages(_ certificate: Certificate) -> [String] {
    guard let usages = try? certificate.extensions.extendedKeyUsage else { return [] }
    return usages.map { "\(ASN1ObjectIdentifier($0))" }
  }

  /// Each certificate of the chain has issued the one before it.
  private static func check(_ chain: String, _ leaf: Certificate) throws {
    let documents: [PEMDocument]
    do { documents = try PEMDocument.parseMultiple(pemString: chain) } catch {
      throw ACMError.validation("The certificate chain is not PEM: \(error)")
    }
    var current = leaf
    for document in documents {
      let issuer: Certificate
      do { issuer = try Certificate(pemDocument: document) } catch {
        throw ACMError.validation("The certificate chain has a part that is no certificate: \(error)")
      }
      guard issuer.publicKey.isValidSignature(current.signature, for: current) else {
        throw ACMError.validation("Could not validate the certificate with the certificate chain.")
      }
      current = issuer
    }
  }

  /// The DNS names, the first of them the certificate's own.
  private static func names(_ certificate: Certificate) -> [String] {
    var names: [String] = []
    if let alternatives = try? certificate.extensions.subjectAlternativeNames {
      for case .dnsName(let name) in alternatives { names.append(name) }
    }
    let common = commonName(certificate.subject)
    if names.isEmpty || names.contains(common) {
      names.removeAll { $0 == common }
      names.insert(common, at: 0)
    }
    return names
  }

  private static func commonName(_ name: DistinguishedName) -> String {
    for part in name {
      for attribute in part where attribute.type == .RDNAttributeType.commonName { return "\(attribute.value)" }
    }
    return "\(name)"
  }

  private static func serial(_ certificate: Certificate) -> String {
    certificate.serialNumber.bytes.map { hexadecimal([$0]) }.joined(separator: ":")
  }

  /// By the length of the key: elliptic points are 65, 97 and 133 bytes, RSA keys their modulus and a little more.
  private static func algorithm(_ key: Certificate.PublicKey) -> String {
    switch key.subjectPublicKeyInfoBytes.count {
    case 65: "EC_prime256v1"
    case 97: "EC_secp384r1"
    case 133: "EC_secp521r1"
    case ..<200: "RSA_1024"
    case ..<330: "RSA_2048"
    case ..<460: "RSA_3072"
    default: "RSA_4096"
    }
  }

  private static func signature(_ algorithm: Certificate.SignatureAlgorithm) -> String {
    switch algorithm {
    case .sha256WithRSAEncryption: "SHA256WITHRSA"
    case .sha384WithRSAEncryption: "SHA384WITHRSA"
    case .sha512WithRSAEncryption: "SHA512WITHRSA"
    case .sha1WithRSAEncryption: "SHA1WITHRSA"
    case .ecdsaWithSHA256: "SHA256WITHECDSA"
    case .ecdsaWithSHA384: "SHA384WITHECDSA"
    case .ecdsaWithSHA512: "SHA512WITHECDSA"
    default: "\(algorithm)"
    }
  }
}
