// GetRandomPassword.

import AWSCore
import SecretsManagerModel

/// Rules about generated passwords.
enum RandomPassword {
  private static let lowercase = Array("abcdefghijklmnopqrstuvwxyz")
  private static let uppercase = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
  private static let numbers = Array("0123456789")
  private static let punctuation = Array("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

  /// A password.
  /// - Throws: `InvalidParameterException` when the options leave nothing to choose, or too little room.
  static func make(_ options: SecretsManager.GetRandomPasswordRequest, _ ids: any IdentifierSource) throws -> String {
    let length = options.passwordLength ?? SecretsLimits.passwordLengthDefault
    guard (1...SecretsLimits.passwordLengthMax).contains(length) else {
      throw SecretsError.invalidParameter("PasswordLength must be between 1 and \(SecretsLimits.passwordLengthMax).")
    }
    let excluded = Set(options.excludeCharacters ?? "")
    let types: [[Character]] = [
      options.excludeLowercase == true ? [] : lowercase, options.excludeUppercase == true ? [] : uppercase,
      options.excludeNumbers == true ? [] : numbers, options.excludePunctuation == true ? [] : punctuation,
      options.includeSpace == true ? [" "] : [],
    ].map { $0.filter { !excluded.contains($0) } }.filter { !$0.isEmpty }
    let all = types.flatMap { $0 }
    guard !all.isEmpty else {
      throw SecretsError.invalidParameter("The password can't be generated: all characters are excluded.")
    }
    guard options.requireEachIncludedType ?? true else { return ids.characters(length, from: all) }
    guard length >= types.count else {
      throw SecretsError.invalidParameter("Password length \(length) is too short based on the required types.")
    }
    var characters = types.flatMap { ids.characters(1, from: $0) }
    characters += ids.characters(length - types.count, from: all)
    var generator = Generator(ids: ids)
    characters.shuffle(using: &generator)
    return String(characters)
  }

  private struct Generator: RandomNumberGenerator {
    let ids: any IdentifierSource
    mutating func next() -> UInt64 { ids.randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) } }
  }
}
