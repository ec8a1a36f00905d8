// UploadServerCertificate, GetServerCertificate, ListServerCertificates, DeleteServerCertificate.

import AWSCore
import AWSWire
import FoundationEssentials
import IAMModel
import ServiceKit
import Store
import X509

extension IAMService {
  func addServerCertificateOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.uploadServerCertificate,
      access: creating(ServerCertificateRecord.self, tags: { $0.tags }) {
        ($0.serverCertificateName, path: $0.path)
      }, uploadServerCertificate)
    table.on(
      IAM.getServerCertificate, access: on(ServerCertificateRecord.self) { $0.serverCertificateName }
    ) { input, call in
      let record = try await store.read {
        try $0.require(ServerCertificateRecord.self, call.globalScope, input.serverCertificateName)
      }
      return .make {
        $0.serverCertificate = .make {
          $0.serverCertificateMetadata = record.shape(call.globalScope)
          $0.certificateBody = record.body
          $0.certificateChain = record.chain
          $0.tags = Names.list(record.tags)
        }
      }
    }
    table.on(IAM.listServerCertificates) { input, call in
      let all = try await store.read { try $0.list(ServerCertificateRecord.self, call.globalScope) }
      let page = try Page(
        all.filter { $0.path.hasPrefix(input.pathPrefix ?? "/") }, marker: input.marker, maxItems: input.maxItems,
        key: \.recordID)
      return .make {
        $0.serverCertificateMetadataList = page.items.map { $0.shape(call.globalScope) }
        $0.isTruncated = page.isTruncated
        $0.marker = page.marker
      }
    }
    table.on(
      IAM.deleteServerCertificate, access: on(ServerCertificateRecord.self) { $0.serverCertificateName }
    ) { input, call in
      try await store.write { tx in
        let record = try tx.require(
          ServerCertificateRecord.self, call.globalScope, input.serverCertificateName)
        try tx.delete(ServerCertificateRecord.self, call.globalScope, record.recordID)
      }
      return Empty()
    }
  }

  /// As IAM gives certificates back: without white space around them.
  private static func trimmed(_ pem: String) -> String {
    let blank: (Character) -> Bool = { $0.isWhitespace }
    return String(pem.drop(while: blank).reversed().drop(while: blank).reversed())
  }

  /// When the certificate ends.
  /// - Throws: MalformedCertificate, KeyPairMismatch.
  private static func expiration(_ input: IAM.UploadServerCertificateRequest) throws -> Timestamp {
    let certificate: Certificate
    do { certificate = try Certificate(pemEncoded: input.certificateBody) } catch {
      throw AWSError(
        "MalformedCertificate", "Unable to parse certificate. Please ensure the certificate is in PEM format.")
    }
    let key: Certificate.PrivateKey
    do { key = try Certificate.PrivateKey(pemEncoded: input.privateKey) } catch {
      throw AWSError("MalformedCertificate", "Unable to parse key. Please ensure the key is in PEM format.")
    }
    guard key.publicKey == certificate.publicKey else {
      throw AWSError("KeyPairMismatch", "Certificate and private key do not match.")
    }
    return Timestamp(seconds: certificate.notValidAfter.timeIntervalSince1970)
  }

  private func uploadServerCertificate(
    _ input: IAM.UploadServerCertificateRequest, _ call: CallContext
  ) async throws -> IAM.UploadServerCertificateResponse {
    try Names.check(input.serverCertificateName, "serverCertificateName", max: 128)
    let path = try Names.path(input.path)
    let tags = try Names.tags(input.tags)
    let expires = try Self.expiration(input)
    let scope = call.globalScope
    let id = call.ids.unique("ASCA")
    let key = try SealedBytes(
      Array(input.privateKey.utf8), sealer: store.sealer, context: ServerCertificateRecord.keyContext(id))
    let record = ServerCertificateRecord(
      name: input.serverCertificateName, path: path, id: id, created: call.now, expires: expires,
      body: Self.trimmed(input.certificateBody), chain: input.certificateChain.map(Self.trimmed), privateKey: key,
      tags: tags)
    try await store.write { tx in
      guard try tx.get(ServerCertificateRecord.self, scope, record.recordID) == nil else {
        throw AWSError.entityAlreadyExists("The Server Certificate with name \(record.name) already exists.")
      }
      guard try tx.count(ServerCertificateRecord.self, scope) < Limits.serverCertificates else {
        throw AWSError.limitExceeded("ServerCertificatesPerAccount", Limits.serverCertificates)
      }
      try tx.put(record, scope)
    }
    return .make {
      $0.serverCertificateMetadata = record.shape(scope)
      $0.tags = Names.list(tags)
    }
  }
}
