// AWS's own managed policies, those that stacks of the classic web architecture attach. The list is closed: attaching
// another one is the error that AWS gives for a policy that does not exist.

import AWSCore

/// A managed policy of AWS's.
struct AWSManagedPolicy: Sendable {
  var name: String
  /// `/`, `/service-role/`, `/job-function/`, `/aws-service-role/`.
  var path: String
  var description: String
  /// AWS counts its revisions; only the present one is here.
  var version: String
  var document: String

  init(_ name: String, path: String = "/", version: String = "v1", _ description: String, _ document: String) {
    self.name = name
    self.path = path
    self.description = description
    self.version = version
    self.document = document
  }

  var arn: String { "arn:aws:iam::aws:policy\(path)\(name)" }
  /// 2015-02-06, when managed policies came.
  var created: Timestamp { Timestamp(milliseconds: 1_423_237_140_000) }

  /// `ANPA…`, made from the name (FNV-1a), so that it stays the same.
  var id: String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    var text = "ANPA"
    for round in UInt64(0)..<17 {
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325 &+ round
      for byte in arn.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
      text.append(alphabet[Int(hash >> 59)])
    }
    return text
  }
}

/// All of them.
enum AWSManagedPolicies {
  /// By ARN.
  static let all: [String: AWSManagedPolicy] = {
    let policies = general + service + serviceRoles + serviceLinked
    return Dictionary(policies.map { ($0.arn, $0) }, uniquingKeysWith: { first, _ in first })
  }()

  static let everything = statement(["*"])
  static let nothing =
    #"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#

  /// A policy that allows some actions on everything.
  static func statement(_ actions: [String]) -> String {
    let list = actions.map { "\"\($0)\"" }.joined(separator: ",")
    return #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[\#(list)],"Resource":"*"}]}"#
  }
}
