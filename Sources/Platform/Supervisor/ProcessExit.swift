// How a process ended, and what it used while it ran.

import AWSCore

/// The end of a process.
public struct ProcessExit: Sendable, Hashable, CustomStringConvertible {
  public enum Reason: Sendable, Hashable {
    /// It ended by itself with an exit code.
    case code(Int32)
    /// A signal ended it.
    case signal(Int32, coreDumped: Bool)
    /// Its shim was killed too, or the machine went down: nobody saw how it ended.
    case unknown
  }
  public var reason: Reason
  /// When the shim saw the end; `nil` when the reason is unknown.
  public var endedAt: Timestamp?

  public init(_ reason: Reason, endedAt: Timestamp? = nil) {
    self.reason = reason
    self.endedAt = endedAt
  }

  /// Ended by itself with code 0.
  public var isSuccess: Bool { reason == .code(0) }

  /// The exit code, a signal as 128 + its number as shells and container runtimes do; `nil` when unknown.
  public var shellCode: Int32? {
    switch reason {
    case .code(let code): code
    case .signal(let number, _): 128 + number
    case .unknown: nil
    }
  }

  public var description: String {
    switch reason {
    case .code(let code): "exit code \(code)"
    case .signal(let number, let core): "signal \(number)\(core ? " (core dumped)" : "")"
    case .unknown: "unknown end"
    }
  }
}

/// What a process and its descendants use.
public struct ResourceUse: Sendable, Hashable {
  /// User and system time since the start, in seconds.
  public var cpuSeconds: Double
  /// Resident memory in bytes; pages shared between the processes are counted once, approximately.
  public var residentBytes: UInt64
  /// How many processes that is.
  public var processes: Int

  public init(cpuSeconds: Double, residentBytes: UInt64, processes: Int) {
    self.cpuSeconds = cpuSeconds
    self.residentBytes = residentBytes
    self.processes = processes
  }
}
