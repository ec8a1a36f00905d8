// Key policies: the default ones, and the check that a new one leaves somebody able to change it.

import AWSCore
import FoundationEssentials

/// Rules about key policies.
enum KeyPolicy {
  /// The only name a key policy can have.
  static let name = "default"

  /// What a key made through the API gets: the account decides, so IAM policies count.
  static func `default`(account: String) -> String {
    """
    {
      "Version" : "2012-10-17",
      "Id" : "key-default-1",
      "Statement" : [ {
        "Sid" : "Enable IAM User Permissions",
        "Effect" : "Allow",
        "Principal" : {
          "AWS" : "arn:aws:iam::\(account):root"
        },
        "Action" : "kms:*",
        "Resource" : "*"
      } ]
    }
    """
  }

  /// What an AWS managed key has: everybody in the account, but only through the service.
  static func managed(service: String, account: String, region: String) -> String {
    """
    {
      "Version" : "2012-10-17",
      "Id" : "auto-\(service)-1",
      "Statement" : [ {
        "Sid" : "Allow access through \(service) for all principals in the account that are authorized to use \(service)",
        "Effect" : "Allow",
        "Principal" : {
          "AWS" : "*"
        },
        "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", \
    "kms:DescribeKey" ],
        "Resource" : "*",
        "Condition" : {
          "StringEquals" : {
            "kms:CallerAccount" : "\(account)",
            "kms:ViaService" : "\(service == "ebs" ? "ec2" : service).\(region).amazonaws.com"
          }
        }
      }, {
        "Sid" : "Allow direct access to key metadata to the account",
        "Effect" : "Allow",
        "Principal" : {
          "AWS" : "arn:aws:iam::\(account):root"
        },
        "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
        "Resource" : "*"
      } ]
    }
    """
  }

  /// Checks a policy that somebody wants to set.
  /// - Parameters:
  ///   - caller: the ARNs that stand for the caller: the principal's own and its role's.
  ///   - account: the key's account.
  ///   - bypassLockoutCheck: the caller accepts that nobody may be able to change the policy again.
  /// - Throws: `MalformedPolicyDocumentException`, `LimitExceededException`.
  static func check(_ text: String, caller: [String], account: String, bypassLockoutCheck: Bool) throws {
    guard text.utf8.count <= KMSLimits.policyBytesMax else {
      throw KMSError.limitExceeded("The key policy is larger than \(KMSLimits.policyBytesMax) bytes.")
    }
    let document: JSONValue
    do {
      document = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    } catch {
      throw KMSError.malformedPolicy("Policy contains invalid JSON")
    }
    guard let statements = document["Statement"].map({ $0.array ?? [$0] }), !statements.isEmpty else {
      throw KMSError.malformedPolicy("Policy must contain at least one statement")
    }
    for statement in statements { try checkStatement(statement) }
    guard bypassLockoutCheck || statements.contains(where: { lets(caller, account, change: $0) }) else {
      throw KMSError.malformedPolicy(
        "The new key policy will not allow you to update the key policy in the future.")
    }
  }

  private static func checkStatement(_ statement: JSONValue) throws {
    guard statement.object != nil else { throw KMSError.malformedPolicy("Syntax errors in policy.") }
    guard let effect = statement["Effect"]?.text, effect == "Allow" || effect == "Deny" else {
      throw KMSError.malformedPolicy("Statement/Effect must be Allow or Deny")
    }
    guard statement["Principal"] != nil || statement["NotPrincipal"] != nil else {
      throw KMSError.malformedPolicy("Policy contains a statement with no principal.")
    }
    guard statement["Action"] != nil || statement["NotAction"] != nil else {
      throw KMSError.malformedPolicy("Policy contains a statement with no action.")
    }
    guard statement["Resource"] != nil || statement["NotResource"] != nil else {
      throw KMSError.malformedPolicy("Policy contains a statement with no resource.")
    }
  }

  /// A statement that lets the caller, or the account as a whole, change the policy.
  private static func lets(_ caller: [String], _ account: String, change statement: JSONValue) -> Bool {
    guard statement["Effect"]?.text == "Allow" else { return false }
    let actions = texts(statement["Action"])
    guard actions.contains(where: { covers($0.lowercased(), "kms:putkeypolicy") }) else { return false }
    let principals = statement["Principal"].map { $0.text.map { [$0] } ?? texts($0["AWS"]) } ?? []
    let accepted = caller + ["*", account, "arn:aws:iam::\(account):root"]
    return principals.contains { accepted.contains($0) }
  }

  private static func texts(_ value: JSONValue?) -> [String] {
    guard let value else { return [] }
    return value.array?.compactMap(\.text) ?? value.text.map { [$0] } ?? []
  }

  /// A pattern with `*` anywhere matches the text.
  private static func covers(_ pattern: String, _ text: String) -> Bool {
    guard let star = pattern.firstIndex(of: "*") else { return pattern == text }
    let head = pattern[..<star]
    let rest = pattern[pattern.index(after: star)...]
    guard text.hasPrefix(head) else { return false }
    var tail = text.dropFirst(head.count)
    while true {
      if covers(String(rest), String(tail)) { return true }
      if tail.isEmpty { return false }
      tail = tail.dropFirst()
    }
  }
}
