// The resource policies of secrets.

import AWSCore
import FoundationEssentials

/// Rules about resource policies.
enum ResourcePolicyRules {
  /// The problems of a policy, in sentences; empty when it is good.
  static func problems(_ text: String) -> [String] {
    guard text.utf8.count <= SecretsLimits.policyBytesMax else {
      return ["The policy is larger than \(SecretsLimits.policyBytesMax) bytes."]
    }
    guard let document = parsed(text), document.object != nil else {
      return ["This resource policy contains invalid JSON."]
    }
    let statements = statements(document)
    guard !statements.isEmpty else { return ["This resource policy contains no statement."] }
    return statements.flatMap { statement -> [String] in
      guard statement.object != nil else { return ["This resource policy contains a statement that is no object."] }
      var problems: [String] = []
      if !["Allow", "Deny"].contains(statement["Effect"]?.text) { problems.append("A statement has no valid Effect.") }
      for element in ["Principal", "Action", "Resource"]
      where statement[element] == nil && statement["Not\(element)"] == nil {
        problems.append("This resource policy contains a statement without \(element).")
      }
      return problems
    }
  }

  /// Everybody is let in by some statement, without a condition.
  static func isPublic(_ text: String) -> Bool {
    guard let document = parsed(text) else { return false }
    return statements(document).contains { statement in
      guard statement["Effect"]?.text == "Allow", statement["Condition"] == nil else { return false }
      let principals = [statement["Principal"], statement["Principal"]?["AWS"]].compactMap { $0 }
      return principals.contains { $0.text == "*" || $0.array?.contains { $0.text == "*" } == true }
    }
  }

  private static func parsed(_ text: String) -> JSONValue? {
    try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
  }

  private static func statements(_ document: JSONValue) -> [JSONValue] {
    document["Statement"].map { $0.array ?? [$0] } ?? []
  }
}
