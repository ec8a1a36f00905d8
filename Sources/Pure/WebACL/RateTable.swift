// How often keys are seen: each loop counts in a table of its own and of fixed size; the tables are added up on one
// board per rule, which tells whose rate is over the limit.

/// How often a loop saw a key since it told last.
public struct RateCount: Sendable, Equatable {
  /// A keyed hash of the key; the same on all threads of a process, different in every process.
  public let key: UInt64
  public let count: UInt32
  /// Of keys that are addresses.
  public let address: SourceAddress?
}

/// One loop's counts of one rule. Of the keys that do not find room the rarest give way: a flood of new keys takes no
/// memory and cannot hide those that are seen often.
struct RateTable {
  private static let ways = 8
  private static let sets = 2048
  private let hasAddresses: Bool
  private var keys: [UInt64] = []
  private var counts: [UInt32] = []
  private var addresses: [SourceAddress] = []
  private var isEmpty = true

  init(hasAddresses: Bool) { self.hasAddresses = hasAddresses }

  mutating func count(_ key: UInt64, _ address: SourceAddress?) {
    if keys.isEmpty {
      let capacity = Self.ways * Self.sets
      keys = Array(repeating: 0, count: capacity)
      counts = Array(repeating: 0, count: capacity)
      if hasAddresses { addresses = Array(repeating: SourceAddress(v4: 0), count: capacity) }
    }
    isEmpty = false
    let start = Int(truncatingIfNeeded: key % UInt64(Self.sets)) * Self.ways
    var place = start
    for index in start..<start + Self.ways {
      if counts[index] > 0, keys[index] == key {
        counts[index] &+= 1
        return
      }
      if counts[index] < counts[place] { place = index }
    }
    keys[place] = key
    // Too few for a key that comes back rather than too many: nobody is held back for another's requests.
    counts[place] = 1
    if hasAddresses, let address { addresses[place] = address }
  }

  /// All counts since the last time.
  mutating func drain() -> [RateCount] {
    if isEmpty { return [] }
    isEmpty = true
    var result: [RateCount] = []
    for index in counts.indices where counts[index] > 0 {
      result.append(
        RateCount(key: keys[index], count: counts[index], address: hasAddresses ? addresses[index] : nil))
      counts[index] = 0
    }
    return result
  }
}

/// The counts of all loops for one rule, over a window that slides in twelfths.
public struct RateBoard: Sendable {
  /// Keys that are remembered at most; when there are more, the rarer half is forgotten.
  public static let keysMax = 50_000
  /// Keys that are limited at the same time (AWS: 10,000 addresses).
  public static let limitedMax = 10_000
  private static let buckets = 12

  public let rule: RateRuleDescription
  /// Keys whose rate is over the limit now.
  public private(set) var limited: Set<UInt64> = []
  private var slots: [UInt64: Int] = [:]
  private var free: [Int] = []
  private var counts: [UInt32] = []
  private var totals: [UInt32] = []
  private var keys: [UInt64] = []
  private var addresses: [SourceAddress?] = []
  private var bucket: UInt64 = 0
  private var isChanged = false

  public init(_ rule: RateRuleDescription) { self.rule = rule }

  public var keyCount: Int { slots.count }

  /// Adds what a loop counted. Time in microseconds, any clock that only rises.
  public mutating func add(_ report: [RateCount], now: UInt64) {
    advance(now)
    for item in report {
      let slot = slots[item.key] ?? newSlot(item)
      let index = slot * Self.buckets + Int(bucket % UInt64(Self.buckets))
      counts[index] = counts[index].addingReportingOverflow(item.count).overflow ? .max : counts[index] + item.count
      totals[slot] = totals[slot].addingReportingOverflow(item.count).overflow ? .max : totals[slot] + item.count
    }
    if !report.isEmpty { isChanged = true }
  }

  private mutating func newSlot(_ item: RateCount) -> Int {
    if slots.count >= Self.keysMax { forgetRare() }
    let slot: Int
    if let old = free.popLast() {
      slot = old
      keys[slot] = item.key
      addresses[slot] = item.address
    } else {
      slot = totals.count
      totals.append(0)
      keys.append(item.key)
      addresses.append(item.address)
      counts.append(contentsOf: repeatElement(0, count: Self.buckets))
    }
    slots[item.key] = slot
    return slot
  }

  private mutating func remove(_ slot: Int) {
    slots[keys[slot]] = nil
    totals[slot] = 0
    for index in slot * Self.buckets..<(slot + 1) * Self.buckets { counts[index] = 0 }
    free.append(slot)
  }

  private mutating func forgetRare() {
    let used = Array(slots.values)
    let sorted = used.map { totals[$0] }.sorted()
    let cut = sorted[sorted.count / 2]
    for slot in used where totals[slot] <= cut { remove(slot) }
  }

  /// Lets the window slide.
  private mutating func advance(_ now: UInt64) {
    let length = UInt64(max(rule.window, 1)) * 1_000_000 / UInt64(Self.buckets)
    let current = now / length
    guard current > bucket else { return }
    let steps = min(current - bucket, UInt64(Self.buckets))
    for step in 0..<steps {
      let column = Int((current - step) % UInt64(Self.buckets))
      for slot in slots.values {
        let index = slot * Self.buckets + column
        totals[slot] -= min(totals[slot], counts[index])
        counts[index] = 0
      }
    }
    for slot in Array(slots.values) where totals[slot] == 0 { remove(slot) }
    bucket = current
    isChanged = true
  }

  /// Works out anew whose rate is over the limit; true when that changed.
  public mutating func update(now: UInt64) -> Bool {
    advance(now)
    guard isChanged else { return false }
    isChanged = false
    let limit = UInt32(clamping: rule.limit)
    var over = slots.values.filter { totals[$0] > limit }
    if over.count > Self.limitedMax {
      over.sort { totals[$0] > totals[$1] }
      over.removeLast(over.count - Self.limitedMax)
    }
    let fresh = Set(over.map { keys[$0] })
    guard fresh != limited else { return false }
    limited = fresh
    return true
  }

  /// The addresses that are limited now, of rules that count by address.
  public var limitedAddresses: [SourceAddress] { limited.compactMap { key in slots[key].flatMap { addresses[$0] } } }
}
