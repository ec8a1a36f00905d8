// The Parameters section: declarations, and the rules for the values given to them.

/// One member of Parameters.
/// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
public struct TemplateParameter: Sendable {
  public let name: String
  /// `String`, `Number`, `CommaDelimitedList`, `List<Number>`, or an AWS-specific type such as `AWS::EC2::VPC::Id` or
  /// `List<AWS::EC2::Subnet::Id>`.
  public let type: String
  public let defaultValue: String?
  public let allowedValues: [String]?
  public let allowedPattern: String?
  public let constraintDescription: String?
  public let description: String?
  public let minLength: Int?
  public let maxLength: Int?
  public let minValue: Double?
  public let maxValue: Double?
  /// The value is masked (`****`) wherever it would be shown.
  public let noEcho: Bool
  public let location: SourceLocation

  /// Whether `Ref` of this parameter is a list.
  public var isList: Bool { type == "CommaDelimitedList" || type.hasPrefix("List<") }

  private static let awsTypes: Set<String> = [
    "AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id", "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id",
    "AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
  ]

  private static let members: Set<String> = [
    "Type", "Default", "AllowedValues", "AllowedPattern", "ConstraintDescription", "Description", "MinLength",
    "MaxLength", "MinValue", "MaxValue", "NoEcho",
  ]

  init(named entry: TemplateNode.Entry) throws(TemplateError) {
    let node = entry.value
    guard let entries = node.entries else { throw .format("unsupported structure.", at: node.location) }
    if let unknown = entries.first(where: { !Self.members.contains($0.key) }) {
      throw TemplateError("Invalid template parameter property '\(unknown.key)'", at: unknown.keyLocation)
    }
    guard let typeNode = node["Type"], let type = typeNode.scalarText else {
      throw .format("Every Parameters object must contain a Type member.", at: entry.keyLocation)
    }
    if type.hasPrefix("AWS::SSM::Parameter::") {
      throw .validation(
        "Parameter \(entry.key) has type \(type), but Systems Manager parameters are not provided here.",
        at: typeNode.location)
    }
    let element = type.hasPrefix("List<") && type.hasSuffix(">") ? String(type.dropFirst(5).dropLast()) : type
    let known =
      ["String", "Number", "CommaDelimitedList", "List<Number>", "List<String>"].contains(type)
      || Self.awsTypes.contains(element)
    guard known else { throw .format("Unrecognized parameter type: \(type)", at: typeNode.location) }

    func number(_ key: String) throws(TemplateError) -> Double? {
      guard let node = node[key] else { return nil }
      guard let text = node.scalarText, let number = Double(text) else {
        throw .format("Every \(key) value must be a number.", at: node.location)
      }
      return number
    }
    func length(_ key: String) throws(TemplateError) -> Int? {
      guard let number = try number(key) else { return nil }
      guard let length = Int(exactly: number), length >= 0 else {
        throw .format("Every \(key) value must be a non-negative integer.", at: node[key]?.location)
      }
      return length
    }
    name = entry.key
    self.type = type
    location = entry.keyLocation
    if let value = node["Default"] {
      guard let text = value.scalarText else {
        throw .format("Every Default member must be a string.", at: value.location)
      }
      defaultValue = text
    } else {
      defaultValue = nil
    }
    if let allowed = node["AllowedValues"] {
      guard let items = allowed.items else {
        throw .format("Every AllowedValues value must be a list.", at: allowed.location)
      }
      allowedValues = items.compactMap(\.scalarText)
    } else {
      allowedValues = nil
    }
    allowedPattern = node["AllowedPattern"]?.scalarText
    constraintDescription = node["ConstraintDescription"]?.scalarText
    description = node["Description"]?.scalarText
    minLength = try length("MinLength")
    maxLength = try length("MaxLength")
    minValue = try number("MinValue")
    maxValue = try number("MaxValue")
    noEcho = node["NoEcho"]?.scalarText?.lowercased() == "true"
  }

  /// The items of a list parameter's text: split at commas, white space around items dropped.
  public func items(of text: String) -> [String] {
    if text.isEmpty { return [] }
    return text.split(separator: ",", omittingEmptySubsequences: false).map { trimmed($0) }
  }

  private func trimmed(_ text: Substring) -> String {
    var text = text
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }

  /// Checks a value against the declaration.
  /// - Throws: CloudFormation's message, or the declaration's ConstraintDescription.
  public func check(_ text: String) throws(TemplateError) {
    func fail(_ rule: String) -> TemplateError {
      if let constraintDescription {
        return TemplateError("Parameter '\(name)' failed to satisfy constraint: \(constraintDescription)")
      }
      return TemplateError("Parameter '\(name)' \(rule)")
    }
    for item in isList ? items(of: text) : [text] {
      if let allowedValues, !allowedValues.contains(item) {
        throw fail("must be one of AllowedValues")
      }
      if let minLength, item.count < minLength {
        throw fail("must contain at least \(minLength) characters")
      }
      if let maxLength, item.count > maxLength {
        throw fail("must contain at most \(maxLength) characters")
      }
      if type == "Number" || type == "List<Number>" {
        guard let number = Double(item), number.isFinite else {
          throw TemplateError("Parameter '\(name)' must be a number")
        }
        if let minValue, number < minValue { throw fail("must be a number not less than \(plain(minValue))") }
        if let maxValue, number > maxValue { throw fail("must be a number not greater than \(plain(maxValue))") }
      }
      if let allowedPattern, type == "String" || type == "CommaDelimitedList" {
        guard let regex = try? Regex(allowedPattern) else {
          throw .format(
            "AllowedPattern of parameter \(name) is not a regular expression: \(allowedPattern)", at: location)
        }
        guard (try? regex.wholeMatch(in: item)) != nil else { throw fail("must match pattern \(allowedPattern)") }
      }
    }
  }

  private func plain(_ number: Double) -> String {
    Int(exactly: number).map { String($0) } ?? String(number)
  }
}

extension Template {
  /// The value of every parameter: those given, else the defaults, all checked.
  /// - Throws: for values of unknown parameters, missing values and values that break their declaration's rules.
  public func parameterValues(given: [String: String]) throws(TemplateError) -> [String: String] {
    let known = Set(parameters.map(\.name))
    let unknown = given.keys.filter { !known.contains($0) }.sorted()
    guard unknown.isEmpty else {
      throw TemplateError("Parameters: [\(unknown.joined(separator: ", "))] do not exist in the template")
    }
    let missing = parameters.filter { given[$0.name] == nil && $0.defaultValue == nil }.map(\.name)
    guard missing.isEmpty else {
      throw TemplateError("Parameters: [\(missing.joined(separator: ", "))] must have values")
    }
    var values: [String: String] = [:]
    for parameter in parameters {
      guard let value = given[parameter.name] ?? parameter.defaultValue else { continue }
      try parameter.check(value)
      values[parameter.name] = value
    }
    return values
  }
}
