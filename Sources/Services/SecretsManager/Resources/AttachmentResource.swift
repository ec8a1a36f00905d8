// AWS::SecretsManager::SecretTargetAttachment, ResourcePolicy and RotationSchedule for CloudFormation.

import AWSCore
import AWSWire
import FoundationEssentials
import RDSModel
import SecretsManagerModel
import ServiceKit

extension SecretsManagerService {
  /// Writes where a database is into the secret that has its password. Ref is the secret's ARN.
  var attachmentProvider: ResourceProvider {
    ResourceProvider(
      "AWS::SecretsManager::SecretTargetAttachment", properties: ["SecretId", "TargetId", "TargetType"],
      replacedBy: ["SecretId"],
      create: { properties, context in try await Self.attach(properties, context.call.viaCloudFormation) },
      update: { _, _, new, context in try await Self.attach(new, context.call.viaCloudFormation) },
      delete: { handle, _, context in
        let call = context.call.viaCloudFormation
        do {
          try await Self.change(handle.physicalID, call) { members in
            for name in Self.attachedMembers { members[name] = nil }
          }
        } catch let error as AWSError
          where ["ResourceNotFoundException", "InvalidRequestException"].contains(error.code)
        {
          // The secret is gone, or on its way.
        }
      })
  }

  /// Ref is the secret's ARN.
  var policyProvider: ResourceProvider {
    let put: @Sendable (JSONValue, ResourceContext) async throws -> ResourceHandle = { properties, context in
      let put = try await context.call.viaCloudFormation.invoke(
        SecretsManager.putResourcePolicy,
        .make {
          $0.secretId = properties["SecretId"]?.text ?? ""
          $0.resourcePolicy = properties["ResourcePolicy"].map { $0.text ?? $0.description } ?? ""
          $0.blockPublicPolicy = properties["BlockPublicPolicy"]?.boolean
        })
      return ResourceHandle(put.arn ?? "", attributes: ["Id": .string(put.arn ?? "")])
    }
    return ResourceProvider(
      "AWS::SecretsManager::ResourcePolicy", properties: ["BlockPublicPolicy", "ResourcePolicy", "SecretId"],
      replacedBy: ["SecretId"], create: put, update: { _, _, new, context in try await put(new, context) },
      delete: { handle, _, context in
        do {
          _ = try await context.call.viaCloudFormation.invoke(
            SecretsManager.deleteResourcePolicy, .make { $0.secretId = handle.physicalID })
        } catch let error as AWSError
          where ["ResourceNotFoundException", "InvalidRequestException"].contains(error.code)
        {
          // The secret is gone, or on its way.
        }
      })
  }

  /// Says that it is not built.
  var rotationProvider: ResourceProvider {
    ResourceProvider(
      "AWS::SecretsManager::RotationSchedule",
      create: { _, _ in
        throw AWSError.notImplemented("rotation of secrets (AWS::SecretsManager::RotationSchedule)")
      },
      delete: { _, _, _ in })
  }

  // MARK: -

  private static let attachedMembers = [
    "engine", "host", "port", "dbname", "dbClusterIdentifier", "dbInstanceIdentifier",
  ]

  private static func attach(_ properties: JSONValue, _ call: CallContext) async throws -> ResourceHandle {
    let target = properties["TargetId"]?.text ?? ""
    let found: [String: JSONValue]
    switch properties["TargetType"]?.text {
    case "AWS::RDS::DBCluster": found = try await cluster(target, call)
    case "AWS::RDS::DBInstance": found = try await instance(target, call)
    case let type:
      throw AWSError.notImplemented("AWS::SecretsManager::SecretTargetAttachment with TargetType \(type ?? "(none)")")
    }
    let arn = try await change(properties["SecretId"]?.text ?? "", call) { members in
      members.merge(found) { _, new in new }
    }
    return ResourceHandle(arn, attributes: ["Id": .string(arn)])
  }

  private static func cluster(_ id: String, _ call: CallContext) async throws -> [String: JSONValue] {
    let answer = try await call.invoke(RDS.describeDBClusters, .make { $0.dbClusterIdentifier = id })
    guard let cluster = answer.dbClusters?.first else {
      throw AWSError("DBClusterNotFoundFault", "DBCluster \(id) not found.", status: 404)
    }
    return members(
      engine: cluster.engine, host: cluster.endpoint, port: cluster.port, database: cluster.databaseName,
      ("dbClusterIdentifier", cluster.dbClusterIdentifier ?? id))
  }

  private static func instance(_ id: String, _ call: CallContext) async throws -> [String: JSONValue] {
    let answer = try await call.invoke(RDS.describeDBInstances, .make { $0.dbInstanceIdentifier = id })
    guard let instance = answer.dbInstances?.first else {
      throw AWSError("DBInstanceNotFound", "DBInstance \(id) not found.", status: 404)
    }
    return members(
      engine: instance.engine, host: instance.endpoint?.address, port: instance.endpoint?.port,
      database: instance.dbName, ("dbInstanceIdentifier", instance.dbInstanceIdentifier ?? id))
  }

  /// What AWS adds to the secret's JSON; the engines by the names that its rotation functions know.
  private static func members(
    engine: String?, host: String?, port: Int?, database: String?, _ identifier: (String, String)
  ) -> [String: JSONValue] {
    let names = ["aurora-postgresql": "postgres", "aurora-mysql": "mysql"]
    var members: [String: JSONValue] = [identifier.0: .string(identifier.1)]
    if let engine { members["engine"] = .string(names[engine] ?? engine) }
    if let host { members["host"] = .string(host) }
    if let port { members["port"] = .integer(port) }
    if let database { members["dbname"] = .string(database) }
    return members
  }

  /// Changes the JSON object in a secret; nothing is written when it stays the same.
  /// - Returns: the secret's ARN.
  @discardableResult
  private static func change(
    _ secretID: String, _ call: CallContext, _ body: (inout [String: JSONValue]) -> Void
  ) async throws -> String {
    let value = try await call.invoke(SecretsManager.getSecretValue, .make { $0.secretId = secretID })
    let text = value.secretString ?? ""
    guard let old = (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)))?.object else {
      throw SecretsError.invalidRequest("The secret \(secretID) has no JSON object to attach a target to.")
    }
    var new = old
    body(&new)
    if new != old {
      let json = JSONValue.object(new).description
      _ = try await call.invoke(
        SecretsManager.putSecretValue,
        .make {
          $0.secretId = secretID
          $0.secretString = json
        })
    }
    return value.arn ?? secretID
  }
}
