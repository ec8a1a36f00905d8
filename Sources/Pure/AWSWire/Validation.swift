// Checks an input against the constraints of its service's model, before a handler sees it, in AWS's own words.

import AWSCore

/// Checks inputs against the constraints of the API models.
public enum Validation {
  /// A constraint that an input breaks.
  struct Finding {
    enum Kind { case missing, tooSmall, tooLarge, other }
    var kind: Kind
    /// The member as it is called in the model, of a nested one the whole path.
    var path: String
    var member: Member?
    /// As AWS words it: `Value 'x' at 'name' failed to satisfy constraint: …`.
    var text: String
    /// The value's text; empty where it is sensitive.
    var shown: String
    var limit: String = ""
    /// Whether it lies below the input itself.
    var isNested: Bool
  }

  /// At most so many findings are told, as AWS does.
  private static let maximumFindings = 10
  /// A longer value is cut where it is told back.
  private static let maximumShown = 1000

  /// Checks an input: required members, lengths, ranges, patterns, and enumerations (not for EC2 and S3, whose services
  /// have errors of their own for those). Absent idempotency tokens and streaming members are never missed; sensitive
  /// values are never told back.
  /// - Throws: the first error in the words of the protocol's services: `ValidationException` on JSON and CBOR,
  ///   `ValidationError` on query, `MissingParameter` and `InvalidParameterValue` on EC2, `MalformedXML` and
  ///   `InvalidArgument` on S3, `InvalidInput` on Route 53.
  public static func check(
    _ input: StructureValue, operation: OperationModel, model: ServiceModel, wireProtocol: WireProtocol
  ) throws(AWSError) {
    let shapes = model.shapes
    guard let index = operation.input, case .structure(let members) = shapes[index].kind else { return }
    let isS3 = model.header.endpointPrefix == "s3"
    var walk = Walk(model: model, shapes: shapes, checksEnumerations: !isS3 && wireProtocol != .ec2)
    walk.structure(input, members, path: "", isSensitive: shapes[index].isSensitive)
    guard let first = walk.findings.first else { return }
    if isS3 { throw s3(first, shapes[index]) }
    if wireProtocol == .ec2 { throw ec2(first) }
    let count = walk.findings.count
    let message =
      "\(count) validation error\(count == 1 ? "" : "s") detected: "
      + walk.findings.map(\.text).joined(separator: "; ")
    switch wireProtocol {
    case .restXML: throw AWSError("InvalidInput", message)
    case .query: throw AWSError("ValidationError", message)
    case .json, .cbor, .restJSON, .ec2:
      throw AWSError(model.header.awsQueryCompatible ? "ValidationError" : "ValidationException", message)
    }
  }

  private static func ec2(_ finding: Finding) -> AWSError {
    switch finding.kind {
    case .missing:
      return AWSError("MissingParameter", "The request must contain the parameter \(finding.path)")
    case .tooSmall:
      return AWSError(
        "InvalidParameterValue",
        "Value ( \(finding.shown) ) for parameter \(finding.path) is invalid. Expecting a value greater than \(finding.limit)."
      )
    case .tooLarge:
      return AWSError(
        "InvalidParameterValue",
        "Value ( \(finding.shown) ) for parameter \(finding.path) is invalid. Expecting a value less than \(finding.limit)."
      )
    case .other:
      return AWSError(
        "InvalidParameterValue", "Value (\(finding.shown)) for parameter \(finding.path) is invalid. Invalid format.")
    }
  }

  private static func s3(_ finding: Finding, _ input: Shape) -> AWSError {
    if finding.isNested || finding.member?.location == .body && finding.member?.name != input.payload {
      return AWSError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
    }
    if finding.kind == .missing, finding.member?.name == input.payload {
      return AWSError("MissingRequestBodyError", "Request Body is empty")
    }
    let name = finding.member?.wireName ?? finding.path
    if finding.kind == .missing {
      return AWSError("InvalidRequest", "Missing required header for this request: \(name)")
    }
    return AWSError(
      "InvalidArgument", "Argument \(name) is not valid.",
      fields: finding.shown.isEmpty
        ? ["ArgumentName": name] : ["ArgumentName": name, "ArgumentValue": finding.shown])
  }

  /// The walk over a tree.
  private struct Walk {
    let model: ServiceModel
    let shapes: [Shape]
    let checksEnumerations: Bool
    var findings: [Finding] = []

