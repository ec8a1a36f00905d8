// CreateRepository, DescribeRepositories, DeleteRepository, and what is set on a repository.

import AWSCore
import AWSWire
import ECRModel
import FoundationEssentials
import KMSModel
import ServiceKit
import Store

extension ECRService {
  func createRepository(
    _ input: ECR.CreateRepositoryRequest, _ call: CallContext
  ) async throws -> ECR.CreateRepositoryResponse {
    try Self.check(name: input.repositoryName)
    if let registry = input.registryId, registry != call.account {
      throw ECRError.invalid("registryId", "repositories are made in the caller's own registry \(call.account)")
    }
    let tags = try Self.tags(input.tags ?? [])
    let encryption = input.encryptionConfiguration?.encryptionType ?? "AES256"
    var key: String?
    if encryption != "AES256" {
      key = try await Self.key(input.encryptionConfiguration?.kmsKey ?? "alias/aws/ecr", call)
    } else if input.encryptionConfiguration?.kmsKey != nil {
      throw ECRError.invalid("encryptionConfiguration", "a KMS key is given only with the encryption type KMS")
    }
    let new = RepositoryRecord(
      name: input.repositoryName, arn: Self.arn(input.repositoryName, call),
      uri: "\(Self.host(call))/\(input.repositoryName)", registry: call.account, createdAt: call.now,
      mutability: input.imageTagMutability ?? "MUTABLE",
      exclusions: input.imageTagMutabilityExclusionFilters.map(Self.exclusions),
      scanOnPush: input.imageScanningConfiguration?.scanOnPush ?? false, encryption: encryption, kmsKey: key, tags: tags
    )
    let scope = call.scope
    try await store.write { tx in
      guard try tx.get(RepositoryRecord.self, scope, new.name) == nil else {
        throw ECRError.repositoryExists(new.name, new.registry)
      }
      guard try tx.count(RepositoryRecord.self, scope) < ECRLimits.repositoriesMax else {
        throw ECRError.limitExceeded("The registry has \(ECRLimits.repositoriesMax) repositories already")
      }
      try tx.put(new, scope)
    }
    return .make { $0.repository = Self.wire(new) }
  }

  /// `123456789012.dkr.ecr.region.amazonaws.com`.
  static func host(_ call: CallContext) -> String { "\(call.account).dkr.ecr.\(call.region).amazonaws.com" }

  private static func check(name: String) throws {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    let isGood =
      (2...256).contains(name.count)
      && parts.allSatisfy { part in
        guard let first = part.first, let last = part.last else { return false }
        func isPlain(_ c: Character) -> Bool { c.isASCII && (c.isLowercase || c.isNumber) }
        return isPlain(first) && isPlain(last) && part.allSatisfy { isPlain($0) || "._-".contains($0) }
      }
    guard isGood else {
      throw ECRError.invalid(
        "repositoryName",
        "must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'")
    }
  }

  private static func key(_ id: String, _ call: CallContext) async throws -> String {
    do {
      let key = try await call.invoke(KMS.describeKey, .make { $0.keyId = id }).keyMetadata
      guard key?.enabled == true, let arn = key?.arn else { throw ECRError.kms("The key \(id) is not enabled.") }
      return arn
    } catch let error as AWSError where error.code == "NotFoundException" {
      throw ECRError.kms(error.message)
    }
  }

  private static func exclusions(
    _ filters: [ECR.ImageTagMutabilityExclusionFilter]
  ) -> [RepositoryRecord.Exclusion] {
    filters.map { .init(filter: $0.filter, type: $0.filterType) }
  }

  private static func wire(_ filters: [RepositoryRecord.Exclusion]?) -> [ECR.ImageTagMutabilityExclusionFilter]? {
    filters?.map { exclusion in
      .make {
        $0.filter = exclusion.filter
        $0.filterType = exclusion.type
      }
    }
  }

  private static func wire(_ record: RepositoryRecord) -> ECR.Repository {
    .make {
      $0.repositoryName = record.name
      $0.repositoryArn = record.arn
      $0.repositoryUri = record.uri
      $0.registryId = record.registry
      $0.createdAt = record.createdAt
      $0.imageTagMutability = record.mutability
      $0.imageTagMutabilityExclusionFilters = wire(record.exclusions)
      $0.imageScanningConfiguration = .make { $0.scanOnPush = record.scanOnPush }
      $0.encryptionConfiguration = .make {
        $0.encryptionType = record.encryption
        $0.kmsKey = record.kmsKey
      }
    }
  }

