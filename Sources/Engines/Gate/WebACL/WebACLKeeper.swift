// The web ACLs on the control thread: compiled once for all loops, and the counts of rate-based rules added up.
import GateProtocol
import WebACL

/// Belongs to the control thread.
final class WebACLKeeper {
  /// How often loops are asked while requests are judged, and while nothing but time changes the rates. Microseconds.
  private static let lookInterval: UInt64 = 250_000
  private static let slideInterval: UInt64 = 1_000_000

  private var compiled: [String: CompiledWebACL] = [:]
  private var sent: [WebACL] = []
  private var addresses = AddressReader()
  private var boards: [String: RateBoard] = [:]
  /// When the loops are to be asked; `.max` while there is nothing to hear.
  private(set) var nextLook: UInt64 = .max
  private var heardAt: UInt64 = 0

  /// What the loops are to judge by; nil when that is what they have.
  func configure(_ snapshot: GateSnapshot) -> [LoopWebACL]? {
    let wanted = snapshot.webACLs ?? []
    let hasNewAddresses = addresses.update(snapshot.addressSources ?? AddressSources())
    if wanted == sent, !hasNewAddresses { return nil }
    sent = wanted
    var kept: [String: CompiledWebACL] = [:]
    for acl in wanted { kept[acl.id] = compile(acl) }
    compiled = kept
    var keptBoards: [String: RateBoard] = [:]
    for rule in kept.values.flatMap(\.rateRules) { keptBoards[rule.id] = boards[rule.id] ?? RateBoard(rule) }
    boards = keptBoards
    return wanted.map { acl in
      LoopWebACL(
        id: acl.id, loadBalancers: acl.loadBalancers, failOpen: Set(acl.failOpen ?? []), compiled: kept[acl.id],
        addresses: addresses.knowledge)
    }
  }

  private func compile(_ acl: WebACL) -> CompiledWebACL? {
    if let old = compiled[acl.id], old.source == acl { return old }
    switch Result(catching: { () throws(WebACLError) in try CompiledWebACL(acl) }) {
    case .success(let compiled): return compiled
    case .failure(let error):
      GateLog.error("a web ACL cannot be evaluated", [("webACL", acl.id), ("reason", "\(error)")])
      return nil
    }
  }

  // MARK: - Rates

  /// A loop judges requests again.
  func wake(now: UInt64) {
    heardAt = now
    if nextLook == .max || nextLook > now + Self.lookInterval { nextLook = now + Self.lookInterval }
  }

  /// It is time to ask the loops; returns limits that changed because time passed.
  func look(now: UInt64) -> [String: Set<UInt64>]? {
    let isQuiet = now &- heardAt > 2 * Self.slideInterval
    let hasKeys = boards.values.contains { $0.keyCount > 0 }
    nextLook = isQuiet ? (hasKeys ? now + Self.slideInterval : .max) : now + Self.lookInterval
    return changes(now)
  }

  /// Adds what a loop told; returns limits that changed.
  func collect(_ news: WebACLNews, now: UInt64) -> [String: Set<UInt64>]? {
    if !news.isEmpty { wake(now: now) }
    if news.rates.isEmpty { return nil }
    for (id, counts) in news.rates { boards[id]?.add(counts, now: now) }
    return changes(now)
  }

  private func changes(_ now: UInt64) -> [String: Set<UInt64>]? {
    var changed: [String: Set<UInt64>] = [:]
    for id in boards.keys where boards[id]?.update(now: now) ?? false { changed[id] = boards[id]?.limited }
    return changed.isEmpty ? nil : changed
  }

  /// Writes down whom the rules hold back.
  func addLimited(_ statistics: inout GateStatistics) {
    guard var acls = statistics.webACLs else { return }
    for index in acls.indices {
      acls[index].limited = boards.values.filter { $0.rule.webACL == acls[index].id && $0.rule.isByAddress }.map {
        board in
        GateStatistics.Limited(
          rule: board.rule.ruleName, groupRule: board.rule.groupRuleName,
          addresses: board.limitedAddresses.map(\.text).sorted())
      }.sorted { ($0.rule, $0.groupRule ?? "") < ($1.rule, $1.groupRule ?? "") }
    }
    statistics.webACLs = acls
  }
}
