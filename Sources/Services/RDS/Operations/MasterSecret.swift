// The master password, and the secret that RDS keeps for it in Secrets Manager.

import AWSCore
import AWSWire
import RDSModel
import SecretsManagerModel
import ServiceKit
import Store

extension RDSService {
  /// The password of a new cluster: as given, or a random one with a secret.
  func firstPassword(
    _ input: RDS.CreateDBClusterMessage, user: String, arn: String, _ call: CallContext
  ) async throws -> (password: String, secret: ClusterRecord.MasterSecret?) {
    if input.manageMasterUserPassword == true {
      guard input.masterUserPassword == nil else {
        throw RDSError.combination(
          "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.")
      }
      let password = Self.randomPassword(call)
      return (
        password,
        try await createSecret(user: user, password: password, key: input.masterUserSecretKmsKeyId, cluster: arn, call)
      )
    }
    if input.masterUserSecretKmsKeyId != nil {
      throw RDSError.combination(
        "You can't specify MasterUserSecretKmsKeyId unless you enable ManageMasterUserPassword.")
    }
    guard let password = input.masterUserPassword else {
      throw RDSError.combination("The parameter MasterUserPassword must be provided and must not be blank.")
    }
    try Identifier.checkPassword(password)
    return (password, nil)
  }

  static func randomPassword(_ call: CallContext) -> String { call.ids.alphanumeric(32) }

  private static func text(user: String, password: String) -> String {
    JSONValue.object(["username": .string(user), "password": .string(password)]).description
  }

  /// Makes the secret, as the service itself.
  func createSecret(
    user: String, password: String, key: String?, cluster: String, _ call: CallContext
  ) async throws -> ClusterRecord.MasterSecret {
    let keyARN = try await kmsKey(key, service: "secretsmanager", call)
    let made = try await call.acting(as: "rds.amazonaws.com").invoke(
      SecretsManager.createSecret,
      .make {
        $0.name = "rds!cluster-\(call.ids.uuid())"
        $0.description = "The secret associated with the primary RDS DB cluster: \(cluster)"
        $0.secretString = Self.text(user: user, password: password)
        $0.kmsKeyId = key
        $0.tags = [("aws:rds:primaryDBClusterArn", cluster), ("aws:secretsmanager:owningService", "rds")].map {
          name, value in
          .make {
            $0.key = name
            $0.value = value
          }
        }
      })
    guard let arn = made.arn else { throw AWSError("InternalFailure", "The secret has no ARN.", status: 500) }
    return ClusterRecord.MasterSecret(arn: arn, kmsKey: keyARN)
  }

  func updateSecret(_ arn: String, user: String, password: String, _ call: CallContext) async throws {
    _ = try await call.acting(as: "rds.amazonaws.com").invoke(
      SecretsManager.putSecretValue,
      .make {
        $0.secretId = arn
        $0.clientRequestToken = call.ids.uuid()
        $0.secretString = Self.text(user: user, password: password)
      })
  }

  /// Removes a secret that nobody needs any more. A secret that is gone already is no matter; anything else is logged,
  /// since the cluster goes its way.
  func deleteSecret(_ arn: String, _ call: CallContext) async {
    do {
      _ = try await call.acting(as: "rds.amazonaws.com").invoke(
        SecretsManager.deleteSecret,
        .make {
          $0.secretId = arn
          $0.forceDeleteWithoutRecovery = true
        })
    } catch {
      call.logger.warning(
        "the master user's secret was not deleted", metadata: ["secret": "\(arn)", "error": "\(error)"])
    }
  }
}
