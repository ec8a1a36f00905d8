// A version's value, encrypted under a data key that KMS gave.

import AWSCore
import Store

/// The value of one version.
struct SecretValueRecord: Record, Hashable {
  static let collection = "secretsmanager.value"
  var recordID: String { Self.id(arn, versionID) }
  static func id(_ arn: String, _ versionID: String) -> String { "\(arn)#\(versionID)" }

  var arn: String
  var versionID: String
  /// The data key as KMS encrypted it.
  var dataKey: SealedBytes
  /// Nonce, ciphertext and tag of the value under the data key.
  var ciphertext: SealedBytes
  var isBinary: Bool
  /// SHA-256 of the value, sealed: tells a repeated request from one that reuses its token.
  var fingerprint: SealedBytes

  /// How the store's sealer knows a fingerprint.
  static func sealContext(_ arn: String, _ versionID: String) -> String {
    "secretsmanager.fingerprint/\(arn)/\(versionID)"
  }
}
