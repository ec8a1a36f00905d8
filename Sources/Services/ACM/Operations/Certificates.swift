// DescribeCertificate, GetCertificate, ListCertificates, DeleteCertificate, tags.

import ACMModel
import AWSCore
import AWSWire
import FoundationEssentials
import ServiceKit
import Store

extension ACMService {
  /// - Throws: `InvalidArnException`, `ResourceNotFoundException`.
  private func certificate(_ arn: String, _ call: CallContext) async throws -> CertificateRecord {
    guard let parsed = ARN(arn), parsed.service == "acm", parsed.resource.hasPrefix("certificate/") else {
      throw ACMError.invalidARN(arn)
    }
    guard let found = try await store.get(CertificateRecord.self, call.scope, arn) else {
      throw ACMError.notFound(arn, call.account)
    }
    return found
  }

  func describeCertificate(
    _ input: ACM.DescribeCertificateRequest, _ call: CallContext
  ) async throws -> ACM.DescribeCertificateResponse {
    let found = try await certificate(input.certificateArn, call)
    let status = found.status(call.now)
    return .make {
      $0.certificate = .make {
        $0.certificateArn = found.arn
        $0.domainName = found.domain
        $0.subjectAlternativeNames = found.names
        $0.status = status
        $0.type = found.isImported ? "IMPORTED" : "AMAZON_ISSUED"
        $0.createdAt = found.createdAt
        $0.importedAt = found.importedAt
        $0.keyAlgorithm = found.keyAlgorithm
        $0.inUseBy = []
        $0.renewalEligibility = "INELIGIBLE"
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
        } else {
          $0.subject = "CN=\(found.domain)"
          $0.issuer = "Amazon"
          $0.signatureAlgorithm = "SHA256WITHRSA"
          $0.domainValidationOptions = found.proofs?.map { proof in
            .make {
              $0.domainName = proof.domain
              $0.validationDomain = proof.validationDomain
              $0.validationMethod = "DNS"
              $0.validationStatus = status == "PENDING_VALIDATION" ? "PENDING_VALIDATION" : "FAILED"
              $0.resourceRecord = .make {
                $0.name = proof.name
                $0.type = "CNAME"
                $0.value = proof.value
              }
            }
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
    if input.includes?.keyUsage != nil || input.includes?.extendedKeyUsage != nil {
      throw AWSError.notImplemented("ListCertificates by key usage")
    }
    let scope = call.scope
    let types = input.includes?.keyTypes ?? []
    let all = try await store.read { try $0.list(CertificateRecord.self, scope) }.filter { certificate in
      (input.certificateStatuses.map { $0.isEmpty || $0.contains(certificate.status(call.now)) } ?? true)
        && (types.isEmpty || types.contains(certificate.keyAlgorithm ?? ""))
    }
    let limit = min(max(1, input.maxItems ?? ACMLimits.page), ACMLimits.page)
    var rest = all[...]
    if let token = input.nextToken {
      guard let data = Data(base64Encoded: token) else {
        throw AWSError("InvalidArgsException", "The token is not valid.")
      }
      let last = String(decoding: data, as: UTF8.self)
      rest = all.drop { $0.arn <= last }
    }
    let page = Array(rest.prefix(limit))
    let hasMore = rest.count > page.count
    return .make {
      $0.certificateSummaryList = page.map { Self.summary($0, call.now) }
      $0.nextToken = hasMore ? page.last.map { Data($0.arn.utf8).base64EncodedString() } : nil
    }
  }

  private static func summary(_ certificate: CertificateRecord, _ now: Timestamp) -> ACM.CertificateSummary {
    .make {
      $0.certificateArn = certificate.arn
      $0.domainName = certificate.domain
      $0.subjectAlternativeNameSummaries = certificate.names
      $0.hasAdditionalSubjectAlternativeNames = false
      $0.status = certificate.status(now)
      $0.type = certificate.isImported ? "IMPORTED" : "AMAZON_ISSUED"
      $0.keyAlgorithm = certificate.keyAlgorithm
      $0.inUse = false
      $0.renewalEligibility = "INELIGIBLE"
      $0.createdAt = certificate.createdAt
      $0.importedAt = certificate.importedAt
      $0.notBefore = certificate.contents?.notBefore
      $0.notAfter = certificate.contents?.notAfter
    }
  }

  func deleteCertificate(_ input: ACM.DeleteCertificateRequest, _ call: CallContext) async throws -> Empty {
    let found = try await certificate(input.certificateArn, call)
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

  private func change(
    _ arn: String, _ call: CallContext, _ body: @escaping @Sendable (inout [String: String]) throws -> Void
  ) async throws {
    let found = try await certificate(arn, call)
    let scope = call.scope
    try await store.write { tx in
      guard var certificate = try tx.get(CertificateRecord.self, scope, found.arn) else {
        throw ACMError.notFound(found.arn, call.account)
      }
      try body(&certificate.tags)
      try tx.put(certificate, scope)
    }
  }

  func addTagsToCertificate(_ input: ACM.AddTagsToCertificateRequest, _ call: CallContext) async throws -> Empty {
    let new = try Self.tags(input.tags)
    try await change(input.certificateArn, call) {
      $0.merge(new) { $1 }
      guard $0.count <= ACMLimits.tagsMax else { throw ACMError.tooManyTags }
    }
    return Empty()
  }

  /// A tag that is given with a value is removed only when it has that value.
  func removeTagsFromCertificate(
    _ input: ACM.RemoveTagsFromCertificateRequest, _ call: CallContext
  ) async throws -> Empty {
    try await change(input.certificateArn, call) { tags in
      for tag in input.tags where tag.value == nil || tags[tag.key] == tag.value { tags[tag.key] = nil }
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