  func describeRepositories(
    _ input: ECR.DescribeRepositoriesRequest, _ call: CallContext
  ) async throws -> ECR.DescribeRepositoriesResponse {
    if let names = input.repositoryNames, !names.isEmpty {
      var found: [ECR.Repository] = []
      for name in names { found.append(Self.wire(try await repository(name, input.registryId, call))) }
      let all = found
      return .make { $0.repositories = all }
    }
    let limit = min(max(1, input.maxResults ?? ECRLimits.page), ECRLimits.pageMax)
    let scope = call.scope
    let start = try input.nextToken.map { token in
      guard let place = PageToken.read(token) else { throw ECRError.invalid("nextToken", "it is not valid") }
      return place
    }
    let isOwn = input.registryId == nil || input.registryId == call.account
    let found =
      isOwn ? try await store.read { try $0.list(RepositoryRecord.self, scope, after: start, limit: limit + 1) } : []
    return .make {
      $0.repositories = found.prefix(limit).map(Self.wire)
      if found.count > limit { $0.nextToken = PageToken.write(found[limit - 1].name) }
    }
  }

  /// There is no image in any repository, so `force` changes nothing.
  func deleteRepository(
    _ input: ECR.DeleteRepositoryRequest, _ call: CallContext
  ) async throws -> ECR.DeleteRepositoryResponse {
    let old = try await repository(input.repositoryName, input.registryId, call)
    let scope = call.scope
    try await store.write { tx in
      guard try tx.delete(RepositoryRecord.self, scope, old.name) else {
        throw ECRError.repositoryNotFound(old.name, old.registry)
      }
    }
    return .make { $0.repository = Self.wire(old) }
  }

  func putImageTagMutability(
    _ input: ECR.PutImageTagMutabilityRequest, _ call: CallContext
  ) async throws -> ECR.PutImageTagMutabilityResponse {
    try await change(input.repositoryName, input.registryId, call) {
      $0.mutability = input.imageTagMutability
      $0.exclusions = input.imageTagMutabilityExclusionFilters.map(Self.exclusions)
    }
    return .make {
      $0.imageTagMutability = input.imageTagMutability
      $0.imageTagMutabilityExclusionFilters = input.imageTagMutabilityExclusionFilters
      $0.registryId = call.account
      $0.repositoryName = input.repositoryName
    }
  }

  func putImageScanningConfiguration(
    _ input: ECR.PutImageScanningConfigurationRequest, _ call: CallContext
  ) async throws -> ECR.PutImageScanningConfigurationResponse {
    let scans = input.imageScanningConfiguration.scanOnPush ?? false
    try await change(input.repositoryName, input.registryId, call) { $0.scanOnPush = scans }
    return .make {
      $0.imageScanningConfiguration = .make { $0.scanOnPush = scans }
      $0.registryId = call.account
      $0.repositoryName = input.repositoryName
    }
  }

  // MARK: - Tags

  static func tags(_ tags: [ECR.Tag]) throws -> [String: String] {
    guard tags.count <= ECRLimits.tagsMax else { throw ECRError.tooManyTags }
    guard Set(tags.map(\.key)).count == tags.count else { throw ECRError.invalid("tags", "a key is given twice") }
    return Dictionary(tags.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
  }

  /// The name in a repository's ARN.
  private static func name(_ arn: String, _ call: CallContext) throws -> String {
    guard let parsed = ARN(arn), parsed.service == "ecr", parsed.resource.hasPrefix("repository/") else {
      throw ECRError.invalid("resourceArn", "Invalid ARN")
    }
    return String(parsed.resource.dropFirst("repository/".count))
  }

  func tagResource(_ input: ECR.TagResourceRequest, _ call: CallContext) async throws -> ECR.TagResourceResponse {
    let new = try Self.tags(input.tags)
    try await change(try Self.name(input.resourceArn, call), nil, call) {
      $0.tags.merge(new) { $1 }
      guard $0.tags.count <= ECRLimits.tagsMax else { throw ECRError.tooManyTags }
    }
    return .init()
  }

  func untagResource(_ input: ECR.UntagResourceRequest, _ call: CallContext) async throws -> ECR.UntagResourceResponse {
    try await change(try Self.name(input.resourceArn, call), nil, call) { repository in
      for key in input.tagKeys { repository.tags[key] = nil }
    }
    return .init()
  }

  func listTagsForResource(
    _ input: ECR.ListTagsForResourceRequest, _ call: CallContext
  ) async throws -> ECR.ListTagsForResourceResponse {
    let found = try await repository(try Self.name(input.resourceArn, call), nil, call)
    return .make {
      $0.tags = found.tags.sorted { $0.key < $1.key }.map { key, value in
        .make {
          $0.key = key
          $0.value = value
        }
      }
    }
  }
}
