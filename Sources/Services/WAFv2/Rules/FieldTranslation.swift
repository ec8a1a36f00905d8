// The parts of requests and the text transformations, from the API's words to the Gate's.

import AWSCore
import AWSWire
import WAFv2Model
import WebACL

enum FieldTranslator {
  static func forwarded(_ config: WAFv2.ForwardedIPConfig) -> WebACL.ForwardedIP {
    WebACL.ForwardedIP(header: config.headerName, fallback: config.fallbackBehavior == "MATCH")
  }

  /// - Throws: `WAFInvalidParameterException`.
  static func inspection(
    _ field: WAFv2.FieldToMatch, _ changes: [WAFv2.TextTransformation]
  ) throws -> WebACL.Inspection {
    WebACL.Inspection(try self.field(field), try transformations(changes))
  }

  static func transformations(_ changes: [WAFv2.TextTransformation]) throws -> [WebACL.Transformation] {
    guard Set(changes.map(\.priority)).count == changes.count else {
      throw WAFError.invalid(
        "You have used the same priority for more than one transformation", field: "TEXT_TRANSFORMATION",
        parameter: "Priority")
    }
    return try changes.sorted { $0.priority < $1.priority }.map { change in
      guard let known = WebACL.Transformation(rawValue: change.type) else {
        throw WAFError.invalid("The parameter is not valid", field: "TEXT_TRANSFORMATION", parameter: change.type)
      }
      return known
    }
  }

  private static func oversize(_ text: String?) -> WebACL.Oversize { text.flatMap(WebACL.Oversize.init) ?? .proceed }

  private static func field(_ field: WAFv2.FieldToMatch) throws -> WebACL.Field {
    guard field.wireMembers.members.filter({ $0 != nil }).count == 1 else {
      throw RuleTranslator.manyOrNone("FIELD_TO_MATCH", "FieldToMatch")
    }
    if field.method != nil { return .method }
    if field.uriPath != nil { return .uriPath }
    if field.queryString != nil { return .queryString }
    if let header = field.singleHeader { return .header(header.name.lowercased()) }
    if let argument = field.singleQueryArgument { return .queryArgument(argument.name.lowercased()) }
    if field.allQueryArguments != nil { return .allQueryArguments }
    if let body = field.body { return .body(oversize(body.oversizeHandling)) }
    if let order = field.headerOrder { return .headerOrder(oversize(order.oversizeHandling)) }
    if let fragment = field.uriFragment { return .uriFragment(fallback: fragment.fallbackBehavior == "MATCH") }
    if let ja3 = field.ja3Fingerprint { return .ja3(fallback: ja3.fallbackBehavior == "MATCH") }
    if let ja4 = field.ja4Fingerprint { return .ja4(fallback: ja4.fallbackBehavior == "MATCH") }
    if let headers = field.headers {
      let pattern = headers.matchPattern
      return .headers(
        try selection(pattern.all != nil, pattern.includedHeaders, pattern.excludedHeaders),
        scope(headers.matchScope), oversize(headers.oversizeHandling))
    }
    if let cookies = field.cookies {
      let pattern = cookies.matchPattern
      return .cookies(
        try selection(pattern.all != nil, pattern.includedCookies, pattern.excludedCookies), scope(cookies.matchScope),
        oversize(cookies.oversizeHandling))
    }
    let json = field.jsonBody ?? .init()
    return .jsonBody(
      try selection(json.matchPattern.all != nil, json.matchPattern.includedPaths, nil), scope(json.matchScope),
      oversize(json.oversizeHandling), json.invalidFallbackBehavior.flatMap(WebACL.InvalidJSON.init) ?? .partly)
  }

  private static func scope(_ text: String) -> WebACL.Scope { WebACL.Scope(rawValue: text) ?? .all }

  private static func selection(
    _ all: Bool, _ included: [String]?, _ excluded: [String]?
  ) throws -> WebACL.Selection {
    guard [all, included != nil, excluded != nil].filter({ $0 }).count == 1 else {
      throw RuleTranslator.manyOrNone("MATCH_PATTERN", "MatchPattern")
    }
    if let included { return .only(included) }
    if let excluded { return .except(excluded) }
    return .all
  }

  /// - Throws: `WAFInvalidParameterException`.
  static func rateKey(_ key: WAFv2.RateBasedStatementCustomKey, _ rule: String) throws -> WebACL.Rate.Key {
    guard key.wireMembers.members.filter({ $0 != nil }).count == 1 else {
      throw RuleTranslator.manyOrNone("CUSTOM_KEYS", rule)
    }
    if let header = key.header {
      return .header(header.name.lowercased(), try transformations(header.textTransformations))
    }
    if let cookie = key.cookie { return .cookie(cookie.name, try transformations(cookie.textTransformations)) }
    if let argument = key.queryArgument {
      return .queryArgument(argument.name.lowercased(), try transformations(argument.textTransformations))
    }
    if let query = key.queryString { return .queryString(try transformations(query.textTransformations)) }
    if let path = key.uriPath { return .uriPath(try transformations(path.textTransformations)) }
    if key.httpMethod != nil { return .method }
    if let label = key.labelNamespace { return .labelNamespace(label.namespace) }
    if key.ip != nil { return .ip }
    if key.forwardedIP != nil { return .forwardedIP }
    if key.asn != nil { return .system }
    if let ja3 = key.ja3Fingerprint { return .ja3(fallback: ja3.fallbackBehavior == "MATCH") }
    return .ja4(fallback: key.ja4Fingerprint?.fallbackBehavior == "MATCH")
  }
}
