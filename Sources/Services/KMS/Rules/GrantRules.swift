// What a grant allows.

/// Rules about grants.
enum GrantRules {
  static let operations: Set<String> = [
    "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "Sign",
    "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "DeriveSharedSecret",
  ]

  /// Operations that carry an encryption context; only these are narrowed by a grant's constraints.
  static let contextOperations: Set<String> = [
    "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
  ]

  /// The grant covers an operation with that encryption context, whoever calls.
  static func covers(_ grant: Grant, operation: String, context: [String: String]?) -> Bool {
    guard grant.operations.contains(operation) else { return false }
    guard contextOperations.contains(operation) else { return true }
    let given = context ?? [:]
    if let wanted = grant.contextEquals, given != wanted { return false }
    if let wanted = grant.contextSubset, !wanted.allSatisfy({ given[$0.key] == $0.value }) { return false }
    return true
  }
}
