// The TLS of all listeners, made on the control thread: a listener whose description did not change keeps what it has.
import GateProtocol

/// What one loop is told with a snapshot that the others are not: objects of its own.
struct LoopMaterial: Sendable {
  /// By the listener's id.
  var servers: [String: TLSServerContext] = [:]
  /// For connections to targets; nil while no target group wants it.
  var client: TLSClientContext?
  /// The loop's own sockets of UDP listeners, by the listener's id.
  var datagrams: [String: BoundSocket] = [:]
}

/// Makes and keeps the contexts of all loops.
final class TLSKeeper {
  private struct Entry {
    var description: TLSDescription
    /// One for each loop.
    var contexts: [TLSServerContext]
  }

  private let loops: Int
  private var libraries: [TLSLibrary] = []
  private var clients: [TLSClientContext] = []
  private var prober: TLSClientContext?
  private var entries: [String: Entry] = [:]
  private var tickets = TLSTicketKeys()

  init(loops: Int) { self.loops = loops }

  /// Makes what the listeners of a snapshot need. Returns what is wrong, by listener; one that was well before keeps
  /// what it had.
  func configure(_ snapshot: GateSnapshot) -> [String: String] {
    var problems: [String: String] = [:]
    var known: Set<String> = []
    let certificates = Dictionary(
      (snapshot.certificates ?? []).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let stores = Dictionary((snapshot.trustStores ?? []).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    for (id, tls) in snapshot.listenersWithTLS {
      known.insert(id)
      do {
        let description = try TLSDescription(listener: id, tls, certificates: certificates, trustStores: stores)
        if entries[id]?.description == description { continue }
        try openLibraries()
        var contexts: [TLSServerContext] = []
        for library in libraries { contexts.append(try TLSServerContext(description, library)) }
        entries[id] = Entry(description: description, contexts: contexts)
      } catch {
        problems[id] = "TLS: \(error)"
      }
    }
    for id in entries.keys where !known.contains(id) { entries[id] = nil }
    return problems
  }

  /// Whether the listener can be served.
  func has(_ listener: String) -> Bool { entries[listener] != nil }

  /// What a loop gets with a snapshot.
  func material(loop: Int, needsClient: Bool) throws(TLSFailure) -> LoopMaterial {
    var material = LoopMaterial()
    for (id, entry) in entries { material.servers[id] = entry.contexts[loop] }
    if needsClient {
      try openLibraries()
      if clients.isEmpty { for library in libraries { clients.append(try TLSClientContext(library)) } }
      material.client = clients[loop]
    }
    return material
  }

  /// The keys of tickets, when there are new ones.
  func freshTicketKeys(now: UInt64) throws(TLSFailure) -> [TLSTicketKey]? {
    if entries.isEmpty { return nil }
    return try tickets.rotate(now: now) ? tickets.keys : nil
  }

  /// When `freshTicketKeys` will have something to say.
  var nextRotation: UInt64 { entries.isEmpty ? .max : tickets.rotatesAt }

  /// For health checks, which the control thread makes itself.
  func probeClient() throws(TLSFailure) -> TLSClientContext {
    if let prober { return prober }
    let made = try TLSClientContext(TLSLibrary())
    prober = made
    return made
  }

  private func openLibraries() throws(TLSFailure) {
    while libraries.count < loops { libraries.append(try TLSLibrary()) }
  }
}

extension GateSnapshot {
  /// Whether any target is reached over TLS.
  var hasTargetsWithTLS: Bool { targetGroups.contains { $0.transport?.usesTLS ?? false } }

  /// The listeners that speak TLS, with what they say of it.
  var listenersWithTLS: [(id: String, tls: ListenerTLS?)] {
    loadBalancers.flatMap { $0.listeners }.filter { $0.transport == .https }.map { ($0.id, $0.tls) }
      + (networkLoadBalancers ?? []).flatMap { $0.listeners }.filter { $0.transport == .tls }.map { ($0.id, $0.tls) }
  }
}
