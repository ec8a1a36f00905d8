// What to run, as whom and within which limits. Plain values; Supervisor acts on them.

/// A program to be run under a castle-shim.
public struct ProcessSpecification: Sendable, Hashable {
  /// Names the process among all of a supervisor's, also after the control plane has been restarted
  /// (`postgres/orders/instance-1`). At most 180 bytes.
  public var id: String
  /// A path, or a name looked up in `environment["PATH"]`.
  public var executable: String
  /// Behind the program's own name, which is added.
  public var arguments: [String]
  /// The whole environment: nothing is inherited.
  public var environment: [String: String]
  /// `nil` is `/`.
  public var workingDirectory: String?
  /// Whom to become before the program is loaded; `nil` stays who we are. Needs root when it is somebody else.
  public var user: SystemUser?
  /// Standard output and error are appended here. The file is made with mode 0600.
  public var logFile: String
  public var limits: ResourceLimits
  /// Asks the program to end.
  public var stopSignal: Int32
  /// How long it may take after the stop signal before it is killed, in seconds.
  public var stopGrace: Double
  /// Octal file mode bits that new files do not get.
  public var fileModeMask: UInt32
  /// Kept in the status file and given back after adoption: ports, addresses, revision numbers. Not for secrets.
  /// Keys and values without line breaks, keys without spaces.
  public var labels: [String: String]
  /// What the process started outlives it. Set for the control plane itself, whose engines hang on shims of their own;
  /// the rest of a task or an engine ends with it.
  public var leavesDescendants = false
  /// The shim starts the process again, within a restart budget, when a signal ended it. `ManagedProcess` then stands
  /// for all of them: it ends when the last one has. For the control plane, which has nobody above it.
  public var respawns = false
  /// A socket that the shim listens on for the process, and holds while the process is started again: connections wait
  /// instead of being refused. Handed over as sd_listen_fds(3) describes: descriptor 3, `LISTEN_FDS`, `LISTEN_PID`.
  public var listener: Listener?

  /// Where to listen.
  public struct Listener: Sendable, Hashable {
    /// An IPv4 or IPv6 address.
    public var host: String
    /// 0 lets the system pick.
    public var port: UInt16

    public init(host: String, port: UInt16) {
      self.host = host
      self.port = port
    }
  }

  public init(
    id: String, executable: String, arguments: [String] = [],
    environment: [String: String] = ProcessSpecification.minimalEnvironment, workingDirectory: String? = nil,
    user: SystemUser? = nil, logFile: String, limits: ResourceLimits = ResourceLimits(), stopSignal: Int32 = 15,
    stopGrace: Double = 10, fileModeMask: UInt32 = 0o077, labels: [String: String] = [:]
  ) {
    self.id = id
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.user = user
    self.logFile = logFile
    self.limits = limits
    self.stopSignal = stopSignal
    self.stopGrace = stopGrace
    self.fileModeMask = fileModeMask
    self.labels = labels
  }

  /// The environment of a program that needs none: a path and a locale.
  public static let minimalEnvironment = [
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
  ]
}

/// Limits of one process (setrlimit(2)). A limit above what the machine allows becomes what it allows.
public struct ResourceLimits: Sendable, Hashable {
  /// RLIMIT_NOFILE.
  public var openFiles: UInt64?
  /// RLIMIT_CORE, in bytes. No core files unless asked for.
  public var coreBytes: UInt64?
  /// RLIMIT_AS, in bytes. Programs that reserve address space (Go, Java, Node) need far more than they use.
  public var addressSpaceBytes: UInt64?
  /// RLIMIT_DATA, in bytes: private writable memory.
  public var dataBytes: UInt64?
  /// RLIMIT_NPROC: counts all of the user's processes.
  public var processes: UInt64?

  public init(
    openFiles: UInt64? = nil, coreBytes: UInt64? = 0, addressSpaceBytes: UInt64? = nil, dataBytes: UInt64? = nil,
    processes: UInt64? = nil
  ) {
    self.openFiles = openFiles
    self.coreBytes = coreBytes
    self.addressSpaceBytes = addressSpaceBytes
    self.dataBytes = dataBytes
    self.processes = processes
  }
}
