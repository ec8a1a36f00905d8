// From the API's data protection to what the Gate masks.

import AWSCore
import WAFv2Model
import WebACL

enum DataProtectionRules {
  /// - Throws: `WAFInvalidParameterException` for what cannot be protected so.
  static func protections(
    _ config: WAFv2.DataProtectionConfig?, account: String
  ) throws -> [WebACL.DataProtection]? {
    try config?.dataProtections.map { protection in
      let type = protection.field.fieldType
      guard let part = parts[type] else {
        throw WAFError.invalid("The parameter is not valid", field: "DATA_PROTECTION_CONFIG", parameter: type)
      }
      let names = (protection.field.fieldKeys ?? []).map { $0.lowercased() }
      if [.queryString, .body].contains(part), !names.isEmpty {
        throw WAFError.invalid(
          "\(type) has no keys", field: "DATA_PROTECTION_CONFIG", parameter: names.joined(separator: ", "))
      }
      return WebACL.DataProtection(
        part, names: names, hashAccount: protection.action == "HASH" ? account : nil,
        sparesRates: protection.excludeRateBasedDetails ?? false,
        sparesMatches: protection.excludeRuleMatchDetails)
    }
  }

  private static let parts: [String: WebACL.DataProtection.Part] = [
    "SINGLE_HEADER": .header, "SINGLE_COOKIE": .cookie, "SINGLE_QUERY_ARGUMENT": .queryArgument,
    "QUERY_STRING": .queryString, "BODY": .body,
  ]

  /// What a web ACL does by itself while its load balancer is flooded: the Shield holds the sources back whatever this says.
  /// - Throws: 501 for a mode in which they are held back always.
  static func check(_ config: WAFv2.OnSourceDDoSProtectionConfig?) throws {
    if config?.albLowReputationMode == "ALWAYS_ON" {
      throw AWSError.notImplemented("ALBLowReputationMode ALWAYS_ON (ACTIVE_UNDER_DDOS is what the castle does)")
    }
  }
}
