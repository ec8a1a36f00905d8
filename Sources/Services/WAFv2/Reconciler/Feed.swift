// What came from the Gate and waits: samples for three hours, log lines for their destination, counters for the minute.

import AWSCore
import GateProtocol
import Synchronization
import WebACL

/// Shared by the reconciler and the operations.
final class Feed: Sendable {
  private struct State {
    var samples: [WebACLSample] = []
    var lines: [String: [WebACLRecords.Line]] = [:]
    var counters: [String: [WebACLCounter]] = [:]
    var startedAt = 0.0
    var publishedAt = 0.0
  }

  private let state = Mutex(State())

  // MARK: - Samples

  func add(_ samples: [WebACLSample]) {
    guard !samples.isEmpty else { return }
    state.withLock { state in
      state.samples += samples
      if state.samples.count > WAFLimits.samplesMax {
        state.samples.removeFirst(state.samples.count - WAFLimits.samplesMax * 3 / 4)
      }
    }
  }

  /// The samples of a rule's metric within a time, newest first; `ALL` for those of every rule.
  func samples(webACL: String, metric: String, from start: Int64, to end: Int64) -> [WebACLSample] {
    state.withLock { state in
      state.samples.filter { sample in
        sample.webACL == webACL && (metric == "ALL" || sample.metric == metric)
          && (start...max(start, end)).contains(Int64(sample.time))
      }.sorted { $0.time > $1.time }
    }
  }

  // MARK: - Lines

  /// Returns for how many lines there was no room.
  func add(_ lines: [WebACLRecords.Line]) -> Int {
    guard !lines.isEmpty else { return 0 }
    return state.withLock { state in
      var lost = 0
      for line in lines {
        if state.lines[line.webACL, default: []].count < WAFLimits.waitingLinesMax {
          state.lines[line.webACL, default: []].append(line)
        } else {
          lost += 1
        }
      }
      return lost
    }
  }

  /// All lines that wait, by web ACL; by time, though each of the Gate's loops told its own, for logs take no other order.
  func takeLines() -> [String: [WebACLRecords.Line]] {
    state.withLock { state in
      defer { state.lines = [:] }
      return state.lines.mapValues { lines in lines.sorted { $0.time < $1.time } }
    }
  }

  // MARK: - Counters

  /// What one web ACL counted.
  struct Minute {
    var webACL: String
    /// The dimension of its metrics; nil when it has none.
    var metricName: String?
    var counters: [WebACLCounter]
  }

  /// What was counted since the last minute was published; nil before a minute is over, unless it is wanted at once.
  func minute(_ statistics: GateStatistics, isWantedNow: Bool = false) -> [Minute]? {
    state.withLock { state in
      if state.publishedAt == 0 {
        // What was counted before this control plane came was published by the one before it.
        state.publishedAt = statistics.time
        for acl in statistics.webACLs ?? [] { state.counters[acl.id] = acl.counters }
      } else if state.startedAt != statistics.workerStartedAt {
        // The Gate's worker began to count anew.
        state.counters = [:]
      }
      state.startedAt = statistics.workerStartedAt
      // Statistics that were asked for may overtake the others.
      guard statistics.time - state.publishedAt >= (isWantedNow ? 0 : 60) else { return nil }
      state.publishedAt = statistics.time
      var result: [Minute] = []
      for acl in statistics.webACLs ?? [] {
        let before = Dictionary((state.counters[acl.id] ?? []).map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        let fresh = acl.counters.map { counter in
          before[counter.key].map { Self.difference(counter, $0) } ?? counter
        }
        state.counters[acl.id] = acl.counters
        result.append(Minute(webACL: acl.id, metricName: acl.metricName, counters: fresh))
      }
      return result
    }
  }

  private static func difference(_ now: WebACLCounter, _ before: WebACLCounter) -> WebACLCounter {
    var result = now
    result.allowed -= min(now.allowed, before.allowed)
    result.blocked -= min(now.blocked, before.blocked)
    result.counted -= min(now.counted, before.counted)
    result.passed -= min(now.passed, before.passed)
    return result
  }
}
