// From JSON to statements, with IAM's objections.

/// Reads the elements of a policy of some kind.
struct PolicyParser {
  let kind: PolicyDocument.Kind

  private static let syntax = MalformedPolicy("Syntax errors in policy.")

  func parse(_ text: String) throws(MalformedPolicy) -> (
    version: String, id: String?, statements: [PolicyDocument.Statement]
  ) {
    let json: JSONValue
    do { json = try JSONReader.read(text) } catch {
      throw MalformedPolicy("This policy contains invalid Json", jsonOffset: error.offset)
    }
    guard case .object(let members) = json else {
      throw MalformedPolicy("This policy contains invalid Json", jsonOffset: 0)
    }
    var version: String?
    var id: String?
    var list: [JSONValue] = []
    for member in members {
      switch member.name {
      case "Version": version = try string(member.value)
      case "Id": id = try string(member.value)
      case "Statement":
        if case .array(let items) = member.value { list = items } else { list = [member.value] }
      default: throw unknown(member.name)
      }
    }
    try check(version: version)
    guard !list.isEmpty else { throw Self.syntax }
    let effective = version ?? "2008-10-17"
    var statements: [PolicyDocument.Statement] = []
    for value in list { statements.append(try statement(value, variables: effective != "2008-10-17")) }
    let sids = statements.compactMap(\.sid).filter { !$0.isEmpty }
    guard Set(sids).count == sids.count else {
      throw MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    }
    return (effective, id, statements)
  }

  private func check(version: String?) throws(MalformedPolicy) {
    switch version {
    case "2012-10-17": return
    case "2008-10-17" where kind != .identity, nil where kind != .identity: return
    case "2008-10-17", nil: throw MalformedPolicy("Policy document must be version 2012-10-17 or greater.")
    default: throw Self.syntax
    }
  }

  private func unknown(_ name: String) -> MalformedPolicy {
    kind == .identity ? Self.syntax : MalformedPolicy("Unknown field \(name)")
  }

  // MARK: Statements

  private func statement(_ json: JSONValue, variables: Bool) throws(MalformedPolicy) -> PolicyDocument.Statement {
    guard case .object(let members) = json else { throw Self.syntax }
    var fields: [String: JSONValue] = [:]
    for member in members {
      guard Self.names.contains(member.name) else { throw unknown(member.name) }
      fields[member.name] = member.value
    }
    guard let effectValue = fields["Effect"] else {
      throw kind == .identity ? Self.syntax : MalformedPolicy("Missing required field Effect")
    }
    guard let effect = PolicyDocument.Effect(rawValue: try string(effectValue)) else {
      throw kind == .identity ? Self.syntax : MalformedPolicy("Invalid effect: \(try string(effectValue))")
    }
    let sid = try sid(fields["Sid"])
    let principals = try principals(fields)
    let actions = try actions(fields)
    let resources = try resources(fields, variables)
    var conditions: [Condition] = []
    if let value = fields["Condition"] { conditions = try self.conditions(value, variables) }
    return PolicyDocument.Statement(
      sid: sid, effect: effect, principals: principals, negatesPrincipals: fields["NotPrincipal"] != nil,
      actions: actions, negatesActions: fields["NotAction"] != nil, resources: resources,
      negatesResources: fields["NotResource"] != nil, conditions: conditions)
  }

  private static let names: Set<String> = [
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
  ]

