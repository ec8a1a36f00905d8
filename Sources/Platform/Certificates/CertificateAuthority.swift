// The certificate authority that a castle makes at its first start: it signs the endpoint's certificate and ACM's.

import AWSCore
import Crypto
import Foundation
import SwiftASN1
import Synchronization
import X509

/// A private certificate authority in a folder: `ca.pem` to hand out, the key 0600. One object for each folder.
public final class CertificateAuthority: Sendable {
  private struct Pair: Sendable {
    var certificate: Certificate
    var key: Certificate.PrivateKey
  }

  public let directory: String
  private let loaded = Mutex<Pair?>(nil)

  /// The authority's certificate, for `AWS_CA_BUNDLE`, `curl --cacert` and `castle trust`.
  public var certificatePath: String { "\(directory)/ca.pem" }

  /// - Parameter directory: where the authority keeps its files; made when it is not there.
  public init(directory: String) { self.directory = directory }

  /// What a certificate is to say.
  public struct Request: Sendable {
    public var subject: String
    public var names: [String]
    /// IP addresses, 4 or 16 bytes each.
    public var addresses: [[UInt8]]
    public var days: Int
    public var allowsClients: Bool

    /// - Parameters:
    ///   - subject: the common name.
    ///   - names: DNS names.
    ///   - days: of validity.
    ///   - allowsClients: usable by TLS clients as well as by servers.
    public init(
      subject: String, names: [String], addresses: [[UInt8]] = [], days: Int, allowsClients: Bool = false
    ) {
      self.subject = subject
      self.names = names
      self.addresses = addresses
      self.days = days
      self.allowsClients = allowsClients
    }
  }

  /// A new certificate, PEM.
  public struct Issued: Sendable {
    public var certificate: String
    /// The authority's own certificate.
    public var chain: String
  }

  /// The authority's certificate as PEM; made when there is none, or when it runs out within a month.
  /// - Throws: when files cannot be read or written.
  public func certificate(now: Timestamp) throws -> String {
    try pair(now: now).certificate.serializeAsPEM().pemString + "\n"
  }

  /// Signs a certificate for a key. It is valid from a day before now.
  /// - Throws: when the authority's files cannot be read or written.
  public func issue(_ request: Request, key: CertificateKey, now: Timestamp) throws -> Issued {
    let authority = try pair(now: now)
    let publicKey = key.key.publicKey
    let usages: [ExtendedKeyUsage.Usage] = request.allowsClients ? [.serverAuth, .clientAuth] : [.serverAuth]
    let certificate = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: publicKey, notValidBefore: Self.date(now.adding(days: -1)),
      notValidAfter: Self.date(now.adding(days: request.days)), issuer: authority.certificate.subject,
      subject: try DistinguishedName { CommonName(request.subject) }, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true, keyEncipherment: true))
        try ExtendedKeyUsage(usages)
        SubjectKeyIdentifier(hash: publicKey)
        AuthorityKeyIdentifier(
          keyIdentifier: SubjectKeyIdentifier(hash: authority.certificate.publicKey).keyIdentifier)
        SubjectAlternativeNames(
          request.names.map { .dnsName($0) }
            + request.addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) })
      }, issuerPrivateKey: authority.key)
    return Issued(
      certificate: try certificate.serializeAsPEM().pemString + "\n",
      chain: try authority.certificate.serializeAsPEM().pemString + "\n")
  }

  /// Whether the first certificate of a PEM text was signed by this authority and is valid for a month yet.
  public func isFresh(_ pem: String, now: Timestamp) throws -> Bool {
    guard let first = try PEMDocument.parseMultiple(pemString: pem).first else { return false }
    let certificate = try Certificate(pemDocument: first)
    let authority = try pair(now: now).certificate
    return Self.lasts(certificate, now)
      && authority.publicKey.isValidSignature(certificate.signature, for: certificate)
  }

  // MARK: - The authority itself

  private static func lasts(_ certificate: Certificate, _ now: Timestamp) -> Bool {
    certificate.notValidAfter.timeIntervalSince1970 >= now.adding(days: 30).seconds
  }

  private static func date(_ time: Timestamp) -> Date { Date(timeIntervalSince1970: time.seconds) }

  private func pair(now: Timestamp) throws -> Pair {
    try loaded.withLock { loaded in
      if let known = loaded, Self.lasts(known.certificate, now) { return known }
      if let found = try read(), Self.lasts(found.certificate, now) {
        loaded = found
        return found
      }
      let made = try make(now: now)
      loaded = made
      return made
    }
  }

  private func read() throws -> Pair? {
    let key = "\(directory)/ca.key"
    guard FileManager.default.fileExists(atPath: certificatePath), FileManager.default.fileExists(atPath: key) else {
      return nil
    }
    return Pair(
      certificate: try Certificate(pemEncoded: try String(contentsOfFile: certificatePath, encoding: .utf8)),
      key: try Certificate.PrivateKey(pemEncoded: try String(contentsOfFile: key, encoding: .utf8)))
  }

  private func make(now: Timestamp) throws -> Pair {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let key = P256.Signing.PrivateKey()
    let name = try DistinguishedName { CommonName("Castle local authority") }
    let certificate = try Certificate(
      version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
      notValidBefore: Self.date(now.adding(days: -1)), notValidAfter: Self.date(now.adding(days: 3650)), issuer: name,
      subject: name, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(keyCertSign: true, cRLSign: true))
        SubjectKeyIdentifier(hash: .init(key.publicKey))
      }, issuerPrivateKey: .init(key))
    // The key first: a certificate without its key would be of no use.
    try write(key.pemRepresentation, "ca.key", mode: 0o600)
    try write(try certificate.serializeAsPEM().pemString + "\n", "ca.pem", mode: 0o644)
    return Pair(certificate: certificate, key: .init(key))
  }

  /// Writes a file of the folder, whole or not at all.
  /// - Throws: when that is not possible.
  public func write(_ text: String, _ name: String, mode: Int) throws {
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
