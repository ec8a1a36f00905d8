// DescribeCertificate, GetCertificate, ListCertificates, DeleteCertificate, tags.

import ACMModel
import AWSCore
import AWSWire
import FoundationEssentials
import ServiceKit
import Store

extension ACMService {
  func describeCertificate(
    _ input: ACM.DescribeCertificateRequest, _ call: CallContext
  ) async throws -> ACM.DescribeCertificateResponse {
    let found = try await certificate(input.certificateArn, call)
    let users = try await users(call)[found.arn] ?? []
    return .make { $0.certificate = Self.detail(found, users, call.now) }
  }

  private static func detail(
    _ found: CertificateRecord, _ users: [String], _ now: Timestamp
  ) -> ACM.CertificateDetail {
    .make {
      $0.certificateArn = found.arn
      $0.domainName = found.domain
      $0.subjectAlternativeNames = found.names
      $0.status = found.status(now)
      $0.type = found.isImported ? "IMPORTED" : "AMAZON_ISSUED"
      $0.createdAt = found.createdAt
      $0.importedAt = found.importedAt
      $0.issuedAt = found.issuedAt
      $0.revokedAt = found.revokedAt
      $0.revocationReason = found.revocationReason
      $0.keyAlgorithm = found.keyAlgorithm
      $0.inUseBy = users
      $0.renewalEligibility = eligibility(found, isUsed: !users.isEmpty)
      $0.options = .make {
        $0.certificateTransparencyLoggingPreference = found.transparency
        $0.export = found.export ?? "DISABLED"
      }
      if let contents = found.contents {
        $0.subject = contents.subject
        $0.issuer = contents.issuer
        $0.serial = contents.serial
        $0.notBefore = contents.notBefore
        $0.notAfter = contents.notAfter
        $0.signatureAlgorithm = contents.signatureAlgorithm
        $0.keyUsages = (contents.keyUsages ?? []).map { usage in .make { $0.name = usage } }
        $0.extendedKeyUsages = (contents.extendedKeyUsages ?? []).map { identifier in
          .make {
            $0.name = KeyUsages.extended(identifier)
            $0.oid = identifier
          }
        }
      } else {
        $0.subject = "CN=\(found.domain)"
        $0.issuer = "Amazon"
        $0.signatureAlgorithm = "SHA256WITHRSA"
      }
      $0.domainValidationOptions = validation(found, now)
      if let renewal = found.renewal {
        $0.renewalSummary = .make {
          $0.renewalStatus = renewal.status
          $0.updatedAt = renewal.updatedAt
          $0.domainValidationOptions = validation(found, now) ?? []
        }
      }
    }
  }

  static func eligibility(_ record: CertificateRecord, isUsed: Bool) -> String {
    let canRenew = record.isValidatedByDNS && record.contents != nil && record.revokedAt == nil
    return canRenew && (isUsed || record.isExported == true) ? "ELIGIBLE" : "INELIGIBLE"
  }

  private static func validation(_ found: CertificateRecord, _ now: Timestamp) -> [ACM.DomainValidation]? {
    let isPending = found.isPending(now)
    let isMail = found.method == "EMAIL"
    return found.proofs?.map { proof in
      .make {
        $0.domainName = proof.domain
        $0.validationDomain = proof.validationDomain
        $0.validationMethod = isMail ? "EMAIL" : "DNS"
        $0.validationStatus =
          found.contents != nil || proof.isProven == true ? "SUCCESS" : isPending ? "PENDING_VALIDATION" : "FAILED"
        if isMail {
          $0.validationEmails = Proofs.addresses(proof.validationDomain)
        } else {
          $0.resourceRecord = .make {
            $0.name = proof.name
            $0.type = "CNAME"
            $0.value = proof.value
          }
        }
      }
    }
  }

  func getCertificate(
    _ input: ACM.GetCertificateRequest, _ call: CallContext
  ) async throws -> ACM.GetCertificateResponse {
    let found = try await certificate(input.certificateArn, call)
    guard let contents = found.contents else { throw ACMError.inProgress(found.arn) }
    return .make {
      $0.certificate = contents.certificate
      $0.certificateChain = contents.chain
    }
  }

  func listCertificates(
    _ input: ACM.ListCertificatesRequest, _ call: CallContext
  ) async throws -> ACM.ListCertificatesResponse {
    let byTime = input.sortBy == "CREATED_AT"
    guard byTime == (input.sortOrder != nil) else {
      throw AWSError("InvalidArgsException", "SortBy and SortOrder are given together.")
    }
    let isDescending = input.sortOrder == "DESCENDING"
    let scope = call.scope
    let key: @Sendable (CertificateRecord) -> String = { record in
      guard byTime else { return record.arn }
      let time = String(record.createdAt.milliseconds)
      return String(repeating: "0", count: max(0, 15 - time.count)) + time + record.arn
    }
    var all = try await store.read { try $0.list(CertificateRecord.self, scope) }
      .filter { Self.matches($0, input, call.now) }.map { (key($0), $0) }
      .sorted { isDescending ? $0.0 > $1.0 : $0.0 < $1.0 }
    if let token = input.nextToken {
      guard let data = Data(base64Encoded: token) else {
        throw AWSError("InvalidArgsException", "The token is not valid.")
      }
      let last = String(decoding: data, as: UTF8.self)
      all = all.filter { isDescending ? $0.0 < last : $0.0 > last }
    }
    let limit = min(max(1, input.maxItems ?? ACMLimits.page), ACMLimits.page)
    let page = all.prefix(limit)
    let next = all.count > page.count ? page.last.map { Data($0.0.utf8).base64EncodedString() } : nil
    let users = page.isEmpty ? [:] : try await users(call)
    return .make {
      $0.certificateSummaryList = page.map { Self.summary($0.1, users[$0.1.arn] != nil, call.now) }
      $0.nextToken = next
    }
  }

