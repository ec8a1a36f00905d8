// KMS alone, over a store in a folder of its own.

import AWSCore
import AWSWire
import CastleTesting
import KMSModel
import ServiceKit
import Synchronization

@testable import KMSService

/// KMS with a clock that the test moves.
struct KMSFixture {
  let harness: ServiceHarness
  let service: KMSService
  let clock: ManualClock
  let authority = RecordingAuthority()

  /// Runs a test with a KMS of its own.
  static func with(_ body: (KMSFixture) async throws -> Void) async throws {
    let fixture = try KMSFixture()
    defer { fixture.harness.remove() }
    try await body(fixture)
  }

  private init() throws {
    let clock = ManualClock()
    var made: KMSService?
    harness = try ServiceHarness(clock: clock, collections: KMSService.collections, authority: authority) {
      let service = KMSService($0)
      made = service
      return [service]
    }
    service = made ?? KMSService(harness.environment)
    self.clock = clock
  }

  /// A new key's id.
  func key(_ configure: (inout KMS.CreateKeyRequest) -> Void = { _ in }) async throws -> String {
    try await harness.run(KMS.createKey, configure).keyMetadata?.keyId ?? ""
  }

  func state(_ key: String) async throws -> String? {
    try await harness.run(KMS.describeKey) { $0.keyId = key }.keyMetadata?.keyState
  }

  func encrypt(_ text: String, _ key: String, context: [String: String]? = nil) async throws -> Blob {
    try await harness.run(KMS.encrypt) {
      $0.keyId = key
      $0.plaintext = Blob(text.utf8)
      $0.encryptionContext = context
    }.ciphertextBlob ?? []
  }

  func decrypt(_ blob: Blob, context: [String: String]? = nil, key: String? = nil) async throws -> String {
    let answer = try await harness.run(KMS.decrypt) {
      $0.ciphertextBlob = blob
      $0.encryptionContext = context
      $0.keyId = key
    }
    return String(decoding: answer.plaintext?.bytes ?? [], as: UTF8.self)
  }
}

/// Lets everything through and remembers what it was asked.
final class RecordingAuthority: Authority {
  private let asked = Mutex<[(action: String, access: ResourceAccess)]>([])
  func accessKey(_ id: String) async throws -> AccessKey? { nil }
  func authorize(_ call: CallContext, action: String, access: ResourceAccess) async throws {
    asked.withLock { $0.append((action, access)) }
  }
  var last: (action: String, access: ResourceAccess)? { asked.withLock { $0.last } }
  var actions: [String] { asked.withLock { $0.map(\.action) } }
}
