// AWS Certificate Manager: imported certificates, and requests that wait for their validation.

import ACMModel
import AWSCore
import AWSWire
import ServiceKit
import Store

/// ACM.
public struct ACMService: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public static var collections: [any Record.Type] { [CertificateRecord.self] }

  public var resourceProviders: [ResourceProvider] { [certificateProvider] }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(ACM.requestCertificate, requestCertificate)
    table.on(
      ACM.importCertificate, access: { input, _ in [ResourceAccess(input.certificateArn ?? "*")] }, importCertificate)
    table.on(
      ACM.describeCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, describeCertificate)
    table.on(ACM.getCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, getCertificate)
    table.on(ACM.deleteCertificate, access: { input, _ in [ResourceAccess(input.certificateArn)] }, deleteCertificate)
    table.on(ACM.listCertificates, listCertificates)
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

  /// A request that is validated by DNS would wait for ever: the DNS server and the validation are not built.
  private var certificateProvider: ResourceProvider {
    ResourceProvider(
      "AWS::CertificateManager::Certificate",
      create: { _, _ in
        throw AWSError.notImplemented(
          "validation of requested certificates (AWS::CertificateManager::Certificate); import one instead")
      }, delete: { _, _, _ in })
  }
}
