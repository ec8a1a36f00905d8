// What web ACLs know of addresses: files that the user may give, and who took part in the attacks that Shield recorded.

import AWSCore
import AWSWire
import GateProtocol
import Glibc
import Logging
import ServiceKit
import ShieldModel
import Synchronization

/// What of it the Gate was told last, so that it is told again when something else is true.
final class AddressWatch: Sendable {
  private struct State {
    var files = AddressSources()
    var attackers: [String] = []
    var responses: [String: ShieldResponse] = [:]
    var usesAttackers = false
    var notedAt = Timestamp(milliseconds: 0)
  }

  /// Attackers are forgotten with time alone: they are looked for anew so often.
  private static let lookSeconds = 60.0

  private let state = Mutex(State())

  var usesAttackers: Bool { state.withLock { $0.usesAttackers } }

  /// Those that were found last.
  var attackers: [String] {
    get { state.withLock { $0.attackers } }
    set { state.withLock { $0.attackers = newValue } }
  }

  /// Automatic responses as they were found last, by the ARNs of web ACLs.
  var responses: [String: ShieldResponse] {
    get { state.withLock { $0.responses } }
    set { state.withLock { $0.responses = newValue } }
  }

  func note(_ files: AddressSources, usesAttackers: Bool, at now: Timestamp) {
    state.withLock { state in
      state.files = files
      state.usesAttackers = usesAttackers
      state.notedAt = now
    }
  }

  /// Whether files have changed, or attackers may be forgotten.
  func areOld(_ files: AddressSources, at now: Timestamp) -> Bool {
    state.withLock { state in
      files != state.files || state.usesAttackers && now >= state.notedAt.adding(seconds: Self.lookSeconds)
    }
  }
}

extension WAFv2Service {
  /// The files as they are now.
  func addressFiles() -> AddressSources {
    var sources = AddressSources()
    sources.countries = addressFile("countries.csv")
    sources.systems = addressFile("networks.csv")
    sources.lists = addressFile("lists.csv")
    return sources
  }

  private func addressFile(_ name: String) -> AddressSources.File? {
    let path = environment.directory + "/wafv2/" + name
    var facts = stat()
    guard stat(path, &facts) == 0, access(path, R_OK) == 0 else { return nil }
    let time = facts.st_mtim
    return .init(path: path, writtenAt: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  /// The heaviest sources of the attacks that go on, or ended a day ago at most.
  func attackers(_ accounts: Set<String>) async -> [String] {
    do {
      var found: Set<String> = []
      for account in accounts.sorted() {
        let call = environment.call(as: Self.servicePrincipal, account: account)
        found.formUnion(try await attackers(call))
      }
      addresses.attackers = Array(found.sorted().prefix(WAFLimits.attackersMax))
    } catch {
      environment.logger.error("attacks could not be listed", metadata: ["error": "\(error)"])
    }
    return addresses.attackers
  }

  private func attackers(_ call: CallContext) async throws -> Set<String> {
    let oldest = call.now.adding(seconds: -Double(WAFLimits.attackerMemorySeconds))
    var found: Set<String> = []
    for attack in try await attacks(call, { $0.endTime = .make { $0.fromInclusive = oldest } }) {
      guard found.count < WAFLimits.attackersMax else { break }
      guard let id = attack.attackId else { continue }
      found.formUnion(try await sources(of: id, call))
    }
    return found
  }
}
