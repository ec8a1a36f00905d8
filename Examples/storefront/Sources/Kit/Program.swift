// How both programs start and stop.
import FoundationEssentials
import Hummingbird
import Logging
import ServiceLifecycle

/// The frame of a program: its settings, its log, and a run that ends cleanly on SIGTERM.
public struct Program: Sendable {
  /// The environment.
  public let settings: Settings
  /// The name of this task.
  public let task: String
  /// Where log lines go.
  public let output: LogOutput
  /// For what is not a request.
  public let logger: Logger

  /// Requests in flight get this long after SIGTERM; ECS sends SIGKILL after 30 seconds.
  static let gracePeriod = Duration.seconds(25)

  /// Reads the environment and sets up the log.
  public init(name: String) {
    let settings = Settings.ofThisProcess
    let task = settings.taskID
    let output = LogOutput()
    LoggingSystem.bootstrap { LineLogHandler(label: $0, task: task, output: output) }
    self.settings = settings
    self.task = task
    self.output = output
    logger = Logger(label: name)
  }

  /// Runs until SIGTERM or SIGINT, then lets requests in flight finish and closes kept-alive connections.
  public func run(_ application: some ApplicationProtocol) async throws {
    var configuration = ServiceGroupConfiguration(
      services: [application], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    configuration.maximumGracefulShutdownDuration = Program.gracePeriod
    try await ServiceGroup(configuration: configuration).run()
  }

  /// Runs `body`; an error is logged as the program's last line and gives exit status 1.
  public func main(_ body: (Program) async throws -> Void) async -> Int32 {
    var status: Int32 = 0
    do {
      try await body(self)
    } catch {
      logger.critical("\(error)")
      status = 1
    }
    do {
      try await output.close()
    } catch {
      status = 1
    }
    return status
  }
}
