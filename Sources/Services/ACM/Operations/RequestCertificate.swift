// RequestCertificate and ImportCertificate.

import ACMModel
import AWSCore
import AWSWire
import Crypto
import FoundationEssentials
import ServiceKit
import Store

extension ACMService {
  func requestCertificate(
    _ input: ACM.RequestCertificateRequest, _ call: CallContext
  ) async throws -> ACM.RequestCertificateResponse {
    if input.certificateAuthorityArn != nil { throw AWSError.notImplemented("certificates of a private authority") }
    if input.managedBy != nil { throw AWSError.notImplemented("certificates managed by other services") }
    let method = input.validationMethod ?? "EMAIL"
    guard method == "DNS" else { throw AWSError.notImplemented("validation of certificates by \(method)") }
    var names = [input.domainName]
    for name in input.subjectAlternativeNames ?? [] where !names.contains(name) { names.append(name) }
    guard names.count <= ACMLimits.namesMax else {
      throw AWSError("LimitExceededException", "A certificate can have at most \(ACMLimits.namesMax) names.")
    }
    for name in names where !Self.isDomain(name) {
      throw ACMError.validation("The domain name \(name) is not valid.")
    }
    for option in input.domainValidationOptions ?? [] {
      guard names.contains(option.domainName),
        option.domainName == option.validationDomain || option.domainName.hasSuffix("." + option.validationDomain)
      else { throw ACMError.invalidDomainOptions("The validation domain of \(option.domainName) does not fit.") }
    }
    let tags = try Self.tags(input.tags ?? [])
    let arn = call.arn("acm", "certificate/\(call.ids.uuid())")
    let new = CertificateRecord(
      arn: arn, domain: input.domainName, names: names, createdAt: call.now, tags: tags,
      keyAlgorithm: input.keyAlgorithm ?? "RSA_2048",
      transparency: input.options?.certificateTransparencyLoggingPreference ?? "ENABLED", export: input.options?.export,
      proofs: names.map { Self.proof($0, call.account) }, token: input.idempotencyToken)
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

  /// The record that would prove a name: the same for one name of one account, and for the wildcard under it.
  private static func proof(_ name: String, _ account: String) -> CertificateRecord.Proof {
    let base = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
    let digest = hexadecimal(SHA256.hash(data: Data("\(account) \(base.lowercased())".utf8)))
    let halves = (digest.prefix(32), digest.suffix(32))
    let letters = digest.prefix(10).map { Character(UnicodeScalar(UInt8(ascii: "a") + UInt8($0.hexDigitValue ?? 0))) }
    return CertificateRecord.Proof(
      domain: name, validationDomain: base, name: "_\(halves.0).\(base).",
      value: "_\(halves.1).\(String(letters)).acm-validations.aws.")
  }

  private static func isDomain(_ name: String) -> Bool {
    let base = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
    let labels = base.split(separator: ".", omittingEmptySubsequences: false)
    return name.count <= 253 && labels.count >= 2
      && labels.allSatisfy { label in
        (1...63).contains(label.count) && label.first != "-" && label.last != "-"
          && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
      }
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
    let key = try SealedBytes(input.privateKey.bytes, sealer: store.sealer, context: "acm.certificate/\(arn)")
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
