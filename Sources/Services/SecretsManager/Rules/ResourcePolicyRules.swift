// The resource policies of secrets.

import AWSCore
import Policy

/// Rules about resource policies.
enum ResourcePolicyRules {
  /// Reads a policy.
  /// - Throws: `MalformedPolicyDocumentException`.
  static func document(_ text: String) throws -> PolicyDocument {
    guard text.utf8.count <= SecretsLimits.policyBytesMax else {
      throw SecretsError.malformedPolicy("The policy is larger than \(SecretsLimits.policyBytesMax) bytes.")
    }
    do {
      return try PolicyDocument(text, kind: .resource)
    } catch {
      throw error.awsError(.secretsManager)
    }
  }
}
