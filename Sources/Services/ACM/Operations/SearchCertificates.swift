// SearchCertificates: filters with and, or and not, an order, and pages.

import ACMModel
import AWSCore
import AWSWire
import ServiceKit
import Store
import X509

extension ACMService {
  func searchCertificates(
    _ input: ACM.SearchCertificatesRequest, _ call: CallContext
  ) async throws -> ACM.SearchCertificatesResponse {
    let query = try input.filterStatement.map { try CertificateQuery($0) }
    let scope = call.scope
    let records = try await store.read { try $0.list(CertificateRecord.self, scope) }
    let users = records.isEmpty ? [:] : try await users(call)
    let found = records.map { CertificateFacts($0, isUsed: users[$0.arn] != nil, now: call.now) }
      .filter { query?.holds($0) ?? true }
    let order = SearchOrder(by: input.sortBy, input.sortOrder)
    let invalid = ACMError.validation("The NextToken is not one that was given for this order.")
    if let token = input.nextToken, PageToken.read(token).map(order.isPlace) != true { throw invalid }
    let ordered = found.map { (order.place($0), $0) }.sorted { order.isDescending ? $0.0 > $1.0 : $0.0 < $1.0 }
    let page = try Page(
      ordered, after: input.nextToken, limit: input.maxResults ?? ACMLimits.searchPage,
      isDescending: order.isDescending, place: \.0, invalid: invalid)
    return .make {
      $0.results = page.items.map { Self.result($0.1) }
      $0.nextToken = page.next
    }
  }

  private static func result(_ facts: CertificateFacts) -> ACM.CertificateSearchResult {
    .make {
      $0.certificateArn = facts.record.arn
      $0.x509Attributes = attributes(facts)
      $0.certificateMetadata = .make { $0.acmCertificateMetadata = metadata(facts) }
    }
  }

  /// Of a request that is not issued, what it asked for.
  private static func attributes(_ facts: CertificateFacts) -> ACM.X509Attributes {
    .make {
      $0.keyAlgorithm = facts.record.keyAlgorithm
      $0.keyUsages = facts.keyUsages
      $0.extendedKeyUsages = facts.extendedKeyUsages
      if let contents = facts.record.contents {
        $0.serialNumber = contents.serial
        $0.notBefore = contents.notBefore
        $0.notAfter = contents.notAfter
      }
      if let parsed = facts.parsed {
        $0.issuer = X509Names.distinguished(parsed.issuer)
        $0.subject = X509Names.distinguished(parsed.subject)
        let alternatives = try? parsed.extensions.subjectAlternativeNames
        $0.subjectAlternativeNames = (alternatives.map(Array.init) ?? []).compactMap(X509Names.general)
      } else {
        $0.subject = .make { $0.commonName = facts.record.domain }
        $0.subjectAlternativeNames = facts.record.names.map { name in .make { $0.dnsName = name } }
      }
    }
  }

  private static func metadata(_ facts: CertificateFacts) -> ACM.AcmCertificateMetadata {
    .make {
      $0.createdAt = facts.record.createdAt
      $0.importedAt = facts.record.importedAt
      $0.issuedAt = facts.record.issuedAt
      $0.revokedAt = facts.record.revokedAt
      $0.status = facts.status
      $0.type = facts.type
      $0.inUse = facts.isUsed
      $0.exported = facts.isExported
      $0.exportOption = facts.exportOption
      $0.renewalEligibility = facts.renewalEligibility
      $0.renewalStatus = facts.renewalStatus
      $0.validationMethod = facts.validationMethod
    }
  }
}

/// The order in which certificates are told.
private struct SearchOrder {
  let field: String
  let isDescending: Bool

  /// By the time of the request when nothing else is asked for; ascending.
  init(by field: String?, _ order: String?) {
    self.field = field ?? "CREATED_AT"
    isDescending = order == "DESCENDING"
  }

  /// The order is part of the place: a token of one order is none of another.
  private var name: String { "\(field) \(isDescending ? "DESCENDING" : "ASCENDING")\n" }

  func isPlace(_ text: String) -> Bool { text.hasPrefix(name) }

  /// Unique. What has no value comes behind what has one, the other way round when descending.
  func place(_ facts: CertificateFacts) -> String {
    "\(name)\(value(facts).map { "0\($0)" } ?? "1")\n\(facts.record.arn)"
  }

  private func value(_ facts: CertificateFacts) -> String? {
    let record = facts.record
    switch field {
    case "CREATED_AT": return text(record.createdAt)
    case "IMPORTED_AT": return record.importedAt.map(text)
    case "ISSUED_AT": return record.issuedAt.map(text)
    case "REVOKED_AT": return record.revokedAt.map(text)
    case "NOT_BEFORE": return (record.contents?.notBefore).map(text)
    case "NOT_AFTER": return (record.contents?.notAfter).map(text)
    case "STATUS": return facts.status
    case "RENEWAL_STATUS": return facts.renewalStatus
    case "RENEWAL_ELIGIBILITY": return facts.renewalEligibility
    case "EXPORTED": return facts.isExported ? "1" : "0"
    case "IN_USE": return facts.isUsed ? "1" : "0"
    case "KEY_ALGORITHM": return record.keyAlgorithm
    case "TYPE": return facts.type
    case "COMMON_NAME": return facts.commonName?.lowercased()
    case "EXPORT_OPTION": return facts.exportOption
    case "VALIDATION_METHOD": return facts.validationMethod
    // The ARN ends each place; nothing here is managed by another service.
    default: return nil
    }
  }

  /// Of one length, so that the order of texts is that of times. A certificate may be older than 1970.
  private func text(_ time: Timestamp) -> String {
    let digits = String(UInt64(bitPattern: time.milliseconds) ^ (1 << 63))
    return String(repeating: "0", count: 20 - digits.count) + digits
  }
}
