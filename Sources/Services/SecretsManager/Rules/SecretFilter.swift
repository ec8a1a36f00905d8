// The filters of ListSecrets and BatchGetSecretValue.

import SecretsManagerModel

/// Rules about filters: values of one filter are alternatives, filters all hold, `!` in front turns a value around.
enum SecretFilter {
  static let keys: Set<String> = [
    "description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all",
  ]

  /// - Throws: `InvalidParameterException`.
  static func check(_ filters: [SecretsManager.Filter]) throws {
    for filter in filters {
      guard let key = filter.key, keys.contains(key), filter.values?.isEmpty == false else {
        throw SecretsError.invalidParameter("Each filter must have a key that is known, and values.")
      }
    }
  }

  static func matches(_ secret: SecretRecord, _ filters: [SecretsManager.Filter]) -> Bool {
    filters.allSatisfy { filter in
      let values = filter.values ?? []
      let wanted = values.filter { !$0.hasPrefix("!") }
      let unwanted = values.filter { $0.hasPrefix("!") }.map { String($0.dropFirst()) }
      let key = filter.key ?? ""
      return (wanted.isEmpty || wanted.contains { matches(secret, key, $0) })
        && !unwanted.contains { matches(secret, key, $0) }
    }
  }

  private static func matches(_ secret: SecretRecord, _ key: String, _ value: String) -> Bool {
    switch key {
    case "name": secret.name.hasPrefix(value)
    case "description": words(secret.description, begin: value)
    case "tag-key": secret.tags.contains { $0.key.hasPrefix(value) }
    case "tag-value": secret.tags.contains { $0.value.hasPrefix(value) }
    case "primary-region": secret.region.hasPrefix(value)
    case "owning-service": (secret.owningService ?? "").hasPrefix(value)
    default: matchesAnywhere(secret, value)
    }
  }

  /// The text, or what follows one of its spaces, begins with the value; upper and lower case are the same.
  private static func words(_ text: String?, begin value: String) -> Bool {
    let text = (text ?? "").lowercased()
    let value = value.lowercased()
    if text.hasPrefix(value) { return true }
    return text.indices.contains { text[$0] == " " && text[text.index(after: $0)...].hasPrefix(value) }
  }

  /// Each word of the value begins some part of the secret's attributes.
  private static func matchesAnywhere(_ secret: SecretRecord, _ value: String) -> Bool {
    let texts =
      [secret.name, secret.description ?? "", secret.owningService ?? ""] + secret.tags.flatMap { [$0.key, $0.value] }
    let parts = texts.flatMap { text in
      let lower = text.lowercased()
      return [lower] + lower.split(whereSeparator: { " /_+=.@!-:".contains($0) }).map(String.init)
    }
    return value.lowercased().split(separator: " ").allSatisfy { word in parts.contains { $0.hasPrefix(word) } }
  }
}
