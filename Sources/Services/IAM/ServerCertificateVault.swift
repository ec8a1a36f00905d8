// Server certificates for the services that end TLS.

import AWSCore
import ServiceKit
import Store
import X509

extension IAMService: CertificateVault {
  public var certificateCollections: Set<String> { [ServerCertificateRecord.collection] }

  public func keyedCertificate(_ arn: String) async throws -> KeyedCertificate? {
    guard let parsed = ARN(arn), parsed.service == "iam", parsed.resource.hasPrefix("server-certificate/"),
      let name = parsed.resource.split(separator: "/").last
    else { return nil }
    let scope = Scope(account: parsed.account, region: "global")
    let found = try await store.read { try $0.list(ServerCertificateRecord.self, scope) }.first { $0.name == name }
    guard let found else { return nil }
    let key = try found.privateKey.open(store.sealer, context: ServerCertificateRecord.keyContext(found.id))
    // It was parsed when it was uploaded.
    let certificate = try Certificate(pemEncoded: found.body)
    var names: [String] = []
    if let alternatives = try? certificate.extensions.subjectAlternativeNames {
      for case .dnsName(let name) in alternatives { names.append(name) }
    }
    return KeyedCertificate(
      arn: arn, names: names, certificate: found.body, chain: found.chain,
      privateKey: String(decoding: key, as: UTF8.self), notAfter: found.expires, keyAlgorithm: "")
  }
}
