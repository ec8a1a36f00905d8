// Issues what is proven and renews what runs out: level-triggered, from the store alone.

import ACMModel
import AWSCore
import AWSWire
import Certificates
import Logging
import MetricsKit
import ServiceKit
import Store

/// What is due, of one certificate at one moment.
enum CertificateStep: Equatable {
  case none
  /// Look whether the names are proven, and issue.
  case issue
  case renew

  /// - Parameter isEligible: the certificate is in use, or was exported.
  static func next(_ record: CertificateRecord, _ now: Timestamp, isEligible: Bool) -> CertificateStep {
    if record.isValidatedByDNS, record.isPending(now) { return .issue }
    if let due = record.renewalDue, due <= now, isEligible { return .renew }
    return .none
  }
}

/// One per service; `settle` is called by one loop only.
actor Issuer {
  private let service: ACMService
  /// The day (since 1970) whose metrics were put.
  private var measured: Int?

  init(_ service: ACMService) { self.service = service }

  /// Does what is due.
  /// - Returns: when the next thing is.
  func settle() async throws -> Timestamp? {
    let now = service.environment.clock.now
    let all = try await service.store.read { try $0.list(CertificateRecord.self) }
    guard !all.isEmpty else { return nil }
    var next: Timestamp?
    for (scope, record) in all {
      if let due = record.renewalDue, due > now { next = min(next ?? due, due) }
      let call = service.call(scope)
      var isEligible = false
      if let due = record.renewalDue, due <= now { isEligible = try await service.isEligible(record, call) }
      switch CertificateStep.next(record, now, isEligible: isEligible) {
      case .none: break
      case .issue, .renew: _ = try await service.prove(record, call)
      }
    }
    let day = Int(now.seconds / 86_400)
    if measured != day {
      measured = day
      for (scope, records) in Dictionary(grouping: all, by: \.0) { await measure(records.map(\.1), scope, now) }
    }
    let tomorrow = Timestamp(seconds: Double(day + 1) * 86_400)
    return min(next ?? tomorrow, tomorrow)
  }

  /// `DaysToExpiry`, once a day.
  private func measure(_ records: [CertificateRecord], _ scope: Scope, _ now: Timestamp) async {
    let points: [MetricPoint] = records.compactMap { record in
      guard let contents = record.contents, record.status(now) == "ISSUED" else { return nil }
      return MetricPoint(
        name: "DaysToExpiry", dimensions: ["CertificateArn": record.arn], unit: "None",
        value: ((contents.notAfter.seconds - now.seconds) / 86_400).rounded(.down))
    }
    await service.call(scope).put(points, in: "AWS/CertificateManager", at: now)
  }
}

extension ACMService {
  /// A call of ACM for itself.
  func call(_ scope: Scope) -> CallContext {
    environment.call(as: Self.servicePrincipal, account: scope.account, region: scope.region)
  }

  /// ACM renews what is in use, or was exported.
  func isEligible(_ record: CertificateRecord, _ call: CallContext) async throws -> Bool {
    if record.isExported == true { return true }
    return try await users(call)[record.arn] != nil
  }

  /// Looks for the records of a request, and issues (or issues anew) when all are there.
  /// - Returns: the certificate as it then is.
  @discardableResult
  func prove(_ record: CertificateRecord, _ call: CallContext) async throws -> CertificateRecord {
    let proofs = try await looked(record.proofs ?? [], call)
    let isProven = proofs.allSatisfy { $0.isProven == true } && !proofs.isEmpty
    let fresh = isProven ? try await make(record, call.now) : nil
    let scope = call.scope
    let now = call.now
    return try await store.write { tx in
      guard var found = try tx.get(CertificateRecord.self, scope, record.arn) else { return record }
      found.proofs = proofs
      guard let fresh else {
        // A renewal waits for its records to come back.
        if found.contents != nil, found.renewal?.status != "PENDING_VALIDATION" {
          found.renewal = .init(status: "PENDING_VALIDATION", updatedAt: now)
        }
        try tx.put(found, scope)
        return found
      }
      if found.contents != nil {
        found.renewal = .init(status: "SUCCESS", updatedAt: now)
        found.isExported = nil
      }
      found.contents = fresh.contents
      found.privateKey = fresh.key
      found.issuedAt = now
      try tx.put(found, scope)
      return found
    }
  }

  /// A new key and a certificate for it.
  private func make(
    _ record: CertificateRecord, _ now: Timestamp
  ) async throws -> (contents: CertificateRecord.Contents, key: SealedBytes) {
    let algorithm = CertificateKey.Algorithm(rawValue: record.keyAlgorithm ?? "") ?? .rsa2048
    let key = try await CertificateKey.make(algorithm)
    let issued = try authority.issue(
      .init(subject: record.domain, names: record.names, days: ACMLimits.days, allowsClients: true), key: key, now: now)
    let (contents, _) = try CertificateReader.read(
      certificate: issued.certificate, key: key.pem, chain: issued.chain, now: now)
    let sealed = try SealedBytes(
      Array(key.pem.utf8), sealer: store.sealer, context: CertificateRecord.keyContext(record.arn))
    return (contents, sealed)
  }
}
