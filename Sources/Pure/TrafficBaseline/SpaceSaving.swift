// Heavy hitters in bounded memory: the space-saving algorithm (Metwally, Agrawal, El Abbadi, 2005).

/// Counts the most frequent keys of a stream with a fixed number of counters. A key that is not counted takes over the
/// smallest counter, so a count is too high by at most that counter's value, and no key that makes up more than
/// 1/capacity of the stream is missed.
public struct SpaceSaving: Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    public var key: UInt32
    public var count: UInt64
    /// By how much the count may be too high.
    public var error: UInt64
  }

  public let capacity: Int
  /// Everything that was added.
  public private(set) var total: UInt64 = 0
  /// A binary heap, the smallest count first.
  private var heap: [Entry] = []
  private var positions: [UInt32: Int] = [:]

  public init(capacity: Int) { self.capacity = max(1, capacity) }

  public var count: Int { heap.count }

  /// Adds to a key's count.
  public mutating func add(_ key: UInt32, _ amount: UInt64 = 1) {
    guard amount > 0 else { return }
    total += amount
    if let position = positions[key] {
      heap[position].count += amount
      sink(position)
    } else if heap.count < capacity {
      heap.append(Entry(key: key, count: amount, error: 0))
      positions[key] = heap.count - 1
      rise(heap.count - 1)
    } else {
      let least = heap[0]
      positions[least.key] = nil
      heap[0] = Entry(key: key, count: least.count + amount, error: least.count)
      positions[key] = 0
      sink(0)
    }
  }

  /// The heaviest keys, the heaviest first.
  public func top(_ count: Int) -> [Entry] {
    Array(heap.sorted { ($1.count, $0.key) < ($0.count, $1.key) }.prefix(count))
  }

  private mutating func exchange(_ first: Int, _ second: Int) {
    heap.swapAt(first, second)
    positions[heap[first].key] = first
    positions[heap[second].key] = second
  }

  private mutating func rise(_ from: Int) {
    var position = from
    while position > 0, heap[position].count < heap[(position - 1) / 2].count {
      exchange(position, (position - 1) / 2)
      position = (position - 1) / 2
    }
  }

  private mutating func sink(_ from: Int) {
    var position = from
    while true {
      var least = position
      for child in [2 * position + 1, 2 * position + 2]
      where child < heap.count && heap[child].count < heap[least].count { least = child }
      if least == position { return }
      exchange(position, least)
      position = least
    }
  }
}
