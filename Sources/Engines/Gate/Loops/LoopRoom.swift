// Which loops are full: each has a descriptor table of its own, so one may have room when another has none.
import Synchronization

/// A bit for each loop, set by the loop itself.
final class LoopRoom: Sendable {
  let loops: Int
  private let all: UInt64
  private let full = Atomic<UInt64>(0)

  /// - Parameter loops: at most 64.
  init(loops: Int) {
    self.loops = loops
    all = loops >= 64 ? .max : (1 << UInt64(loops)) - 1
  }

  func set(_ loop: Int, isFull: Bool) {
    if isFull {
      full.bitwiseOr(1 << UInt64(loop), ordering: .relaxed)
    } else {
      full.bitwiseAnd(~(1 << UInt64(loop)), ordering: .relaxed)
    }
  }

  /// Whether another loop can take connections that this one cannot.
  func isElsewhere(than loop: Int) -> Bool {
    full.load(ordering: .relaxed) | 1 << UInt64(loop) != all
  }
}