    mutating func structure(_ value: StructureValue, _ members: [Member], path: String, isSensitive: Bool) {
      for index in members.indices {
        guard findings.count < maximumFindings else { return }
        let value = index < value.members.count ? value.members[index] : nil
        // Members are large values: only those that matter here are copied.
        guard value != nil || members[index].isRequired else { continue }
        let member = members[index]
        if let value {
          check(value, shapes[member.shape], path: joined(path, member.name), member, isSensitive)
        } else if !member.isIdempotencyToken, !member.isStreaming {
          let path = joined(path, member.name)
          findings.append(
            Finding(
              kind: .missing, path: path, member: member,
              text:
                "Value null at '\(Validation.lowerFirst(path))' failed to satisfy constraint: Member must not be null",
              shown: "", isNested: path != member.name))
        }
      }
    }

    private func joined(_ path: String, _ name: String) -> String {
      path.isEmpty ? name : "\(path).\(Validation.lowerFirst(name))"
    }

    private mutating func check(
      _ value: WireValue, _ shape: Shape, path: String, _ member: Member?, _ outerSensitive: Bool
    ) {
      let isSensitive = outerSensitive || shape.isSensitive
      size(value, shape, path, member, isSensitive)
      switch (value, shape.kind) {
      case (.string(let text), _):
        if let pattern = shape.pattern, let compiled = model.compiled(pattern), !compiled.matches(text) {
          add(
            value, path, member, isSensitive, .other, "Member must satisfy regular expression pattern: \(pattern)", "")
        }
        if checksEnumerations, !shape.allowed.isEmpty, !shape.allowed.contains(text) {
          let set = shape.allowed.joined(separator: ", ")
          add(value, path, member, isSensitive, .other, "Member must satisfy enum value set: [\(set)]", "")
        }
      case (.structure(let inner), .structure(let members)):
        structure(inner, members, path: path, isSensitive: isSensitive)
      case (.list(let values), .list(let element)):
        for (index, value) in values.enumerated() {
          guard findings.count < maximumFindings else { return }
          check(value, shapes[element], path: "\(path).\(index + 1).member", nil, isSensitive)
        }
      case (.map(let entries), .map(let key, let element)):
        for entry in entries {
          guard findings.count < maximumFindings else { return }
          let shown = isSensitive || shapes[key].isSensitive ? "" : entry.key
          check(.string(entry.key), shapes[key], path: "\(path).key", nil, isSensitive)
          check(entry.value, shapes[element], path: "\(path).\(shown).member", nil, isSensitive)
        }
      default: break
      }
    }

    private mutating func size(
      _ value: WireValue, _ shape: Shape, _ path: String, _ member: Member?, _ isSensitive: Bool
    ) {
      guard shape.minimum != nil || shape.maximum != nil else { return }
      let size: Double
      let what: String
      switch value {
      case .string(let text):
        size = Double(text.unicodeScalars.count)
        what = "length"
      case .blob(let bytes):
        size = Double(bytes.count)
        what = "length"
      case .list(let values):
        size = Double(values.count)
        what = "length"
      case .map(let entries):
        size = Double(entries.count)
        what = "length"
      case .integer(let number):
        size = Double(number)
        what = "value"
      case .double(let number):
        size = number
        what = "value"
      default: return
      }
      if let minimum = shape.minimum, size < minimum {
        add(
          value, path, member, isSensitive, .tooSmall,
          "Member must have \(what) greater than or equal to \(number(minimum))", number(minimum))
      }
      if let maximum = shape.maximum, size > maximum {
        add(
          value, path, member, isSensitive, .tooLarge,
          "Member must have \(what) less than or equal to \(number(maximum))", number(maximum))
      }
    }

    private func number(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }

    private mutating func add(
      _ value: WireValue, _ path: String, _ member: Member?, _ isSensitive: Bool, _ kind: Finding.Kind,
      _ constraint: String, _ limit: String
    ) {
      let shown = isSensitive ? nil : shown(value)
      let at = Validation.lowerFirst(path)
      let text = "Value \(shown.map { "'\($0)' " } ?? "")at '\(at)' failed to satisfy constraint: \(constraint)"
      findings.append(
        Finding(
          kind: kind, path: path, member: member, text: text, shown: shown ?? "", limit: limit,
          isNested: member == nil || path != member?.name))
    }

    /// The value as AWS tells it back; nil where parts of it might be secret.
    private func shown(_ value: WireValue) -> String? {
      switch value {
      case .string(let text): return text.count > maximumShown ? String(text.prefix(maximumShown)) + "..." : text
      case .integer, .double, .boolean, .timestamp: return ScalarText.write(value, format: .iso8601)
      case .list(let values): return values.isEmpty ? "[]" : nil
      case .map(let entries): return entries.isEmpty ? "{}" : nil
      case .blob, .structure: return nil
      }
    }
  }

  static func lowerFirst(_ name: String) -> String { name.prefix(1).lowercased() + name.dropFirst() }
}
