// Secrets Manager with KMS, over a store in a folder of their own.

import AWSCore
import AWSWire
import CastleTesting
import KMSService
import RDSModel
import SecretsManagerModel
import ServiceKit

@testable import SecretsManagerService

/// Secrets Manager with a clock that the test moves.
struct SecretsFixture {
  let harness: ServiceHarness
  let service: SecretsManagerService
  let clock: ManualClock
  let authority = RecordingAuthority()

  /// Runs a test with a Secrets Manager of its own.
  static func with(_ body: (SecretsFixture) async throws -> Void) async throws {
    let fixture = try SecretsFixture()
    defer { fixture.harness.remove() }
    try await body(fixture)
  }

  private init() throws {
    let clock = ManualClock()
    var made: SecretsManagerService?
    harness = try ServiceHarness(
      clock: clock, collections: KMSService.collections + SecretsManagerService.collections, authority: authority
    ) {
      let service = SecretsManagerService($0)
      made = service
      return [service, KMSService($0), OneCluster()]
    }
    service = made ?? SecretsManagerService(harness.environment)
    self.clock = clock
  }

  @discardableResult
  func create(
    _ name: String, _ value: String? = nil, _ configure: (inout SecretsManager.CreateSecretRequest) -> Void = { _ in }
  ) async throws -> SecretsManager.CreateSecretResponse {
    try await harness.run(SecretsManager.createSecret) {
      $0.name = name
      $0.secretString = value
      configure(&$0)
    }
  }

  @discardableResult
  func put(
    _ id: String, _ value: String, token: String? = nil, stages: [String]? = nil
  ) async throws -> SecretsManager.PutSecretValueResponse {
    try await harness.run(SecretsManager.putSecretValue) {
      $0.secretId = id
      $0.secretString = value
      $0.clientRequestToken = token
      $0.versionStages = stages
    }
  }

  func value(_ id: String, stage: String? = nil, version: String? = nil) async throws -> String? {
    try await harness.run(SecretsManager.getSecretValue) {
      $0.secretId = id
      $0.versionStage = stage
      $0.versionId = version
    }.secretString
  }

  func describe(_ id: String) async throws -> SecretsManager.DescribeSecretResponse {
    try await harness.run(SecretsManager.describeSecret) { $0.secretId = id }
  }
}

/// An RDS that has one cluster.
struct OneCluster: AWSService {
  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(RDS.describeDBClusters) { input, _ in
      .make {
        $0.dbClusters = [
          .make {
            $0.dbClusterIdentifier = input.dbClusterIdentifier
            $0.engine = "aurora-postgresql"
            $0.endpoint = "orders.cluster.local"
            $0.port = 5432
            $0.databaseName = "orders"
          }
        ]
      }
    }
    return [ServiceAPI(RDS.model, actionPrefix: "rds", table)]
  }
}
