// Key policies: the default ones, and the check that a new one leaves somebody able to change it.

import AWSCore
import Policy
import ServiceKit

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
        "Sid" : "Allow access through \(service) for all principals in the account that are \
    authorized to use \(service)",
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
  ///   - caller: who sets it; nil for a service, which locks nobody out.
  ///   - key: the key's ARN.
  ///   - bypassLockoutCheck: the caller accepts that nobody may be able to change the policy again.
  /// - Throws: `MalformedPolicyDocumentException`, `LimitExceededException`.
  static func check(_ text: String, caller: PolicyPrincipal?, key: String, bypassLockoutCheck: Bool) throws {
    guard text.utf8.count <= KMSLimits.policyBytesMax else {
      throw KMSError.limitExceeded("The key policy is larger than \(KMSLimits.policyBytesMax) bytes.")
    }
    let document: PolicyDocument
    do {
      document = try PolicyDocument(text, kind: .resource)
    } catch {
      throw error.awsError(.kms)
    }
    guard !bypassLockoutCheck, let caller else { return }
    // Whether the caller's own policies go along is not the key policy's business: here they allow everything.
    let request = PolicyRequest(
      principal: caller, action: "kms:PutKeyPolicy", resource: key,
      context: ["kms:CallerAccount": [caller.account], "kms:BypassPolicyLockoutSafetyCheck": ["false"]])
    let policies = PolicySet(
      identity: [.init(try everything())], resource: .init(document), resourceRule: .required)
    guard policies.decide(request).isAllowed else {
      throw KMSError.malformedPolicy(
        "The new key policy will not allow you to update the key policy in the future.")
    }
  }

  private static func everything() throws -> PolicyDocument {
    try PolicyDocument(
      #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#, kind: .identity)
  }
}

extension PolicyPrincipal {
  /// The principal of a call as policies name it; nil for a service of Castle.
  init?(_ principal: Principal) {
    let arn = ARN(principal.arn)
    switch principal.kind {
    case .service: return nil
    case .root: self = .root(account: principal.account)
    case .user, .federatedUser:
      self.init(
        kind: principal.kind == .federatedUser ? .federatedUser : .user, arn: principal.arn, account: principal.account,
        name: arn?.resource.split(separator: "/").last.map(String.init) ?? "", uniqueID: principal.userID,
        tags: principal.tags)
    case .assumedRole:
      self.init(
        kind: .assumedRole, arn: principal.arn, account: principal.account, uniqueID: principal.userID,
        roleARN: principal.roleARN, tags: principal.tags)
    }
  }
}
