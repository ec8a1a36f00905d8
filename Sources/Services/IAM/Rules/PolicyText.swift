// Rules about policy documents: what IAM takes in, and how it gives them back.

import AWSCore
import FoundationEssentials
import Policy
import Store

/// Checks on the texts of policies.
enum PolicyText {
  /// The characters that count against a quota: all but white space.
  static func size(_ text: String) -> Int {
    text.unicodeScalars.count { $0 != " " && $0 != "\n" && $0 != "\t" && $0 != "\r" }
  }

  /// - Throws: MalformedPolicyDocument.
  static func checkIdentity(_ text: String) throws {
    do { _ = try PolicyDocument(text, kind: .identity) } catch { throw error.awsError(.iam) }
  }

  /// A trust policy: its language, its size, and that the account's own users and roles that it names exist.
  /// - Throws: MalformedPolicyDocument, LimitExceeded.
  static func checkTrust(_ text: String, _ tx: Snapshot, _ scope: Scope) throws {
    do { _ = try PolicyDocument(text, kind: .trust) } catch { throw error.awsError(.iam) }
    guard size(text) <= Limits.trustPolicySize else {
      throw AWSError.limitExceeded("ACLSizePerRole", Limits.trustPolicySize)
    }
    for arn in principals(text) {
      guard let parsed = ARN(arn), parsed.service == "iam", parsed.account == scope.account else { continue }
      let parts = parsed.resource.split(separator: "/").map(String.init)
      guard parts.count > 1, let name = parts.last else { continue }
      let exists =
        switch parts[0] {
        case "user": try tx.get(UserRecord.self, scope, name.lowercased())?.arn(scope) == arn
        case "role": try tx.get(RoleRecord.self, scope, name.lowercased())?.arn(scope) == arn
        default: true
        }
      guard exists else { throw AWSError.malformedPolicy("Invalid principal in policy: \"AWS\":\"\(arn)\"") }
    }
  }

  /// What stands under `AWS` in the principals of a policy.
  static func principals(_ text: String) -> [String] {
    guard let json = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else { return [] }
    let statements = json["Statement"]?.array ?? json["Statement"].map { [$0] } ?? []
    return statements.flatMap { statement -> [String] in
      guard let named = statement["Principal"]?["AWS"] else { return [] }
      return (named.array ?? [named]).compactMap(\.text)
    }
  }

  /// One policy that allows what any of several allows, and denies what any of them denies: the policies of a session
  /// count together.
  static func merged(_ texts: [String]) throws -> String {
    var statements: [JSONValue] = []
    for text in texts {
      let json = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
      for statement in json["Statement"]?.array ?? json["Statement"].map({ [$0] }) ?? [] {
        var members = statement.object ?? [:]
        // Ids are unique within one policy only.
        members["Sid"] = nil
        statements.append(.object(members))
      }
    }
    return JSONValue.object(["Version": "2012-10-17", "Statement": .array(statements)]).description
  }

  /// As IAM's answers have it: percent-encoded after RFC 3986.
  static func encoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var out: [UInt8] = []
    out.reserveCapacity(text.utf8.count * 2)
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: out.append(byte)
      default: out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
