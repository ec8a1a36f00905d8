// What is done about a flood: limits for sources, prefixes and strangers, and sources that get nothing for a while.

/// Bounds on one source; nil is no bound.
public struct SourceLimit: Sendable, Equatable {
  public var requestsPerSecond: Double?
  public var connectionsPerSecond: Double?
  /// Connections open at once.
  public var connectionsMax: Int?
  public var datagramsPerSecond: Double?

  public init(
    requestsPerSecond: Double? = nil, connectionsPerSecond: Double? = nil, connectionsMax: Int? = nil,
    datagramsPerSecond: Double? = nil
  ) {
    self.datagramsPerSecond = datagramsPerSecond
    self.requestsPerSecond = requestsPerSecond
    self.connectionsPerSecond = connectionsPerSecond
    self.connectionsMax = connectionsMax
  }

  public var isUnlimited: Bool {
    requestsPerSecond == nil && connectionsPerSecond == nil && connectionsMax == nil && datagramsPerSecond == nil
  }
}

/// Everything that holds. Empty: nobody in particular is held back.
public struct Mitigations: Sendable, Equatable {
  /// Known sources that do far more than they used to.
  public var sources: [UInt32: SourceLimit] = [:]
  /// Networks (the first 24 bits, the rest zero) whose strangers share one limit.
  public var prefixes: [UInt32: SourceLimit] = [:]
  /// Each source that was not known before the flood.
  public var strangers = SourceLimit()
  /// What all strangers together may have. In peace it is the bound of what is taken for a flood, so that the first
  /// moments of one, before it is recognised, are no worse than what is still usual; it then holds for many that do
  /// little each, and for all with `holdsStrangers`.
  public var strangersTogether = SourceLimit()
  /// In peace: others need what strangers take.
  public var holdsStrangers = false
  /// Sources that were served before the flood: the limits for strangers are not theirs.
  public var known: Set<UInt32> = []
  /// Sources that get nothing, with the time until which.
  public var held: [UInt32: Double] = [:]
  /// Strangers get short times for heads and bodies.
  public var hurriesStrangers = false

  public init() {}

  public var isEmpty: Bool {
    sources.isEmpty && prefixes.isEmpty && strangers.isUnlimited && held.isEmpty && !hurriesStrangers
  }

  /// Whether a source is one of those that `strangers` and `strangersTogether` are for.
  public func isStranger(_ address: UInt32) -> Bool {
    !known.contains(address) && !(isEmpty && strangersTogether.isUnlimited)
  }

  /// The limit that holds for a source by itself (its prefix's comes on top).
  public func limit(of address: UInt32) -> SourceLimit? {
    if let own = sources[address] { return own }
    return strangers.isUnlimited || known.contains(address) ? nil : strangers
  }

  /// The network of a source.
  public static func prefix(of address: UInt32) -> UInt32 { address & 0xFFFF_FF00 }
}

/// A level that fills a budget evenly: what each of the values may have so that together they fit.
enum WaterFill {
  /// The highest level at which the sum of `min(value, level)` does not exceed the budget; nil when all fit whole.
  static func level(_ values: [Double], budget: Double) -> Double? {
    let sorted = values.sorted()
    var rest = budget
    for (index, value) in sorted.enumerated() {
      let share = rest / Double(sorted.count - index)
      if value > share { return max(0, share) }
      rest -= value
    }
    return nil
  }
}
