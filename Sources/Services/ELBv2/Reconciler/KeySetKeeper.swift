// Keeps the key sets of issuers of tokens (jwt-validation) fetched, off the way of requests.

import AWSCore
import Fetch
import FoundationEssentials
import GateProtocol
import GateTokens
import Logging
import ServiceKit
import Store

/// The certificate of an authority that is trusted besides those of the machine, PEM.
public typealias TrustedAuthority = @Sendable () throws -> String

/// Fetches each key set that listeners and rules name: before the operation that names it answers, then at intervals, and
/// soon after a token named a key that is not in it. What was good last stays when fetching fails. AWS publishes
/// neither its interval nor whether an unknown key makes it fetch; it accepts an endpoint that cannot be reached, and
/// the load balancer then answers 562.
actor KeySetKeeper {
  /// Seconds.
  struct Timing: Sendable {
    /// Between fetches.
    var refresh = 300.0
    /// After a failure, doubled with each one that follows up to `refresh`.
    var retry = 10.0
    /// At least between two fetches, whatever clients send.
    var spacing = 10.0
    /// For one fetch.
    var limit = 5.0
  }

  private final class Entry {
    var fetched: Timestamp?
    var failures = 0
    var fetching: Task<Void, Never>?
    var isWanted = false
    var sleep: Task<Void, Never>?
    var keeping: Task<Void, Never>?
  }

  private static let fetchesMax = 16

  private let environment: ServiceEnvironment
  private let gate: GateController
  private let authority: TrustedAuthority?
  private let places: ProviderPlaces
  private let timing: Timing
  private var entries: [String: Entry] = [:]
  private var fetches = 0
  private var waiting: [CheckedContinuation<Void, Never>] = []
  private var store: Store { environment.store }

  init(
    _ environment: ServiceEnvironment, gate: GateController, authority: TrustedAuthority?, places: ProviderPlaces,
    timing: Timing
  ) {
    self.places = places
    self.environment = environment
    self.gate = gate
    self.authority = authority
    self.timing = timing
  }

  // MARK: - Who asks

  /// Returns when the key sets of these checks have been asked for at least once.
  func settle(_ checks: [CheckRecord]?) async {
    for endpoint in (checks ?? []).compactMap(\.keySetEndpoint) {
      let entry = entry(endpoint)
      if entry.fetched == nil { await fetch(endpoint, entry) }
    }
  }

  /// Keeps all key sets that are named until the task is cancelled.
  /// - Throws: `StoreError`.
  func run() async throws {
    let changes = store.changes(in: [ListenerRecord.collection, RuleRecord.collection])
    let names = store.changes(in: places.names?.nameCollections ?? [])
    let events = await gate.events()
    defer { forget(entries.keys) }
    try await look()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in changes { try await self.look() } }
      group.addTask { for await _ in names { await self.wantFailed() } }
      group.addTask { for await case .keysWanted(let endpoint) in events { await self.want(endpoint) } }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Begins with what is named newly, and ends with what is named no more.
  private func look() async throws {
    let wanted = try await store.read { try Self.named($0) }
    for endpoint in wanted {
      let entry = entry(endpoint)
      if entry.keeping == nil { entry.keeping = Task { await self.keep(endpoint, entry) } }
    }
    let gone = try await store.write { tx in
      // What an operation has named since then is not gone.
      let named = try Self.named(tx)
      let gone = try tx.list(KeySetRecord.self).map(\.1.endpoint).filter { !named.contains($0) }
      for endpoint in gone { try tx.delete(KeySetRecord.self, KeySetRecord.scope, endpoint) }
      return gone
    }
    forget(Set(gone).union(entries.keys.filter { entries[$0]?.keeping != nil && !wanted.contains($0) }))
  }

  private static func named(_ snapshot: Snapshot) throws -> Set<String> {
    let listeners = try snapshot.list(ListenerRecord.self).flatMap { $0.1.defaultChecks ?? [] }
    let rules = try snapshot.list(RuleRecord.self).flatMap { $0.1.checks ?? [] }
    return Set((listeners + rules).compactMap(\.keySetEndpoint))
  }

  private func forget(_ endpoints: some Sequence<String>) {
    for endpoint in Array(endpoints) {
      guard let entry = entries.removeValue(forKey: endpoint) else { continue }
      entry.keeping?.cancel()
      entry.sleep?.cancel()
    }
  }

  /// Names have changed: what could not be fetched may be there now.
  private func wantFailed() {
    for (endpoint, entry) in entries where entry.failures > 0 { want(endpoint) }
  }

  private func want(_ endpoint: String) {
    guard let entry = entries[endpoint], !entry.isWanted else { return }
    entry.isWanted = true
    entry.sleep?.cancel()
  }

  private func entry(_ endpoint: String) -> Entry {
    if let found = entries[endpoint] { return found }
    let made = Entry()
    entries[endpoint] = made
    return made
  }

  // MARK: - Keeping

  private func keep(_ endpoint: String, _ entry: Entry) async {
    if entry.fetched == nil { await fetch(endpoint, entry) }
    while !Task.isCancelled {
      let pause =
        entry.failures == 0
        ? timing.refresh : min(timing.refresh, timing.retry * Double(1 << min(entry.failures - 1, 16)))
      if !entry.isWanted { await sleep(entry, pause) }
      // Wanted, so earlier: still not at once after the last fetch.
      if entry.isWanted { await sleep(entry, timing.spacing) }
      if Task.isCancelled { return }
      entry.isWanted = false
      await fetch(endpoint, entry)
    }
  }

  /// Sleeps until so many seconds after the last fetch, or until it is cancelled.
  private func sleep(_ entry: Entry, _ pause: Double) async {
    let clock = environment.clock
    let until = (entry.fetched ?? clock.now).adding(seconds: pause)
    let task = Task {
      // Cancelled when keys are wanted, or nobody names them any more.
      do { try await clock.sleep(until: until) } catch {}
    }
    entry.sleep = task
    await task.value
    entry.sleep = nil
  }

  /// Fetches, or waits for the fetch that is under way.
  private func fetch(_ endpoint: String, _ entry: Entry) async {
    if let fetching = entry.fetching { return await fetching.value }
    let task = Task {
      await self.begin()
      let outcome = await self.document(endpoint)
      self.end()
      entry.fetched = self.environment.clock.now
      switch outcome {
      case .success(let document):
        entry.failures = 0
        await self.store(endpoint, document)
      case .failure(let problem):
        entry.failures += 1
        self.environment.logger.warning(
          "a key set cannot be fetched",
          metadata: ["endpoint": "\(endpoint)", "reason": "\(problem.reason)", "failures": "\(entry.failures)"])
      }
      entry.fetching = nil
    }
    entry.fetching = task
    await task.value
  }

  /// Waits for one of the places; each fetch has a thread.
  private func begin() async {
    if fetches < Self.fetchesMax {
      fetches += 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  private func end() {
    if waiting.isEmpty { fetches -= 1 } else { waiting.removeFirst().resume() }
  }

  private struct Problem: Error {
    var reason: String
  }

  private func document(_ endpoint: String) async -> Result<String, Problem> {
    let trusted: String?
    let place: FetchRequest.Place?
    do {
      trusted = try authority?()
      switch try await places.place(of: endpoint) {
      case .at(let host, let port)?: place = .at(host: host, port: port)
      case .nowhere?: place = .nowhere
      case nil: place = nil
      }
    } catch { return .failure(Problem(reason: "\(error)")) }
    let request = FetchRequest(
      url: endpoint, place: place, authorities: trusted, timeLimit: timing.limit,
      answerMax: JSONWebKeys.sizeMax + (16 << 10))
    switch await HTTPFetch.answer(to: request) {
    case .answered(200, let body):
      let text = String(decoding: body, as: UTF8.self)
      guard JSONWebKeys(json: text) != nil else {
        return .failure(
          Problem(
            reason: "no JSON Web Key Set of at most \(JSONWebKeys.keysMax) keys and \(JSONWebKeys.sizeMax) bytes"))
      }
      return .success(text)
    case .answered(let status, _): return .failure(Problem(reason: "status \(status)"))
    case .timedOut: return .failure(Problem(reason: "no answer in \(timing.limit) seconds"))
    case .tooLarge: return .failure(Problem(reason: "more than \(JSONWebKeys.sizeMax) bytes"))
    case .failed(let reason): return .failure(Problem(reason: reason))
    }
  }

  /// Writes what is new; the reconciler hands it to the Gate.
  private func store(_ endpoint: String, _ document: String) async {
    do {
      try await store.write { tx in
        guard try Self.named(tx).contains(endpoint) else { return }
        let record = KeySetRecord(endpoint: endpoint, document: document)
        let old = try tx.get(KeySetRecord.self, KeySetRecord.scope, endpoint)
        if old?.document != document { try tx.put(record, KeySetRecord.scope) }
      }
    } catch {
      environment.logger.error("a key set cannot be stored", metadata: ["error": "\(error)"])
    }
  }
}

extension CheckRecord {
  /// Where the keys are that a check needs.
  fileprivate var keySetEndpoint: String? {
    if case .jwt(let jwt) = self { return jwt.endpoint }
    return nil
  }
}
