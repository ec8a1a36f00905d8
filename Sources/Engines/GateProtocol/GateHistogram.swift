// Latencies in log-linear buckets: eight to a power of two, so a quantile is off by at most an eighth.

/// Counts of durations, from a microsecond to half an hour.
public struct GateHistogram: Sendable, Equatable {
  /// Eight buckets to each power of two of microseconds.
  public static let bucketCount = 30 * 8
  /// Count in each bucket; empty when nothing was recorded.
  public private(set) var counts: [UInt64]
  /// Sum of all durations, in seconds.
  public private(set) var sum: Double

  public init() {
    counts = []
    sum = 0
  }

  /// The bucket of a duration in microseconds.
  @inlinable
  public static func bucket(microseconds: UInt64) -> Int {
    if microseconds < 8 { return Int(microseconds) }
    let exponent = 63 - microseconds.leadingZeroBitCount
    let step = Int((microseconds >> UInt64(exponent - 3)) & 7)
    return min((exponent - 2) * 8 + step, bucketCount - 1)
  }

  /// The upper end of a bucket, in seconds.
  public static func upperBound(of bucket: Int) -> Double {
    if bucket < 8 { return Double(bucket + 1) / 1e6 }
    let exponent = bucket / 8 + 2
    let step = UInt64(bucket % 8)
    return Double((8 + step + 1) << UInt64(exponent - 3)) / 1e6
  }

  /// Adds one duration.
  public mutating func record(microseconds: UInt64) {
    if counts.isEmpty { counts = Array(repeating: 0, count: Self.bucketCount) }
    counts[Self.bucket(microseconds: microseconds)] += 1
    sum += Double(microseconds) / 1e6
  }

  public var count: UInt64 { counts.reduce(0, +) }

  /// Seconds under which the given share (0...1) of the durations lies; nil when there are none.
  public func quantile(_ share: Double) -> Double? {
    let total = count
    guard total > 0 else { return nil }
    let wanted = max(1, UInt64((Double(total) * share).rounded(.up)))
    var seen: UInt64 = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if seen >= wanted { return Self.upperBound(of: index) }
    }
    return Self.upperBound(of: Self.bucketCount - 1)
  }

  /// What was recorded since an earlier value of the same histogram.
  public func since(_ earlier: GateHistogram) -> GateHistogram {
    guard !earlier.counts.isEmpty, !counts.isEmpty, count >= earlier.count else { return self }
    var result = self
    for index in counts.indices { result.counts[index] &-= min(earlier.counts[index], counts[index]) }
    result.sum -= earlier.sum
    return result
  }

  /// Adds all that another one holds.
  public mutating func merge(_ other: GateHistogram) {
    guard !other.counts.isEmpty else { return }
    if counts.isEmpty {
      self = other
    } else {
      for index in counts.indices { counts[index] += other.counts[index] }
      sum += other.sum
    }
  }
}

extension GateHistogram: Codable {
  private enum CodingKeys: String, CodingKey { case sum, buckets }

  // Most buckets are empty, so the wire has pairs of index and count in one flat list.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(sum, forKey: .sum)
    var pairs: [UInt64] = []
    for (index, count) in counts.enumerated() where count > 0 { pairs += [UInt64(index), count] }
    try container.encode(pairs, forKey: .buckets)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init()
    sum = try container.decode(Double.self, forKey: .sum)
    let pairs = try container.decode([UInt64].self, forKey: .buckets)
    guard !pairs.isEmpty else { return }
    counts = Array(repeating: 0, count: Self.bucketCount)
    for position in stride(from: 0, to: pairs.count - 1, by: 2) where pairs[position] < UInt64(Self.bucketCount) {
      counts[Int(pairs[position])] = pairs[position + 1]
    }
  }
}
