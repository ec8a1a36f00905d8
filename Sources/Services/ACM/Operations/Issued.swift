// What is done with certificates that are there: export, renewal, revocation, options, the account's settings.

import ACMModel
import AWSCore
import AWSWire
import Certificates
import ServiceKit
import Store

extension ACMService {
  /// The certificate with its key under a passphrase: the only way in which a key leaves.
  func exportCertificate(
    _ input: ACM.ExportCertificateRequest, _ call: CallContext
  ) async throws -> ACM.ExportCertificateResponse {
    let found = try await certificate(input.certificateArn, call)
    guard let contents = found.contents, let sealed = found.privateKey, found.status(call.now) != "PENDING_VALIDATION"
    else { throw ACMError.inProgress(found.arn) }
    guard !found.isImported, found.export == "ENABLED" else {
      throw ACMError.validation("Certificate \(found.arn) is not a private certificate, and its export is not enabled.")
    }
    let passphrase = input.passphrase.bytes
    guard passphrase.count >= ACMLimits.passphraseMin else {
      throw ACMError.validation("The passphrase must have at least \(ACMLimits.passphraseMin) characters.")
    }
    let pem = try sealed.open(store.sealer, context: CertificateRecord.keyContext(found.arn))
    let key = try await CertificateKey.encrypted(
      CertificateKey.der(pem: String(decoding: pem, as: UTF8.self)), passphrase: Array(passphrase),
      salt: call.ids.randomBytes(16), iv: call.ids.randomBytes(16))
    try await change(found.arn, call) { $0.isExported = true }
    return .make {
      $0.certificate = contents.certificate
      $0.certificateChain = contents.chain
      $0.privateKey = key
    }
  }

  /// Renews at once what could be renewed at its end.
  func renewCertificate(_ input: ACM.RenewCertificateRequest, _ call: CallContext) async throws -> Empty {
    let found = try await certificate(input.certificateArn, call)
    guard found.contents != nil else { throw ACMError.inProgress(found.arn) }
    guard found.isValidatedByDNS, found.revokedAt == nil, try await isEligible(found, call) else {
      throw ACMError.validation("The certificate \(found.arn) is not eligible for renewal.")
    }
    try await prove(found, call)
    return Empty()
  }

  func revokeCertificate(
    _ input: ACM.RevokeCertificateRequest, _ call: CallContext
  ) async throws -> ACM.RevokeCertificateResponse {
    let found = try await certificate(input.certificateArn, call)
    guard found.contents != nil, !found.isImported, found.export == "ENABLED", found.revokedAt == nil else {
      throw AWSError("ConflictException", "Only issued certificates whose export is enabled can be revoked.")
    }
    guard try await users(call)[found.arn] == nil else { throw ACMError.inUse(found.arn, call.account) }
    try await change(found.arn, call) {
      $0.revokedAt = call.now
      $0.revocationReason = input.revocationReason
    }
    return .make { $0.certificateArn = found.arn }
  }

  func updateCertificateOptions(
    _ input: ACM.UpdateCertificateOptionsRequest, _ call: CallContext
  ) async throws -> Empty {
    try await change(input.certificateArn, call) { record in
      guard !record.isImported else {
        throw ACMError.invalidState("The options of an imported certificate cannot be changed.")
      }
      if let export = input.options.export, export != record.export ?? "DISABLED" {
        throw ACMError.validation("Whether a certificate can be exported is said when it is requested.")
      }
      if let logging = input.options.certificateTransparencyLoggingPreference { record.transparency = logging }
    }
    return Empty()
  }

  /// - Throws: always: 501 once everything else is right, for no mail is sent here.
  func resendValidationEmail(_ input: ACM.ResendValidationEmailRequest, _ call: CallContext) async throws -> Empty {
    let found = try await certificate(input.certificateArn, call)
    guard found.method == "EMAIL", found.isPending(call.now) else {
      throw ACMError.invalidState("The certificate \(found.arn) does not wait for validation by e-mail.")
    }
    guard
      found.proofs?.contains(where: { $0.domain == input.domain && Self.fits($0.domain, input.validationDomain) })
        == true
    else {
      throw ACMError.invalidDomainOptions(
        "The domain \(input.domain) with the validation domain \(input.validationDomain) is not in the request.")
    }
    throw AWSError.notImplemented("sending e-mail (validate by DNS instead)")
  }

  // MARK: - The account

  func getAccountConfiguration(_ input: Empty, _ call: CallContext) async throws -> ACM.GetAccountConfigurationResponse
  {
    let found = try await store.get(AccountRecord.self, call.scope, "account")
    return .make { $0.expiryEvents = .make { $0.daysBeforeExpiry = found?.daysBeforeExpiry ?? 45 } }
  }

  func putAccountConfiguration(_ input: ACM.PutAccountConfigurationRequest, _ call: CallContext) async throws -> Empty {
    let days = input.expiryEvents?.daysBeforeExpiry ?? 45
    guard (1...45).contains(days) else { throw ACMError.validation("DaysBeforeExpiry must be between 1 and 45.") }
    let scope = call.scope
    try await store.write { tx in
      let old = try tx.get(AccountRecord.self, scope, "account")
      if let old, old.token == input.idempotencyToken, old.daysBeforeExpiry != days {
        throw AWSError("ConflictException", "The idempotency token was used with other settings.")
      }
      try tx.put(AccountRecord(daysBeforeExpiry: days, token: input.idempotencyToken), scope)
    }
    return Empty()
  }
}
