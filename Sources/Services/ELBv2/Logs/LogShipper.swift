// Takes the segments that the Gate has completed to S3, and removes them here.

import AWSCore
import Compression
import Dispatch
import FoundationEssentials
import Logging
import ServiceKit
import Store

/// One per service; called by one loop only. A segment is removed once its object is stored, so that a crash in between
/// stores it twice rather than never.
actor LogShipper {
  private let service: ELBv2Service
  /// The folder of all segments.
  let directory: String

  init(_ service: ELBv2Service, directory: String) {
    self.service = service
    self.directory = directory
  }

  /// Ships what is complete. What cannot be stored stays, and is tried again the next time.
  func ship() async throws {
    // In this order: a load balancer is recorded before it has a folder.
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    let balancers = try await service.store.read { try $0.list(LoadBalancerRecord.self) }
    let known = Set(balancers.map { LogKind.folder($0.1.arn) })
    for folder in folders where !known.contains(folder) { try removeOrphan("\(directory)/\(folder)") }
    for (scope, balancer) in balancers {
      for kind in LogKind.allCases {
        let folder = "\(directory)/\(kind.folder(balancer.arn))"
        for name in segments(folder) {
          guard let place = balancer.log(kind) else {
            // The log was turned off before the segment was shipped.
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
            continue
          }
          try await ship("\(folder)/\(name)", name, kind, balancer, place, scope)
        }
      }
    }
  }

  /// Removes the logs of a load balancer that is gone, and with it where they were to go; not while the Gate writes them.
  private func removeOrphan(_ folder: String) throws {
    let files = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
    if !files.contains(where: { $0.hasSuffix(".part") }) { try FileManager.default.removeItem(atPath: folder) }
  }

  private func segments(_ folder: String) -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return [] }
    return names.filter { $0.hasSuffix(".log") }.sorted()
  }

  private func ship(
    _ path: String, _ name: String, _ kind: LogKind, _ balancer: LoadBalancerRecord, _ place: LogPlace, _ scope: Scope
  ) async throws {
    guard let arn = ARN(balancer.arn) else { return }
    let call = service.environment.call(
      as: ELBv2Service.logPrincipal, account: scope.account, region: scope.region)
    // END-PID-NUMBER.log, END in seconds since 1970.
    let end = name.split(separator: "-").first.flatMap { Double($0) }.map { Timestamp(seconds: $0) } ?? call.now
    let bytes = try await Self.read(path)
    let key = kind.key(balancer, arn, prefix: place.prefix, end: end, random: call.ids.hex(8))
    do {
      try await service.put(bytes, place.bucket, key, call)
    } catch let error as AWSError {
      service.environment.logger.warning(
        "a log of a load balancer cannot be stored",
        metadata: ["bucket": "\(place.bucket)", "key": "\(key)", "error": "\(error.message)"])
      return
    }
    try FileManager.default.removeItem(atPath: path)
  }

  /// Reads and compresses a segment on a thread that may block.
  private static func read(_ path: String) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { caller in
      DispatchQueue.global().async {
        guard let data = FileManager.default.contents(atPath: path) else {
          caller.resume(throwing: AWSError("InternalFailure", "\(path) cannot be read.", status: 500))
          return
        }
        caller.resume(with: Result { try Gzip.compressed(Array(data)) })
      }
    }
  }
}
