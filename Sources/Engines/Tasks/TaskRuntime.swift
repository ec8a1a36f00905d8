// What can run tasks. Processes now; containers behind the same protocol later.

import Supervisor

/// Runs tasks. Tasks outlive the control plane: `adopt` finds them again.
public protocol TaskRuntime: Sendable {
  /// `process`, `container`.
  var kind: String { get }
  /// Starts all containers of a task.
  /// - Throws: `TaskError`; then nothing of the task runs.
  func start(_ specification: TaskSpecification) async throws -> any RunningTask
  /// The tasks that an earlier control plane started and that were not forgotten: running ones, and those that have
  /// ended since, with how.
  func adopt() async -> [any RunningTask]
}

/// A task that was started.
public protocol RunningTask: AnyObject, Sendable {
  var id: String { get }
  var address: String { get }
  var labels: [String: String] { get }
  /// In the order of the specification.
  var containers: [ContainerState] { get }
  /// Whether all containers have ended.
  var isStopped: Bool { get }
  /// What has happened so far, then what happens. Ends behind `.stopped`.
  func events() -> AsyncStream<TaskEvent>
  /// Asks all containers to end, kills those that do not within their grace (or the given one, in seconds). Returns
  /// when nothing of the task runs.
  func stop(grace: Double?) async
  /// CPU time and memory by container name; those that have ended are missing.
  func resourceUse() async -> [String: ResourceUse]
  /// Forgets a stopped task: `adopt` does not find it any more. Log files stay.
  func forget() async
}

extension RunningTask {
  public func stop() async { await stop(grace: nil) }
}
