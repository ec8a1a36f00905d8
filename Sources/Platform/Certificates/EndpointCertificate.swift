// The certificate of the castle's own endpoint.

import AWSCore
import Foundation

extension CertificateAuthority {
  /// The files of a certificate for `localhost`, `*.localhost`, 127.0.0.1 and ::1, with the authority's behind it;
  /// made when they are missing, run out within a month, or were signed by an authority that is gone.
  /// - Throws: when files cannot be read or written.
  public func endpointFiles(now: Timestamp) throws -> (certificate: String, key: String) {
    let files = (certificate: "\(directory)/endpoint.pem", key: "\(directory)/endpoint.key")
    if FileManager.default.fileExists(atPath: files.certificate), FileManager.default.fileExists(atPath: files.key),
      try isFresh(try String(contentsOfFile: files.certificate, encoding: .utf8), now: now)
    {
      return files
    }
    let key = CertificateKey.p256()
    let issued = try issue(
      Request(
        subject: "localhost", names: ["localhost", "*.localhost", "*.s3.localhost"],
        addresses: [[127, 0, 0, 1], Array(repeating: 0, count: 15) + [1]], days: 820), key: key, now: now)
    try write(key.pem, "endpoint.key", mode: 0o600)
    try write(issued.certificate + issued.chain, "endpoint.pem", mode: 0o644)
    return files
  }
}
