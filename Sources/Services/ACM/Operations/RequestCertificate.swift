// RequestCertificate and ImportCertificate.

import ACMModel
import AWSCore
import AWSWire
import ServiceKit
import Store

extension ACMService {
  func requestCertificate(
    _ input: ACM.RequestCertificateRequest, _ call: CallContext
  ) async throws -> ACM.RequestCertificateResponse {
    if input.certificateAuthorityArn != nil { throw AWSError.notImplemented("certificates of a private authority") }
    if let manager = input.managedBy { throw AWSError.notImplemented("certificates managed by \(manager)") }
    let method = input.validationMethod ?? "EMAIL"
    guard method != "HTTP" else {
      throw ACMError.invalidParameter("HTTP validation is only for certificates that CloudFront manages.")
    }
    let algorithm = input.keyAlgorithm ?? "RSA_2048"
    guard ACMLimits.keyAlgorithms.contains(algorithm) else {
      throw ACMError.validation(
        "The key algorithm \(algorithm) is not supported; it must be one of \(ACMLimits.keyAlgorithms).")
    }
    var names = [input.domainName]
    for name in input.subjectAlternativeNames ?? [] where !names.contains(name) { names.append(name) }
    guard names.count <= ACMLimits.namesMax else {
      throw AWSError("LimitExceededException", "A certificate can have at most \(ACMLimits.namesMax) names.")
    }
    for name in names where !Proofs.isDomain(name) {
      throw ACMError.validation("The domain name \(name) is not valid.")
    }
    var options: [String: String] = [:]
    for option in input.domainValidationOptions ?? [] {
      guard names.contains(option.domainName), Self.fits(option.domainName, option.validationDomain) else {
        throw ACMError.invalidDomainOptions("The validation domain of \(option.domainName) does not fit.")
      }
      options[option.domainName] = option.validationDomain
    }
    let tags = try Self.tags(input.tags ?? [])
    let arn = call.arn("acm", "certificate/\(call.ids.uuid())")
    let new = CertificateRecord(
      arn: arn, domain: input.domainName, names: names, createdAt: call.now, tags: tags,
      keyAlgorithm: algorithm,
      transparency: input.options?.certificateTransparencyLoggingPreference ?? "ENABLED", export: input.options?.export,
      method: method,
      proofs: names.map { Proofs.proof($0, validationDomain: options[$0], call.account) }, token: input.idempotencyToken
    )
    let scope = call.scope
    let kept = try await store.write { tx in
      if let token = new.token {
        let same = try tx.find(CertificateRecord.self, scope, index: "token", token).first {
          $0.domain == new.domain && $0.names == new.names
            && call.now < $0.createdAt.adding(seconds: ACMLimits.tokenSeconds)
        }
        if let same { return same.arn }
      }
      try Self.checkRoom(tx, scope)
      try tx.put(new, scope)
      return new.arn
    }
    return .make { $0.certificateArn = kept }
  }

  static func checkRoom(_ tx: Transaction, _ scope: Scope) throws {
    guard try tx.count(CertificateRecord.self, scope) < ACMLimits.certificatesMax else { throw ACMError.limitExceeded }
  }

  /// A validation domain is the name itself or one above it.
  static func fits(_ domain: String, _ validationDomain: String) -> Bool {
    domain == validationDomain || domain.hasSuffix("." + validationDomain)
  }

  func importCertificate(
    _ input: ACM.ImportCertificateRequest, _ call: CallContext
  ) async throws -> ACM.ImportCertificateResponse {
    let chain = input.certificateChain.map { String(decoding: $0.bytes, as: UTF8.self) }
    let (contents, names) = try CertificateReader.read(
      certificate: String(decoding: input.certificate.bytes, as: UTF8.self),
      key: String(decoding: input.privateKey.bytes, as: UTF8.self),
      chain: chain.flatMap { $0.isEmpty ? nil : $0 }, now: call.now)
    let tags = try Self.tags(input.tags ?? [])
    if input.certificateArn != nil, !tags.isEmpty {
      throw ACMError.invalidParameter("Tags are not permitted on reimport.")
    }
    let arn = input.certificateArn ?? call.arn("acm", "certificate/\(call.ids.uuid())")
    let key = try SealedBytes(input.privateKey.bytes, sealer: store.sealer, context: CertificateRecord.keyContext(arn))
    let scope = call.scope
    try await store.write { tx in
      var record: CertificateRecord
      if input.certificateArn != nil {
        guard let old = try tx.get(CertificateRecord.self, scope, arn) else {
          throw ACMError.notFound(arn, call.account)
        }
        guard old.isImported else {
          throw ACMError.validation("The certificate \(arn) was requested; only imported ones are imported again.")
        }
        record = old
      } else {
        try Self.checkRoom(tx, scope)
        record = CertificateRecord(
          arn: arn, domain: "", names: [], createdAt: call.now, tags: tags, transparency: "DISABLED")
      }
      record.domain = names.first ?? ""
      record.names = names
      record.keyAlgorithm = contents.keyAlgorithm
      record.contents = contents
      record.importedAt = call.now
      record.privateKey = key
      try tx.put(record, scope)
    }
    return .make { $0.certificateArn = arn }
  }
}
