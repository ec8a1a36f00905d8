// Which process is meant, also when its number has been given to another one.

/// One process for ever: its number and when it began.
public struct ProcessIdentity: Codable, Sendable, Hashable {
  public var pid: Int32
  /// Clock ticks since boot: tells this process from a later one with the same number.
  public var startTime: UInt64

  /// The running process of this number; nil when there is none.
  public init?(pid: Int32) {
    guard let now = ProcFS.stat(pid) else { return nil }
    self.pid = pid
    startTime = now.startTime
    if !isRunning { return nil }
  }

  /// It exists and has not ended.
  public var isRunning: Bool { ProcFS.isRunning(pid, startTime: startTime) }
}