  private static func matches(
    _ record: CertificateRecord, _ input: ACM.ListCertificatesRequest, _ now: Timestamp
  ) -> Bool {
    func holds(_ wanted: [String]?, _ has: [String]) -> Bool {
      guard let wanted, !wanted.isEmpty else { return true }
      return wanted.allSatisfy { has.contains($0) }
    }
    if let statuses = input.certificateStatuses, !statuses.isEmpty, !statuses.contains(record.status(now)) {
      return false
    }
    guard let filters = input.includes else { return true }
    if let types = filters.keyTypes, !types.isEmpty, !types.contains(record.keyAlgorithm ?? "") { return false }
    if let export = filters.exportOption, export != record.export ?? "DISABLED" { return false }
    // Nothing here is managed by another service.
    if filters.managedBy != nil { return false }
    let extended = (record.contents?.extendedKeyUsages ?? []).map(KeyUsages.extended)
    return holds(filters.keyUsage, record.contents?.keyUsages ?? []) && holds(filters.extendedKeyUsage, extended)
  }

  private static func summary(
    _ certificate: CertificateRecord, _ isUsed: Bool, _ now: Timestamp
  ) -> ACM.CertificateSummary {
    .make {
      $0.certificateArn = certificate.arn
      $0.domainName = certificate.domain
      $0.subjectAlternativeNameSummaries = certificate.names
      $0.hasAdditionalSubjectAlternativeNames = false
      $0.status = certificate.status(now)
      $0.type = certificate.isImported ? "IMPORTED" : "AMAZON_ISSUED"
      $0.keyAlgorithm = certificate.keyAlgorithm
      $0.keyUsages = certificate.contents?.keyUsages
      $0.extendedKeyUsages = certificate.contents?.extendedKeyUsages?.map(KeyUsages.extended)
      $0.inUse = isUsed
      $0.exported = certificate.isExported ?? false
      $0.exportOption = certificate.isImported ? nil : certificate.export ?? "DISABLED"
      $0.renewalEligibility = eligibility(certificate, isUsed: isUsed)
      $0.createdAt = certificate.createdAt
      $0.importedAt = certificate.importedAt
      $0.issuedAt = certificate.issuedAt
      $0.revokedAt = certificate.revokedAt
      $0.notBefore = certificate.contents?.notBefore
      $0.notAfter = certificate.contents?.notAfter
    }
  }

  func deleteCertificate(_ input: ACM.DeleteCertificateRequest, _ call: CallContext) async throws -> Empty {
    let found = try await certificate(input.certificateArn, call)
    guard try await users(call)[found.arn] == nil else { throw ACMError.inUse(found.arn, call.account) }
    let scope = call.scope
    try await store.write { tx in
      guard try tx.delete(CertificateRecord.self, scope, found.arn) else {
        throw ACMError.notFound(found.arn, call.account)
      }
    }
    return Empty()
  }

  // MARK: - Tags

  static func tags(_ tags: [ACM.Tag]) throws -> [String: String] {
    guard tags.count <= ACMLimits.tagsMax else { throw ACMError.tooManyTags }
    guard Set(tags.map(\.key)).count == tags.count else { throw ACMError.invalidTag }
    return Dictionary(tags.map { ($0.key, $0.value ?? "") }, uniquingKeysWith: { $1 })
  }

  func addTagsToCertificate(_ input: ACM.AddTagsToCertificateRequest, _ call: CallContext) async throws -> Empty {
    let new = try Self.tags(input.tags)
    try await change(input.certificateArn, call) {
      $0.tags.merge(new) { $1 }
      guard $0.tags.count <= ACMLimits.tagsMax else { throw ACMError.tooManyTags }
    }
    return Empty()
  }

  /// A tag that is given with a value is removed only when it has that value.
  func removeTagsFromCertificate(
    _ input: ACM.RemoveTagsFromCertificateRequest, _ call: CallContext
  ) async throws -> Empty {
    try await change(input.certificateArn, call) { record in
      for tag in input.tags where tag.value == nil || record.tags[tag.key] == tag.value { record.tags[tag.key] = nil }
    }
    return Empty()
  }

  func listTagsForCertificate(
    _ input: ACM.ListTagsForCertificateRequest, _ call: CallContext
  ) async throws -> ACM.ListTagsForCertificateResponse {
    let found = try await certificate(input.certificateArn, call)
    return .make {
      $0.tags = found.tags.sorted { $0.key < $1.key }.map { key, value in
        .make {
          $0.key = key
          $0.value = value
        }
      }
    }
  }
}
