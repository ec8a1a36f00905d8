// What a loop remembers of one source, and how its rates are bounded.

/// Something that no honest client does, or not often.
enum Offence {
  /// HTTP/2: streams opened and reset again and again.
  case rapidReset
  /// HTTP/2: more CONTINUATION, SETTINGS, PING, PRIORITY or empty frames than anybody needs.
  case controlFlood
  /// The time for a head ran out.
  case slowHead
  /// A body that trickles.
  case slowBody
  /// An answer that is not taken.
  case slowRead
  /// A message that is not HTTP.
  case malformed

  /// How much of a source's credit it costs; at 100 the source is held for ten seconds.
  var weight: Float {
    switch self {
    case .rapidReset: 35
    case .controlFlood: 35
    case .slowHead, .slowBody, .slowRead: 10
    case .malformed: 0
    }
  }
}

/// Fills at a rate up to its burst; one is taken for each request, connection or datagram.
struct TokenBucket {
  /// A second; infinite for no limit.
  private(set) var rate = Float.infinity
  private var burst: Float = 0
  private var tokens: Float = 0
  private var filledAt: UInt64 = 0

  var isUnlimited: Bool { rate == .infinity }

  /// Another rate. A bucket that had none begins full; one that had keeps what is in it.
  mutating func set(rate: Float, burst: Float, now: UInt64) {
    if isUnlimited || filledAt == 0 {
      tokens = burst
      filledAt = now
    }
    self.rate = rate
    self.burst = burst
    tokens = min(tokens, burst)
  }

  mutating func lift() { self = TokenBucket() }

  mutating func take(now: UInt64) -> Bool {
    if isUnlimited { return true }
    tokens = min(burst, tokens + Float(now &- filledAt) * rate / 1e6)
    filledAt = now
    if tokens < 1 { return false }
    tokens -= 1
    return true
  }
}

/// One source in one loop.
struct SourceEntry {
  var address: UInt32
  /// The next entry with the same hash, or the next free one.
  var next: Int32 = -1
  var isFree = false
  /// Seen since the last report.
  var isTouched = false
  /// Served once: not a stranger to this loop.
  var wasServed = false
  /// Came with an attack: short times.
  var isHurried = false
  /// Has a bucket for requests or datagrams of its own or shares one.
  var isLimited = false
  /// Shares what strangers have together.
  var isStranger = false
  /// Index of the shared bucket of its network, or -1.
  var network: Int32 = -1
  var open: UInt32 = 0
  var slow: UInt32 = 0
  var requests: UInt32 = 0
  var connections: UInt32 = 0
  var datagrams: UInt32 = 0
  /// Looks in which bytes passed over a connection.
  var flows: UInt32 = 0
  var refused: UInt32 = 0
  var errors: UInt32 = 0
  var offences: UInt32 = 0
  var bytes: UInt64 = 0
  var connectionsMax: UInt32 = .max
  var requestBucket = TokenBucket()
  var connectionBucket = TokenBucket()
  var datagramBucket = TokenBucket()
  /// Held by the watch, and by this loop for offences.
  var heldUntil: UInt64 = 0
  var penalisedUntil: UInt64 = 0
  var lastSeen: UInt64 = 0
  var penalty: Float = 0
  var penaltyAt: UInt64 = 0
}
