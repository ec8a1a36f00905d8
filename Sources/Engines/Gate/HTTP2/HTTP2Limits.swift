// What one HTTP/2 connection may do before it is called abuse: frames that cost us work and bring nobody anything.
import HTTPWire

/// Counts what the other side does. Each limit is far above what honest clients need.
struct HTTP2Limits {
  /// Streams that a client may have open (Application Load Balancer's limit).
  static let streamsMax = 128
  /// Frames of one header block.
  static let blockFramesMax = 32
  /// PING, SETTINGS, PRIORITY, empty DATA and unknown frames in one window of time.
  private static let controlFramesMax = 1000
  private static let controlWindow: UInt64 = 10_000_000
  /// Resets of streams by the other side (or that it made us send) beyond those that completed.
  private static let resetsMax = 100
  /// WINDOW_UPDATE frames beyond a few for each DATA frame that we sent.
  private static let windowUpdatesMax = 2000
  /// DATA frames that its windows made shorter than 64 bytes, beyond one in eight.
  private static let shortFramesMax = 200

  private var controlFrames = 0
  private var controlSince: UInt64 = 0
  private var resets = 0
  private var windowUpdates = 0
  private var dataFrames = 0
  private var shortFrames = 0

  @inline(__always)
  mutating func allowsControlFrame(_ now: UInt64) -> Bool {
    if now &- controlSince > Self.controlWindow {
      controlSince = now
      controlFrames = 0
    }
    controlFrames += 1
    return controlFrames <= Self.controlFramesMax
  }

  @inline(__always)
  mutating func allowsWindowUpdate() -> Bool {
    windowUpdates += 1
    return windowUpdates <= Self.windowUpdatesMax + 8 * dataFrames
  }

  /// Data passed: one control frame is forgiven, for some measure the line with a PING for each burst of data.
  @inline(__always)
  mutating func noteWork() { if controlFrames > 0 { controlFrames -= 1 } }

  /// A stream was reset before its answer.
  mutating func allowsReset() -> Bool {
    resets += 1
    return resets <= Self.resetsMax
  }

  /// Whether it is for resets that the connection ends.
  var hasReset: Bool { resets > Self.resetsMax }

  /// A request got its answer: one more reset is forgiven.
  @inline(__always)
  mutating func noteCompleted() { if resets > 0 { resets -= 1 } }

  /// A DATA frame was sent; short when there was more to send than the window let through.
  @inline(__always)
  mutating func noteData(isShort: Bool) {
    dataFrames += 1
    noteWork()
    if isShort { shortFrames += 1 }
  }

  var isTooFragmented: Bool { shortFrames > Self.shortFramesMax + dataFrames / 8 }
}
