// An attack as it is told: when, how, how much and by whom.

/// What is known of one attack. Times are those of the samples, in seconds.
public struct FloodReport: Sendable, Equatable {
  /// Counts of one way of attacking, per second (of `slow`: connections at a moment).
  public struct Vector: Sendable, Equatable {
    public var measure: Measure
    public var max = 0.0
    public var sum = 0.0
    /// Samples in the sum.
    public var samples = 0

    public var average: Double { samples == 0 ? 0 : sum / Double(samples) }
  }

  public struct Contributor: Sendable, Equatable {
    public var address: UInt32
    public var count: UInt64
  }

  public enum Phase: String, Sendable, Codable { case began, updated, ended }

  /// Rises with each attack that a detector sees.
  public var number: Int
  public var phase: Phase
  public var began: Double
  public var updated: Double
  public var ended: Double?
  public var vectors: [Vector]
  /// Requests, connections and datagrams offered since it began.
  public var offered: UInt64
  /// Those of them that were refused.
  public var refused: UInt64
  /// Requests offered since it began.
  public var requests: UInt64
  public var bytes: UInt64
  /// The heaviest sources and networks of 24 bits.
  public var sources: [Contributor]
  public var prefixes: [Contributor]
  /// Sources that were held back altogether at one time or another.
  public var heldSources: Int
  /// Whether anything is done about it: a flood that harms nobody else is only told of.
  public var isMitigated: Bool
}