  private func sid(_ json: JSONValue?) throws(MalformedPolicy) -> String? {
    guard let json else { return nil }
    let sid = try string(json)
    let isPlain = sid.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) }
    guard isPlain || (kind != .identity && kind != .trust) else {
      throw MalformedPolicy(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
      )
    }
    return sid
  }

  private func actions(_ fields: [String: JSONValue]) throws(MalformedPolicy) -> [Pattern] {
    guard let value = try either("Action", "NotAction", fields) else {
      throw MalformedPolicy(
        kind == .identity ? "Policy statement must contain actions." : "Missing required field Action")
    }
    let texts = try strings(value)
    guard !texts.isEmpty else { throw MalformedPolicy("Policy statement must contain actions.") }
    var patterns: [Pattern] = []
    for text in texts {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      if text != "*" {
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
          throw MalformedPolicy(
            parts.count > 2
              ? "Actions/Condition can contain only one colon."
              : "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        }
        guard parts[0].utf8.allSatisfy({ ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 45 })
        else { throw MalformedPolicy("Vendor \(parts[0]) is not valid") }
      }
      if kind == .trust, text != "*", parts[0].lowercased() != "sts" {
        throw MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
      }
      patterns.append(Pattern(text).lowercased())
    }
    return patterns
  }

  private func resources(_ fields: [String: JSONValue], _ variables: Bool) throws(MalformedPolicy) -> [ARNPattern]? {
    guard let value = try either("Resource", "NotResource", fields) else {
      switch kind {
      case .trust, .resourceImplied: return nil
      case .identity: throw MalformedPolicy("Policy statement must contain resources.")
      case .resource: throw MalformedPolicy("Missing required field Resource")
      }
    }
    if kind == .trust { throw MalformedPolicy("Has prohibited field Resource") }
    let texts = try strings(value)
    guard !texts.isEmpty else { throw MalformedPolicy("Policy statement must contain resources.") }
    for text in texts where text != "*" && !text.hasPrefix("arn:") {
      throw MalformedPolicy("Resource \(text) must be in ARN format or \"*\".")
    }
    return texts.map { ARNPattern($0, variables: variables) }
  }

  // MARK: Principals

  private func principals(_ fields: [String: JSONValue]) throws(MalformedPolicy) -> [PrincipalPattern]? {
    guard let value = try either("Principal", "NotPrincipal", fields) else {
      if kind == .identity { return nil }
      throw MalformedPolicy("Missing required field Principal")
    }
    if kind == .identity { throw MalformedPolicy("Policy document should not specify a principal.") }
    if case .string(let text) = value {
      guard text == "*" else { throw MalformedPolicy("Invalid principal in policy: \"STAR\":\"\(text)\"") }
      return [.everyone]
    }
    guard case .object(let members) = value, !members.isEmpty else {
      throw MalformedPolicy("Missing required field Principal cannot be empty!")
    }
    var patterns: [PrincipalPattern] = []
    for member in members {
      for text in try strings(member.value) {
        guard let pattern = principal(member.name, text) else {
          throw MalformedPolicy("Invalid principal in policy: \"\(member.name)\":\"\(text)\"")
        }
        patterns.append(pattern)
      }
    }
    return patterns
  }

  private func principal(_ type: String, _ text: String) -> PrincipalPattern? {
    guard !text.isEmpty else { return nil }
    switch type {
    case "AWS": return PrincipalPattern.aws(text)
    case "Service": return text.contains(".") && !text.contains("*") ? .service(text) : nil
    case "Federated": return .federated(text)
    case "CanonicalUser": return .canonicalUser(text)
    default: return nil
    }
  }

  // MARK: Conditions

  private func conditions(_ json: JSONValue, _ variables: Bool) throws(MalformedPolicy) -> [Condition] {
    guard case .object(let operators) = json else { throw Self.syntax }
    var conditions: [Condition] = []
    for entry in operators {
      guard case .object(let keys) = entry.value else { throw Self.syntax }
      guard Condition(operator: entry.name, key: "", values: [], variables: false) != nil else {
        throw MalformedPolicy("Invalid Condition type : \(entry.name)")
      }
      for key in keys {
        guard key.name.contains(":") else {
          throw MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        }
        guard
          let condition = Condition(
            operator: entry.name, key: key.name, values: try strings(key.value), variables: variables)
        else { throw Self.syntax }
        conditions.append(condition)
      }
    }
    return conditions
  }

  // MARK: Values

  private func either(
    _ name: String, _ negation: String, _ fields: [String: JSONValue]
  ) throws(MalformedPolicy) -> JSONValue? {
    guard fields[name] == nil || fields[negation] == nil else { throw Self.syntax }
    return fields[name] ?? fields[negation]
  }

  private func string(_ json: JSONValue) throws(MalformedPolicy) -> String {
    guard case .string(let text) = json else { throw Self.syntax }
    return text
  }

  /// One value or a list of them; numbers and booleans count by their text, as IAM takes them in conditions.
  private func strings(_ json: JSONValue) throws(MalformedPolicy) -> [String] {
    switch json {
    case .string(let text), .number(let text): return [text]
    case .bool(let flag): return [flag ? "true" : "false"]
    case .array(let items):
      var out: [String] = []
      for item in items {
        if case .array = item { throw Self.syntax }
        out += try strings(item)
      }
      return out
    case .null, .object: throw Self.syntax
    }
  }
}
