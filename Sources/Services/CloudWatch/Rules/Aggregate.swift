// A minute of samples in a few numbers: enough for every statistic, percentiles within two percent.

import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#endif

/// Samples taken together.
struct Aggregate: Codable, Sendable, Equatable {
  var count = 0.0
  var sum = 0.0
  var minimum = Double.infinity
  var maximum = -Double.infinity
  /// How many samples lie in each range `growth^n ..< growth^(n+1)`; absent once a statistic set without
  /// distribution, or a negative sample, was added (AWS then tells no percentiles either).
  var buckets: [Int: Double]? = [:]
  var zeros = 0.0

  private static let growth = 1.04

  init() {}

  /// Adds a value that was seen `times` times.
  mutating func add(_ value: Double, times: Double = 1) {
    count += times
    sum += value * times
    minimum = min(minimum, value)
    maximum = max(maximum, value)
    if value == 0 {
      zeros += times
    } else if value < 0 {
      buckets = nil
    } else {
      buckets?[Int((log(value) / log(Self.growth)).rounded(.down)), default: 0] += times
    }
  }

  /// Adds what somebody has aggregated. One value seen several times keeps its distribution.
  mutating func add(count: Double, sum: Double, minimum: Double, maximum: Double) {
    guard count > 0 else { return }
    if minimum == maximum {
      add(minimum, times: count)
      return
    }
    self.count += count
    self.sum += sum
    self.minimum = min(self.minimum, minimum)
    self.maximum = max(self.maximum, maximum)
    buckets = nil
  }

  mutating func merge(_ other: Aggregate) {
    guard other.count > 0 else { return }
    count += other.count
    sum += other.sum
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
    zeros += other.zeros
    if let more = other.buckets { buckets?.merge(more, uniquingKeysWith: +) } else { buckets = nil }
  }

  /// The value below which a share (0...100) of the samples lies.
  func percentile(_ percent: Double) -> Double? {
    guard count > 0, let buckets else { return nil }
    let wanted = count * percent / 100
    var seen = zeros
    if seen >= wanted, zeros > 0 { return 0 }
    for (bucket, times) in buckets.sorted(by: { $0.key < $1.key }) {
      seen += times
      guard seen >= wanted else { continue }
      // The middle of the range, within what was really seen.
      return min(max(pow(Self.growth, Double(bucket) + 0.5), minimum), maximum)
    }
    return maximum
  }

  // Infinity has no JSON: an empty aggregate is never stored.
}

/// A statistic, by the name that callers give it.
enum Statistic: Sendable, Equatable {
  case average, sum, minimum, maximum, sampleCount
  case percentile(Double)

  /// Nil for what is not built (trimmed means and their like) or not known at all.
  init?(_ name: String) {
    switch name.lowercased() {
    case "average", "avg": self = .average
    case "sum": self = .sum
    case "minimum", "min": self = .minimum
    case "maximum", "max": self = .maximum
    case "samplecount", "n": self = .sampleCount
    default:
      guard name.first == "p" || name.first == "P", let percent = Double(name.dropFirst()), (0...100).contains(percent)
      else { return nil }
      self = .percentile(percent)
    }
  }

  func value(of aggregate: Aggregate) -> Double? {
    guard aggregate.count > 0 else { return nil }
    return switch self {
    case .average: aggregate.sum / aggregate.count
    case .sum: aggregate.sum
    case .minimum: aggregate.minimum
    case .maximum: aggregate.maximum
    case .sampleCount: aggregate.count
    case .percentile(let percent): aggregate.percentile(percent)
    }
  }
}
