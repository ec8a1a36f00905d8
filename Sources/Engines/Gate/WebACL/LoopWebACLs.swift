// The web ACLs of one loop: an evaluator for each, and what is told of them to the control thread.
import GateProtocol
import HTTPWire
import WebACL

/// A web ACL on its way to a loop.
struct LoopWebACL: Sendable {
  var id: String
  var loadBalancers: [String]
  /// Load balancers that let requests pass when the ACL cannot be evaluated.
  var failOpen: Set<String>
  /// nil: it cannot be evaluated.
  var compiled: CompiledWebACL?
  var addresses: AddressKnowledge
}

/// What a loop tells since the last time.
struct WebACLNews: Sendable {
  var rates: [(id: String, counts: [RateCount])] = []
  var records = WebACLRecords()

  var isEmpty: Bool { rates.isEmpty && records.isEmpty }
}

/// A load balancer's web ACL as one loop has it.
final class WebACLRuntime {
  let evaluator: WebACLEvaluator?
  let failsOpen: Bool

  init(evaluator: WebACLEvaluator?, failsOpen: Bool) {
    self.evaluator = evaluator
    self.failsOpen = failsOpen
  }
}

/// All web ACLs of a loop.
final class LoopWebACLs {
  private var evaluators: [String: WebACLEvaluator] = [:]
  private var runtimes: [String: WebACLRuntime] = [:]
  /// The control thread has been told nothing for a while and looks no more.
  private var isDormant = true
  private var body = Bytes()

  func configure(_ acls: [LoopWebACL]) {
    var kept: [String: WebACLEvaluator] = [:]
    runtimes = [:]
    for acl in acls {
      let old = evaluators[acl.id]
      let evaluator = acl.compiled.map { compiled in
        guard let old, old.acl === compiled else {
          return WebACLEvaluator(compiled, replacing: old, addresses: acl.addresses)
        }
        old.addresses = acl.addresses
        return old
      }
      if let evaluator { kept[acl.id] = evaluator }
      for balancer in acl.loadBalancers {
        runtimes[balancer] = WebACLRuntime(evaluator: evaluator, failsOpen: acl.failOpen.contains(balancer))
      }
    }
    evaluators = kept
  }

  func runtime(for balancer: String) -> WebACLRuntime? { runtimes[balancer] }

  func limit(_ keys: [String: Set<UInt64>]) {
    for (rule, keys) in keys { for evaluator in evaluators.values { evaluator.setLimited(keys, rule: rule) } }
  }

  /// Everything since the last time.
  func tell() -> WebACLNews {
    var news = WebACLNews()
    for evaluator in evaluators.values {
      news.rates += evaluator.drainRates()
      let records = evaluator.takeRecords()
      news.records.samples += records.samples
      news.records.lines += records.lines
      news.records.lostLines += records.lostLines
    }
    if news.isEmpty { isDormant = true }
    return news
  }

  /// Wakes the control thread when it does not look.
  @inline(__always)
  func noteActivity(_ control: Mailbox<ControlMessage>) {
    if !isDormant { return }
    isDormant = false
    control.post(.webACLsActive)
  }

  /// Gives a body that had to be put together, in memory that stays while the request is judged.
  func setBody(_ data: [UInt8], _ limit: Int, isCut: Bool, in view: WebRequest) {
    body.clear()
    guard !data.isEmpty else { return view.setBody(ByteView(start: nil, count: 0), isCut: isCut) }
    body.append(data)
    view.setBody(ByteView(start: body.first, count: min(data.count, limit)), isCut: isCut || data.count > limit)
  }

  var statistics: [GateStatistics.WebACL] {
    evaluators.map { id, evaluator in
      let visibility = evaluator.acl.source.visibility
      return GateStatistics.WebACL(
        id: id, counters: evaluator.counters, metricName: visibility.hasMetrics ? visibility.metricName : nil)
    }
  }
}

extension EventLoop {
  /// Milliseconds since 1970.
  var wallMilliseconds: UInt64 { wallMicroseconds / 1000 }
}
