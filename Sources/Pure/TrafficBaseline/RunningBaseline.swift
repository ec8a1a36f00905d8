// What a rate usually is: an exponentially weighted mean and deviation.

/// The usual value of one measure, learned one observation at a time.
public struct RunningBaseline: Sendable, Equatable {
  public private(set) var mean = 0.0
  private var variance = 0.0
  /// Seconds learned.
  public private(set) var seconds = 0.0
  /// Seconds after which an observation has lost two thirds of its weight.
  private let memory: Double

  public init(memory: Double = 600) { self.memory = memory }

  public var deviation: Double { variance.squareRoot() }

  /// Learns what was seen over some seconds. Until `memory` seconds are learned all observations weigh the same.
  public mutating func learn(_ value: Double, seconds length: Double) {
    seconds += length
    let weight = length / min(max(seconds, length), memory)
    let distance = value - mean
    mean += weight * distance
    variance = (1 - weight) * (variance + weight * distance * distance)
  }
}
