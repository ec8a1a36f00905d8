// TLS at the endpoint.

import AWSCore
import Certificates
import NIOSSL

extension CertificateAuthority {
  /// A TLS context for the endpoint.
  /// - Throws: when the authority's files cannot be read or written.
  public func endpointContext(now: Timestamp) throws -> NIOSSLContext {
    let files = try endpointFiles(now: now)
    let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { NIOSSLCertificateSource.certificate($0) }
    return try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))))
  }
}
