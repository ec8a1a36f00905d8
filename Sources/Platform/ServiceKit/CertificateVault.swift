// Certificates with their private keys, for the services that end TLS: a way that no caller of an API has.

import AWSCore

/// A certificate with its private key, PEM.
public struct KeyedCertificate: Sendable, Hashable {
  public var arn: String
  /// The DNS names it is for.
  public var names: [String]
  public var certificate: String
  public var chain: String?
  public var privateKey: String
  public var notAfter: Timestamp
  /// `RSA_2048`, `EC_prime256v1`, …
  public var keyAlgorithm: String

  public init(
    arn: String, names: [String], certificate: String, chain: String?, privateKey: String, notAfter: Timestamp,
    keyAlgorithm: String
  ) {
    self.arn = arn
    self.names = names
    self.certificate = certificate
    self.chain = chain
    self.privateKey = privateKey
    self.notAfter = notAfter
    self.keyAlgorithm = keyAlgorithm
  }
}

/// A service that keeps certificates for others. The composition root hands it to those who end TLS; private keys are
/// in no AWS operation's answer.
public protocol CertificateVault: Sendable {
  /// The collections whose changes may change what the vault answers.
  var certificateCollections: Set<String> { get }
  /// The certificate of an ARN; nil when this vault does not have it, or it was not issued yet.
  /// - Throws: `StoreError`.
  func keyedCertificate(_ arn: String) async throws -> KeyedCertificate?
}
