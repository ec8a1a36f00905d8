// `{{resolve:…}}`: values that CloudFormation fetches from elsewhere while it makes a resource.

/// A dynamic reference found in an evaluated value. Finding and substituting are done here; fetching is the caller's.
/// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
public struct DynamicReference: Sendable, Hashable {
  public enum Target: Sendable, Hashable {
    /// `secretId` is a name or an ARN. Without `jsonKey` the whole SecretString is meant; without stage and version,
    /// `AWSCURRENT`.
    case secret(secretId: String, jsonKey: String?, versionStage: String?, versionId: String?)
    /// A Systems Manager parameter (`ssm`, or `ssm-secure` when `isSecure`).
    case parameter(name: String, version: Int?, isSecure: Bool)
  }

  public let target: Target
  /// The reference as it stands in the text, braces included.
  public let text: String

  /// Every distinct reference in a value, in order.
  /// - Throws: for a reference whose form is wrong.
  public static func all(in value: TemplateValue) throws(TemplateError) -> [DynamicReference] {
    var found: [DynamicReference] = []
    try visit(value) { (text) throws(TemplateError) in
      for range in ranges(in: text) {
        let reference = try DynamicReference(String(text[range]))
        if !found.contains(reference) { found.append(reference) }
      }
    }
    return found
  }

  private static func visit(
    _ value: TemplateValue, _ body: (String) throws(TemplateError) -> Void
  ) throws(TemplateError) {
    switch value {
    case .string(let text): try body(text)
    case .list(let items): for item in items { try visit(item, body) }
    case .map(let map): for entry in map { try visit(entry.value, body) }
    case .null, .bool, .number: break
    }
  }

  private static let opening = "{{resolve:"

  static func ranges(in text: String) -> [Range<String.Index>] {
    var ranges: [Range<String.Index>] = []
    var rest = text[...]
    while let start = rest.firstRange(of: opening), let end = rest[start.upperBound...].firstRange(of: "}}") {
      ranges.append(start.lowerBound..<end.upperBound)
      rest = rest[end.upperBound...]
    }
    return ranges
  }

  init(_ text: String) throws(TemplateError) {
    self.text = text
    let fields = text.dropFirst(Self.opening.count).dropLast(2)
      .split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    func fault(_ why: String) -> TemplateError {
      .template("Incorrect format is used in the following dynamic reference: \(text) (\(why))")
    }
    guard let service = fields.first else { throw fault("the service is missing") }
    var rest = Array(fields.dropFirst())
    switch service {
    case "secretsmanager":
      // arn:aws:secretsmanager:us-east-1:123456789012:secret:name-AbCdEf
      let idLength = rest.first == "arn" ? 7 : 1
      guard rest.count >= idLength else { throw fault("the secret is missing") }
      let id = rest.prefix(idLength).joined(separator: ":")
      rest.removeFirst(idLength)
      guard !id.isEmpty, rest.count <= 4 else { throw fault("it has too many parts") }
      guard ["", "SecretString"].contains(rest.first ?? "") else { throw fault("only SecretString can be resolved") }
      func field(_ index: Int) -> String? {
        rest.indices.contains(index) && !rest[index].isEmpty ? rest[index] : nil
      }
      target = .secret(secretId: id, jsonKey: field(1), versionStage: field(2), versionId: field(3))
    case "ssm", "ssm-secure":
      guard (1...2).contains(rest.count), !rest[0].isEmpty else { throw fault("it needs a name") }
      let version = rest.count == 2 ? Int(rest[1]) : nil
      if rest.count == 2, version == nil { throw fault("the version is not a number") }
      target = .parameter(name: rest[0], version: version, isSecure: service == "ssm-secure")
    default:
      throw fault("the service must be secretsmanager, ssm or ssm-secure")
    }
  }
}

extension TemplateValue {
  /// The value with dynamic references replaced by what they stand for; those without an answer stay as they are.
  public func substituting(_ answers: [DynamicReference: String]) -> TemplateValue {
    switch self {
    case .string(let text):
      let byText = Dictionary(answers.map { ($0.key.text, $0.value) }, uniquingKeysWith: { first, _ in first })
      var out = ""
      var position = text.startIndex
      for range in DynamicReference.ranges(in: text) {
        out += text[position..<range.lowerBound]
        let reference = String(text[range])
        out += byText[reference] ?? reference
        position = range.upperBound
      }
      return .string(out + text[position...])
    case .list(let items): return .list(items.map { $0.substituting(answers) })
    case .map(let map): return .map(TemplateMap(map.map { ($0.key, $0.value.substituting(answers)) }))
    case .null, .bool, .number: return self
    }
  }
}
