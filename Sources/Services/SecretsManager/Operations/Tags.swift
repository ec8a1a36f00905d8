// TagResource, UntagResource, GetRandomPassword.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit

extension SecretsManagerService {
  func tagResource(_ input: SecretsManager.TagResourceRequest, _ call: CallContext) async throws -> Empty {
    let new = Self.tags(input.tags)
    try await change(input.secretId, call) { secret, _ in
      try secret.requireNotDeleted()
      secret.tags = try Self.merged(secret.tags, new, call)
    }
    return Empty()
  }

  func untagResource(_ input: SecretsManager.UntagResourceRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.secretId, call) { secret, _ in
      try secret.requireNotDeleted()
      secret.tags.removeAll { input.tagKeys.contains($0.key) }
    }
    return Empty()
  }

  func getRandomPassword(
    _ input: SecretsManager.GetRandomPasswordRequest, _ call: CallContext
  ) async throws -> SecretsManager.GetRandomPasswordResponse {
    let password = try RandomPassword.make(input, call.ids)
    return .make { $0.randomPassword = password }
  }

  // MARK: -

  static func tags(_ tags: [SecretsManager.Tag]?) -> [SecretTag] {
    (tags ?? []).map { SecretTag(key: $0.key ?? "", value: $0.value ?? "") }
  }

  /// Tags with others put over them.
  /// - Throws: `InvalidParameterException`, `LimitExceededException`.
  static func merged(_ old: [SecretTag], _ new: [SecretTag], _ call: CallContext) throws -> [SecretTag] {
    guard Set(new.map(\.key)).count == new.count, new.allSatisfy({ !$0.key.isEmpty }) else {
      throw SecretsError.invalidParameter("Tag keys must be there, and each only once.")
    }
    // Only services write tags of this prefix; CloudFormation marks what it made.
    let isService = call.principal.kind == .service || !call.calledVia.isEmpty
    guard isService || !new.contains(where: { $0.key.lowercased().hasPrefix("aws:") }) else {
      throw SecretsError.invalidParameter("Tag keys that begin with aws: are reserved.")
    }
    var tags = old
    for tag in new {
      if let at = tags.firstIndex(where: { $0.key == tag.key }) { tags[at] = tag } else { tags.append(tag) }
    }
    guard tags.count <= SecretsLimits.tagsMax else {
      throw SecretsError.invalidParameter("A secret can have at most \(SecretsLimits.tagsMax) tags.")
    }
    return tags
  }
}
