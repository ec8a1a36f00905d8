// The certificate authority that a castle makes at its first start, and the endpoint's own certificate.

import AWSCore
import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// A private certificate authority in a folder: `ca.pem` to hand out, the keys 0600.
public struct LocalAuthority: Sendable {
  let directory: String

  /// The authority's certificate, for `AWS_CA_BUNDLE`.
  public var certificatePath: String { "\(directory)/ca.pem" }

  /// - Parameter directory: where the authority keeps its files; made when it is not there.
  public init(directory: String) { self.directory = directory }

  /// A TLS context for the endpoint: `localhost`, `*.localhost`, 127.0.0.1 and ::1.
  /// Makes the authority and the certificate when they are missing or run out within a month.
  /// - Throws: when files cannot be read or written.
  public func endpointContext(now: Timestamp) throws -> NIOSSLContext {
    let certificate = "\(directory)/endpoint.pem"
    let key = "\(directory)/endpoint.key"
    if try needsNew(certificate, now: now) { try makeAll(now: now) }
    let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
    return try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))))
  }

  private func needsNew(_ path: String, now: Timestamp) throws -> Bool {
    guard FileManager.default.fileExists(atPath: path) else { return true }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    // The endpoint's own certificate comes first, the authority's behind it.
    guard let first = try PEMDocument.parseMultiple(pemString: text).first else { return true }
    let certificate = try Certificate(pemDocument: first)
    return certificate.notValidAfter.timeIntervalSince1970 < now.adding(days: 30).seconds
  }

  private func makeAll(now: Timestamp) throws {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let from = Date(timeIntervalSince1970: now.adding(days: -1).seconds)
    let authorityKey = P256.Signing.PrivateKey()
    let authorityName = try DistinguishedName { CommonName("Castle local authority") }
    let authority = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: .init(authorityKey.publicKey), notValidBefore: from,
      notValidAfter: Date(timeIntervalSince1970: now.adding(days: 3650).seconds), issuer: authorityName,
      subject: authorityName, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(keyCertSign: true, cRLSign: true))
        SubjectKeyIdentifier(hash: .init(authorityKey.publicKey))
      }, issuerPrivateKey: .init(authorityKey))
    let key = P256.Signing.PrivateKey()
    let endpoint = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: from,
      notValidAfter: Date(timeIntervalSince1970: now.adding(days: 820).seconds), issuer: authorityName,
      subject: try DistinguishedName { CommonName("localhost") }, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth])
        AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: .init(authorityKey.publicKey)).keyIdentifier)
        SubjectAlternativeNames([
          .dnsName("localhost"), .dnsName("*.localhost"), .dnsName("*.s3.localhost"),
          .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
          .ipAddress(ASN1OctetString(contentBytes: ArraySlice(Array(repeating: 0, count: 15) + [1]))),
        ])
      }, issuerPrivateKey: .init(authorityKey))
    try write(authority.serializeAsPEM().pemString, "ca.pem", mode: 0o644)
    try write(authorityKey.pemRepresentation, "ca.key", mode: 0o600)
    try write(key.pemRepresentation, "endpoint.key", mode: 0o600)
    try write(
      endpoint.serializeAsPEM().pemString + "\n" + authority.serializeAsPEM().pemString, "endpoint.pem", mode: 0o644)
  }

  private func write(_ text: String, _ name: String, mode: Int) throws {
    let path = "\(directory)/\(name)"
    let temporary = path + ".new"
    guard
      FileManager.default.createFile(
        atPath: temporary, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
    else { throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: temporary]) }
    guard rename(temporary, path) == 0 else {
      throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
    }
  }
}
