// Filter statements of SearchCertificates: checked, then asked of one certificate after the other.

import ACMModel
import AWSCore

/// A filter statement that has been checked.
indirect enum CertificateQuery {
  case all([CertificateQuery])
  case any([CertificateQuery])
  case not(CertificateQuery)
  case filter((CertificateFacts) -> Bool)

  func holds(_ facts: CertificateFacts) -> Bool {
    switch self {
    case .all(let parts): parts.allSatisfy { $0.holds(facts) }
    case .any(let parts): parts.contains { $0.holds(facts) }
    case .not(let part): !part.holds(facts)
    case .filter(let test): test(facts)
    }
  }

  /// - Parameter path: where the statement is in the request.
  /// - Throws: `ValidationException`, with the place: each of these shapes is a union, of which one member is given. The
  ///   model has checked lengths, patterns and words before.
  init(_ statement: ACM.CertificateFilterStatement, at path: String = "filterStatement") throws {
    try Self.checkOne(
      path,
      [
        "And": statement.and != nil, "Filter": statement.filter != nil, "Not": statement.not != nil,
        "Or": statement.or != nil,
      ])
    if let parts = statement.and {
      self = .all(try Self.list(parts, at: "\(path).and"))
    } else if let parts = statement.or {
      self = .any(try Self.list(parts, at: "\(path).or"))
    } else if let part = statement.not {
      self = .not(try CertificateQuery(part.value, at: "\(path).not"))
    } else {
      self = .filter(try Self.test(statement.filter ?? .init(), "\(path).filter"))
    }
  }

  private static func list(
    _ parts: [ACM.CertificateFilterStatement], at path: String
  ) throws -> [CertificateQuery] {
    try parts.enumerated().map { try CertificateQuery($1, at: "\(path).\($0 + 1).member") }
  }

  private static func checkOne(_ path: String, _ members: [String: Bool]) throws {
    guard members.values.count(where: { $0 }) != 1 else { return }
    throw invalid(path, "Member must have exactly one of [\(members.keys.sorted().joined(separator: ", "))]")
  }

  private static func invalid(_ path: String, _ constraint: String) -> AWSError {
    ACMError.validation("1 validation error detected: Value at '\(path)' failed to satisfy constraint: \(constraint)")
  }

  // MARK: - Filters

  private typealias Test = (CertificateFacts) -> Bool

  private static func test(_ filter: ACM.CertificateFilter, _ path: String) throws -> Test {
    try checkOne(
      path,
      [
        "AcmCertificateMetadataFilter": filter.acmCertificateMetadataFilter != nil,
        "CertificateArn": filter.certificateArn != nil, "X509AttributeFilter": filter.x509AttributeFilter != nil,
      ])
    if let arn = filter.certificateArn { return { $0.record.arn == arn } }
    if let attributes = filter.x509AttributeFilter { return try test(attributes, "\(path).x509AttributeFilter") }
    return try test(filter.acmCertificateMetadataFilter ?? .init(), "\(path).acmCertificateMetadataFilter")
  }

  private static func test(_ filter: ACM.X509AttributeFilter, _ path: String) throws -> Test {
    try checkOne(
      path,
      [
        "ExtendedKeyUsage": filter.extendedKeyUsage != nil, "KeyAlgorithm": filter.keyAlgorithm != nil,
        "KeyUsage": filter.keyUsage != nil, "NotAfter": filter.notAfter != nil, "NotBefore": filter.notBefore != nil,
        "SerialNumber": filter.serialNumber != nil, "Subject": filter.subject != nil,
        "SubjectAlternativeName": filter.subjectAlternativeName != nil,
      ])
    if let subject = filter.subject {
      guard let name = subject.commonName else {
        throw invalid("\(path).subject", "Member must have exactly one of [CommonName]")
      }
      let test = test(name.value, name.comparisonOperator)
      return { $0.commonName.map(test) ?? false }
    }
    if let alternative = filter.subjectAlternativeName {
      guard let name = alternative.dnsName else {
        throw invalid("\(path).subjectAlternativeName", "Member must have exactly one of [DnsName]")
      }
      let test = test(name.value, name.comparisonOperator)
      return { $0.record.names.contains(where: test) }
    }
    if let usage = filter.extendedKeyUsage { return { $0.extendedKeyUsages?.contains(usage) ?? false } }
    if let usage = filter.keyUsage { return { $0.keyUsages?.contains(usage) ?? false } }
    if let algorithm = filter.keyAlgorithm { return { $0.record.keyAlgorithm == algorithm } }
    if let serial = filter.serialNumber { return { $0.record.contents?.serial == serial } }
    if let range = filter.notAfter {
      let test = try test(range, "\(path).notAfter")
      return { $0.record.contents.map { test($0.notAfter) } ?? false }
    }
    let test = try test(filter.notBefore ?? .init(), "\(path).notBefore")
    return { $0.record.contents.map { test($0.notBefore) } ?? false }
  }

  /// Names are the same in any case.
  private static func test(_ value: String, _ comparison: String) -> (String) -> Bool {
    let wanted = value.lowercased()
    return comparison == "CONTAINS" ? { $0.lowercased().contains(wanted) } : { $0.lowercased() == wanted }
  }

  /// Both ends belong to it; one of them may be left out.
  private static func test(_ range: ACM.TimestampRange, _ path: String) throws -> (Timestamp) -> Bool {
    guard range.start != nil || range.end != nil else {
      throw invalid(path, "Member must have at least one of [Start, End]")
    }
    let (start, end) = (range.start, range.end)
    if let start, let end, end < start { throw invalid(path, "Start must not be after End") }
    return { time in start.map { $0 <= time } ?? true && end.map { time <= $0 } ?? true }
  }

  private static func test(_ filter: ACM.AcmCertificateMetadataFilter, _ path: String) throws -> Test {
    try checkOne(
      path,
      [
        "ExportOption": filter.exportOption != nil, "Exported": filter.exported != nil, "InUse": filter.inUse != nil,
        "ManagedBy": filter.managedBy != nil, "RenewalStatus": filter.renewalStatus != nil,
        "Status": filter.status != nil, "Type": filter.type != nil,
        "ValidationMethod": filter.validationMethod != nil,
      ])
    if let status = filter.status { return { $0.status == status } }
    if let status = filter.renewalStatus { return { $0.renewalStatus == status } }
    if let type = filter.type { return { $0.type == type } }
    if let isUsed = filter.inUse { return { $0.isUsed == isUsed } }
    if let isExported = filter.exported { return { $0.isExported == isExported } }
    if let option = filter.exportOption { return { $0.exportOption == option } }
    if let method = filter.validationMethod { return { $0.validationMethod == method } }
    // Nothing here is managed by another service.
    return { _ in false }
  }
}
