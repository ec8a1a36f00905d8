// Getting a trust store's contents back: operations that answer with an address, and what is found there.

import AWSCore
import AWSWire
import Crypto
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func getTrustStoreCaCertificatesBundle(
    _ input: ELBv2.GetTrustStoreCaCertificatesBundleInput, _ call: CallContext
  ) async throws -> ELBv2.GetTrustStoreCaCertificatesBundleOutput {
    let record = try await store.read { try $0.trustStore(input.trustStoreArn, call.scope) }
    let location = try await location(.init(trustStore: record.arn, part: .bundle), call)
    return .make { $0.location = location }
  }

  func getTrustStoreRevocationContent(
    _ input: ELBv2.GetTrustStoreRevocationContentInput, _ call: CallContext
  ) async throws -> ELBv2.GetTrustStoreRevocationContentOutput {
    let record = try await store.read { try $0.trustStore(input.trustStoreArn, call.scope) }
    guard record.revocations.contains(where: { $0.id == input.revocationId }) else {
      throw Self.revocationNotFound(input.revocationId)
    }
    let link = TrustStoreLink(trustStore: record.arn, part: .revocation(input.revocationId))
    let location = try await location(link, call)
    return .make { $0.location = location }
  }

  private func location(_ link: TrustStoreLink, _ call: CallContext) async throws -> String {
    try await "\(call.endpoint)/_castle\(link.signed(with: linkKey(), now: environment.clock.now))"
  }

  /// Where what this service gives out under the castle's own paths begins, behind `/_castle`.
  public static var contentsPath: String { TrustStoreLink.root }

  /// What lies at an address that the operations above have given.
  /// - Parameters:
  ///   - path: behind `/_castle`.
  ///   - query: the address's.
  /// - Returns: the bytes as they were read out of S3; of a trust store that was changed since, those of now.
  /// - Throws: S3's errors of presigned addresses: `AccessDenied` (also when its ten minutes are over),
  ///   `SignatureDoesNotMatch`, `NoSuchKey`.
  public func trustStoreContents(path: String, query: [String: String]) async throws -> (type: String, bytes: [UInt8]) {
    guard let link = TrustStoreLink(path: path), let arn = ARN(link.trustStore) else { throw Self.noSuchKey(path) }
    try await link.check(query, with: linkKey(), now: environment.clock.now)
    let scope = Scope(account: arn.account, region: arn.region)
    guard let record = try await store.get(TrustStoreRecord.self, scope, link.trustStore) else {
      throw Self.noSuchKey(path)
    }
    switch link.part {
    case .bundle: return ("application/x-pem-file", record.uploadedBytes)
    case .revocation(let id):
      guard let list = record.revocations.first(where: { $0.id == id }) else { throw Self.noSuchKey(path) }
      return (Bundles.isPEM(list.uploadedBytes) ? "application/x-pem-file" : "application/pkix-crl", list.uploadedBytes)
    }
  }

  private static func noSuchKey(_ path: String) -> AWSError {
    AWSError("NoSuchKey", "The specified key does not exist.", status: 404, fields: ["Key": path])
  }

  /// Made once and kept, so that addresses hold whatever starts again.
  private func linkKey() async throws -> SymmetricKey {
    let (scope, context) = (LinkKeyRecord.scope, LinkKeyRecord.context)
    if let found = try await store.get(LinkKeyRecord.self, scope, LinkKeyRecord.id) {
      return SymmetricKey(data: try found.key.open(store.sealer, context: context))
    }
    let fresh = LinkKeyRecord(
      key: try SealedBytes(environment.ids.randomBytes(32), sealer: store.sealer, context: context))
    let kept = try await store.write { tx in
      if let found = try tx.get(LinkKeyRecord.self, scope, LinkKeyRecord.id) { return found }
      try tx.put(fresh, scope)
      return fresh
    }
    return SymmetricKey(data: try kept.key.open(store.sealer, context: context))
  }
}
