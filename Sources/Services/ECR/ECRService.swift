// Amazon Elastic Container Registry: repositories and what is set on them. The registry itself is not built.

import AWSCore
import AWSWire
import ECRModel
import ServiceKit
import Store

/// ECR.
public struct ECRService: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public static var collections: [any Record.Type] { [RepositoryRecord.self] }

  public var resourceProviders: [ResourceProvider] { [repositoryProvider] }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(
      ECR.createRepository, access: { [ResourceAccess(Self.arn($0.repositoryName, $1))] }, createRepository)
    table.on(
      ECR.describeRepositories,
      access: { input, call in
        let names = input.repositoryNames ?? []
        return names.isEmpty ? [ResourceAccess(Self.arn("*", call))] : names.map { ResourceAccess(Self.arn($0, call)) }
      }, describeRepositories)
    table.on(
      ECR.deleteRepository, access: { try await access($0.repositoryName, $0.registryId, $1) }, deleteRepository)
    table.on(
      ECR.setRepositoryPolicy, access: { try await access($0.repositoryName, $0.registryId, $1) }, setRepositoryPolicy)
    table.on(
      ECR.getRepositoryPolicy, access: { try await access($0.repositoryName, $0.registryId, $1) }, getRepositoryPolicy)
    table.on(
      ECR.deleteRepositoryPolicy, access: { try await access($0.repositoryName, $0.registryId, $1) },
      deleteRepositoryPolicy)
    table.on(
      ECR.putLifecyclePolicy, access: { try await access($0.repositoryName, $0.registryId, $1) }, putLifecyclePolicy)
    table.on(
      ECR.getLifecyclePolicy, access: { try await access($0.repositoryName, $0.registryId, $1) }, getLifecyclePolicy)
    table.on(
      ECR.deleteLifecyclePolicy, access: { try await access($0.repositoryName, $0.registryId, $1) },
      deleteLifecyclePolicy)
    table.on(
      ECR.putImageTagMutability, access: { try await access($0.repositoryName, $0.registryId, $1) },
      putImageTagMutability)
    table.on(
      ECR.putImageScanningConfiguration, access: { try await access($0.repositoryName, $0.registryId, $1) },
      putImageScanningConfiguration)
    table.on(ECR.tagResource, access: { input, _ in [ResourceAccess(input.resourceArn)] }, tagResource)
    table.on(ECR.untagResource, access: { input, _ in [ResourceAccess(input.resourceArn)] }, untagResource)
    table.on(ECR.listTagsForResource, access: { input, _ in [ResourceAccess(input.resourceArn)] }, listTagsForResource)
    table.on(ECR.getAuthorizationToken, getAuthorizationToken)
    return [ServiceAPI(ECR.model, actionPrefix: "ecr", table)]
  }

  static func arn(_ name: String, _ call: CallContext) -> String { call.arn("ecr", "repository/\(name)") }

  private func access(_ name: String, _ registry: String?, _ call: CallContext) async throws -> [ResourceAccess] {
    let repository = try await repository(name, registry, call)
    return [ResourceAccess(repository.arn, policy: repository.policy)]
  }

  /// - Throws: `RepositoryNotFoundException`.
  func repository(_ name: String, _ registry: String?, _ call: CallContext) async throws -> RepositoryRecord {
    guard registry == nil || registry == call.account,
      let found = try await store.get(RepositoryRecord.self, call.scope, name)
    else { throw ECRError.repositoryNotFound(name, registry ?? call.account) }
    return found
  }

  /// Changes a repository in one transaction.
  @discardableResult
  func change<T: Sendable>(
    _ name: String, _ registry: String?, _ call: CallContext,
    _ body: @escaping @Sendable (inout RepositoryRecord) throws -> T
  ) async throws -> T {
    let scope = call.scope
    let account = call.account
    return try await store.write { tx in
      guard registry == nil || registry == account, var found = try tx.get(RepositoryRecord.self, scope, name) else {
        throw ECRError.repositoryNotFound(name, registry ?? account)
      }
      let result = try body(&found)
      try tx.put(found, scope)
      return result
    }
  }
}
