// AWS Certificate Manager: certificates that are imported, and certificates that the castle's authority issues once
// their names are proven in Route 53.

import ACMModel
import AWSCore
import AWSWire
import Certificates
import ServiceKit
import Store

/// ACM.
public struct ACMService: AWSService {
  let environment: ServiceEnvironment
  let authority: CertificateAuthority
  var store: Store { environment.store }

  /// The service that looks into Route 53 and Elastic Load Balancing, as AWS's service-linked role does.
  static let servicePrincipal = "acm.amazonaws.com"

  /// - Parameter authority: signs what is issued.
  public init(_ environment: ServiceEnvironment, authority: CertificateAuthority) {
    self.environment = environment
    self.authority = authority
  }

  /// With an authority of its own in the castle's folder.
  public init(_ environment: ServiceEnvironment) {
    self.init(environment, authority: CertificateAuthority(directory: "\(environment.directory)/tls"))
  }

  public static var collections: [any Record.Type] { [CertificateRecord.self, AccountRecord.self] }

  public var resourceProviders: [ResourceProvider] { [certificateProvider, accountProvider] }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(ACM.requestCertificate, requestCertificate)
    table.on(
      ACM.importCertificate, access: { input, _ in [ResourceAccess(input.certificateArn ?? "*")] }, importCertificate)
    table.on(
      ACM.describeCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, describeCertificate)
    table.on(ACM.getCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, getCertificate)
    table.on(
      ACM.exportCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, exportCertificate)
    table.on(ACM.renewCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, renewCertificate)
    table.on(ACM.revokeCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, revokeCertificate)
    table.on(ACM.deleteCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, deleteCertificate)
    table.on(ACM.listCertificates, listCertificates)
    table.on(ACM.searchCertificates, searchCertificates)
    table.on(
      ACM.updateCertificateOptions, access: { input, _ in [ResourceAccess(input.certificateArn)] },
      updateCertificateOptions)
    table.on(
      ACM.resendValidationEmail, access: { input, _ in [ResourceAccess(input.certificateArn)] }, resendValidationEmail)
    table.on(ACM.getAccountConfiguration, getAccountConfiguration)
    table.on(ACM.putAccountConfiguration, putAccountConfiguration)
    table.on(
      ACM.addTagsToCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, addTagsToCertificate)
    table.on(
      ACM.removeTagsFromCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] },
      removeTagsFromCertificate)
    table.on(
      ACM.listTagsForCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, listTagsForCertificate
    )
    return [ServiceAPI(ACM.model, actionPrefix: "acm", table)]
  }

  /// Issues and renews until the task is cancelled.
  public func run() async throws {
    let changes = store.changes(in: [CertificateRecord.collection, "route53.recordset", "route53.zone"])
    let issuer = Issuer(self)
    try await runByCalendar(clock: environment.clock, changes: changes) { try await issuer.settle() }
  }

  // MARK: - Shared

  /// - Throws: `InvalidArnException`, `ResourceNotFoundException`.
  func certificate(_ arn: String, _ call: CallContext) async throws -> CertificateRecord {
    guard let parsed = ARN(arn), parsed.service == "acm", parsed.resource.hasPrefix("certificate/") else {
      throw ACMError.invalidARN(arn)
    }
    guard let found = try await store.get(CertificateRecord.self, call.scope, arn) else {
      throw ACMError.notFound(arn, call.account)
    }
    return found
  }

  /// Changes a certificate that is there.
  @discardableResult
  func change(
    _ arn: String, _ call: CallContext, _ body: @escaping @Sendable (inout CertificateRecord) throws -> Void
  ) async throws -> CertificateRecord {
    let found = try await certificate(arn, call)
    let scope = call.scope
    return try await store.write { tx in
      guard var certificate = try tx.get(CertificateRecord.self, scope, found.arn) else {
        throw ACMError.notFound(found.arn, call.account)
      }
      try body(&certificate)
      try tx.put(certificate, scope)
      return certificate
    }
  }
}

extension ACMService: CertificateVault {
  public var certificateCollections: Set<String> { [CertificateRecord.collection] }

  public func keyedCertificate(_ arn: String) async throws -> KeyedCertificate? {
    guard let parsed = ARN(arn), parsed.service == "acm" else { return nil }
    let scope = Scope(account: parsed.account, region: parsed.region)
    guard let found = try await store.get(CertificateRecord.self, scope, arn), let contents = found.contents,
      let sealed = found.privateKey
    else { return nil }
    let key = try sealed.open(store.sealer, context: CertificateRecord.keyContext(arn))
    return KeyedCertificate(
      arn: arn, names: found.names, certificate: contents.certificate, chain: contents.chain,
      privateKey: String(decoding: key, as: UTF8.self), notAfter: contents.notAfter,
      keyAlgorithm: contents.keyAlgorithm)
  }
}
