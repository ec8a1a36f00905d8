// What a task is: containers that live and end together. Plain values that know nothing of AWS.

import AWSCore
import Supervisor

/// A task to be run.
public struct TaskSpecification: Sendable, Hashable {
  /// Names the task among all of a runtime's, also after the control plane has been restarted. At most 100 bytes,
  /// without `/`.
  public var id: String
  /// Started in this order.
  public var containers: [ContainerSpecification]
  /// The task's own address. The process runtime gives it to nobody but the environment the caller wrote it into;
  /// a container runtime puts it on the task's network interface.
  public var address: String
  /// Given back by adoption: service, revision, ports. Not for secrets; keys without spaces, no line breaks.
  public var labels: [String: String]

  public init(id: String, containers: [ContainerSpecification], address: String, labels: [String: String] = [:]) {
    self.id = id
    self.containers = containers
    self.address = address
    self.labels = labels
  }
}

/// One program of a task.
public struct ContainerSpecification: Sendable, Hashable {
  /// Unique in the task: letters, digits, `-`, `_`.
  public var name: String
  /// The program and its arguments.
  public var command: [String]
  /// The whole environment; nothing is inherited.
  public var environment: [String: String]
  public var workingDirectory: String?
  /// CPU units, 1,024 to a core. The process runtime does not hold anybody to it.
  public var cpuUnits: Int?
  /// What it may use at most, in bytes. The process runtime looks at the resident memory of the program and all it
  /// started once a second and kills it above: a fast leak may get further for a moment.
  public var memoryBytes: UInt64?
  /// Standard output and error are appended here, line by line as the program writes them.
  public var logFile: String
  /// Whether its end ends the task.
  public var isEssential: Bool
  /// Whom to run as; `nil` is who we are.
  public var user: SystemUser?
  public var openFiles: UInt64?
  public var stopSignal: Int32
  /// Seconds between the stop signal and the kill.
  public var stopGrace: Double

  public init(
    name: String, command: [String], environment: [String: String], workingDirectory: String? = nil,
    cpuUnits: Int? = nil, memoryBytes: UInt64? = nil, logFile: String, isEssential: Bool = true,
    user: SystemUser? = nil, openFiles: UInt64? = nil, stopSignal: Int32 = 15, stopGrace: Double = 30
  ) {
    self.name = name
    self.command = command
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.cpuUnits = cpuUnits
    self.memoryBytes = memoryBytes
    self.logFile = logFile
    self.isEssential = isEssential
    self.user = user
    self.openFiles = openFiles
    self.stopSignal = stopSignal
    self.stopGrace = stopGrace
  }
}

/// How and why a container ended.
public struct ContainerExit: Sendable, Hashable {
  public enum Reason: String, Sendable, Hashable {
    /// By itself: an exit code or a crash.
    case exited
    /// `stop` was called.
    case stopped
    /// Another container, an essential one, had ended.
    case essentialExited
    /// It used more memory than it may.
    case outOfMemory
    /// Nobody saw it end (the machine went down).
    case unknown
  }
  /// The exit code; `nil` when a signal ended it or nobody knows.
  public var code: Int32?
  public var signal: Int32?
  public var reason: Reason
  public var endedAt: Timestamp?

  public init(code: Int32?, signal: Int32?, reason: Reason, endedAt: Timestamp?) {
    self.code = code
    self.signal = signal
    self.reason = reason
    self.endedAt = endedAt
  }

  /// As container runtimes report it: the code, or 128 + the signal.
  public var containerCode: Int32? { code ?? signal.map { 128 + $0 } }
}

/// A container of a running task.
public struct ContainerState: Sendable, Hashable {
  public var name: String
  public var isEssential: Bool
  /// The process; in the control plane's own process namespace.
  public var pid: Int32?
  public var startedAt: Timestamp?
  /// `nil` while it runs.
  public var exit: ContainerExit?

  public init(name: String, isEssential: Bool, pid: Int32?, startedAt: Timestamp?, exit: ContainerExit?) {
    self.name = name
    self.isEssential = isEssential
    self.pid = pid
    self.startedAt = startedAt
    self.exit = exit
  }
}

public enum TaskEvent: Sendable, Hashable {
  case started(container: String, pid: Int32)
  case exited(container: String, ContainerExit)
  /// All containers have ended; the last event.
  case stopped
}

/// Why a task could not be started.
public enum TaskError: Error, Sendable, Hashable, CustomStringConvertible {
  case invalid(String)
  /// A container's program could not be started; those before it have been ended.
  case containerFailed(container: String, reason: String)

  public var description: String {
    switch self {
    case .invalid(let why): "invalid task: \(why)"
    case .containerFailed(let container, let reason): "container \(container): \(reason)"
    }
  }
}
