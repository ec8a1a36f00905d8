// Which names a piece of a template refers to.

/// Something that a function call names.
enum TemplateReference: Hashable {
  /// `Ref`: a parameter, a pseudo parameter or a resource.
  case ref(String)
  /// `Fn::GetAtt`: a resource.
  case attribute(resource: String)
  /// `Fn::If` or `Condition`: a condition.
  case condition(String)
  /// `Fn::FindInMap`: a mapping.
  case mapping(String)

  /// The reference when it names something that may be a resource.
  var resourceName: String? {
    switch self {
    case .ref(let name), .attribute(let name): return name
    case .condition, .mapping: return nil
    }
  }
}

/// The pseudo parameters that `Ref` and `Fn::Sub` know.
/// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
let pseudoParameters: Set<String> = [
  "AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId",
  "AWS::StackName", "AWS::URLSuffix",
]

extension TemplateNode {
  /// Visits every reference in this node.
  /// - Parameter conditions: values of conditions; with them, only the branch of an `Fn::If` that counts is visited.
  func visitReferences(
    conditions: [String: Bool]? = nil, _ visit: (TemplateReference, SourceLocation) throws(TemplateError) -> Void
  ) throws(TemplateError) {
    if let call = functionCall {
      switch call.name {
      case "Ref":
        if let name = call.argument.scalarText { try visit(.ref(name), call.argument.location) }
        return
      case "Fn::GetAtt":
        let parts = call.argument.attributeParts
        if let resource = parts?.resource { try visit(.attribute(resource: resource), call.argument.location) }
        try parts?.attribute.visitReferences(conditions: conditions, visit)
        return
      case "Fn::Sub":
        try visitSub(call.argument, conditions: conditions, visit)
        return
      case "Fn::If":
        if let items = call.argument.items, items.count == 3, let name = items[0].scalarText {
          try visit(.condition(name), items[0].location)
          if let value = conditions?[name] {
            try items[value ? 1 : 2].visitReferences(conditions: conditions, visit)
            return
          }
        }
      case "Fn::FindInMap":
        if let name = call.argument.items?.first?.scalarText { try visit(.mapping(name), call.argument.location) }
      default: break
      }
    }
    switch kind {
    case .list(let items):
      for item in items { try item.visitReferences(conditions: conditions, visit) }
    case .map(let entries):
      for entry in entries { try entry.value.visitReferences(conditions: conditions, visit) }
    case .null, .bool, .number, .string: break
    }
  }

  private func visitSub(
    _ argument: TemplateNode, conditions: [String: Bool]?,
    _ visit: (TemplateReference, SourceLocation) throws(TemplateError) -> Void
  ) throws(TemplateError) {
    let text = argument.scalarText ?? argument.items?.first?.scalarText
    let variables = argument.items.flatMap { $0.count == 2 ? $0[1].entries : nil } ?? []
    for entry in variables { try entry.value.visitReferences(conditions: conditions, visit) }
    let own = Set(variables.map(\.key))
    for case .name(let name) in SubText.parts(of: text ?? "") where !own.contains(name) {
      if let dot = name.firstIndex(of: ".") {
        try visit(.attribute(resource: String(name[..<dot])), argument.location)
      } else {
        try visit(.ref(name), argument.location)
      }
    }
  }

  /// The two parts of `Fn::GetAtt`'s argument, which is a list of two or a dotted string.
  var attributeParts: (resource: String, attribute: TemplateNode)? {
    if let items {
      guard items.count >= 2, let resource = items[0].scalarText, !resource.isEmpty else { return nil }
      if items.count == 2 { return (resource, items[1]) }
      // `!GetAtt [A, B, C]` is `A.B.C`.
      let rest = items.dropFirst().compactMap(\.scalarText)
      guard rest.count == items.count - 1 else { return nil }
      return (resource, TemplateNode(.string(rest.joined(separator: ".")), at: location))
    }
    guard let text = scalarText, let dot = text.firstIndex(of: "."), dot != text.startIndex else { return nil }
    let attribute = String(text[text.index(after: dot)...])
    return (String(text[..<dot]), TemplateNode(.string(attribute), at: location))
  }
}

/// The text of `Fn::Sub` in its parts.
enum SubText {
  enum Part: Equatable {
    case text(String)
    /// The name inside `${…}`.
    case name(String)
  }

  /// Splits `a${B.C}d` into text and names; `${!B}` is the text `${B}`. An unclosed `${` is text.
  static func parts(of text: String) -> [Part] {
    var parts: [Part] = []
    var rest = Substring(text)
    var literal = ""
    while let dollar = rest.firstIndex(of: "$") {
      literal += rest[..<dollar]
      let after = rest.index(after: dollar)
      guard after < rest.endIndex, rest[after] == "{", let close = rest[after...].firstIndex(of: "}") else {
        literal += "$"
        rest = rest[after...]
        continue
      }
      let name = rest[rest.index(after: after)..<close]
      if name.first == "!" {
        literal += "${\(name.dropFirst())}"
      } else {
        if !literal.isEmpty { parts.append(.text(literal)) }
        literal = ""
        parts.append(.name(name.filter { !$0.isWhitespace }))
      }
      rest = rest[rest.index(after: close)...]
    }
    literal += rest
    if !literal.isEmpty { parts.append(.text(literal)) }
    return parts
  }
}
