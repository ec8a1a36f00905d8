// Tasks as plain processes under the Supervisor: no image, no namespace, nothing to install.

import Logging
import Supervisor

/// Runs each container of a task as a process of its own session.
public struct ProcessTaskRuntime: TaskRuntime {
  public let kind = "process"
  private let supervisor: Supervisor
  private let logger: Logger

  static let prefix = "task/"

  public init(supervisor: Supervisor, logger: Logger = Logger(label: "castle.tasks")) {
    self.supervisor = supervisor
    self.logger = logger
  }

  static func processID(_ task: String, _ container: String) -> String { "\(prefix)\(task)/\(container)" }

  public func start(_ specification: TaskSpecification) async throws -> any RunningTask {
    try Self.validate(specification)
    let task = ProcessTask(
      id: specification.id, address: specification.address, labels: specification.labels, supervisor: supervisor,
      logger: logger)
    for (order, container) in specification.containers.enumerated() {
      do {
        let process = try await supervisor.start(Self.process(specification, container, order))
        task.add(container.name, process, Self.settings(container))
      } catch {
        await task.stop(grace: 0)
        await task.forget()
        throw TaskError.containerFailed(container: container.name, reason: "\(error)")
      }
    }
    task.allStarted()
    return task
  }

  public func adopt() async -> [any RunningTask] {
    let running = await supervisor.adopt()
    let processes = Dictionary(running.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let records = await supervisor.records().filter { $0.id.hasPrefix(Self.prefix) && $0.labels["castle.task"] != nil }
    let tasks = Dictionary(grouping: records) { $0.labels["castle.task"] ?? "" }
    return tasks.sorted { $0.key < $1.key }.map { id, records in
      let ordered = records.sorted { Self.order($0.labels) < Self.order($1.labels) }
      let labels = ordered.first?.labels ?? [:]
      let task = ProcessTask(
        id: id, address: labels["castle.address"] ?? "", labels: labels.filter { !$0.key.hasPrefix("castle.") },
        supervisor: supervisor, logger: logger)
      for record in ordered {
        let settings = Self.settings(record.labels)
        let name = record.labels["castle.container"] ?? record.id
        if let process = processes[record.id] {
          task.add(name, process, settings)
        } else {
          task.addEnded(name, record, settings)
        }
      }
      task.allStarted()
      return task
    }
  }

  // MARK: Between containers and processes

  private static func validate(_ task: TaskSpecification) throws(TaskError) {
    func check(_ isGood: Bool, _ why: String) throws(TaskError) { if !isGood { throw .invalid(why) } }
    try check(!task.id.isEmpty && task.id.utf8.count <= 100 && !task.id.contains("/"), "task id '\(task.id)'")
    try check(!task.containers.isEmpty, "no containers")
    try check(Set(task.containers.map(\.name)).count == task.containers.count, "two containers have the same name")
    try check(
      !task.labels.keys.contains { $0.hasPrefix("castle.") }, "labels that begin with castle. are the runtime's")
    for container in task.containers {
      try check(!container.name.isEmpty && container.name.utf8.count <= 60, "container name '\(container.name)'")
      try check(!container.name.contains("/"), "container name '\(container.name)'")
      try check(!container.command.isEmpty, "container \(container.name) has no command")
    }
  }

  struct Settings: Sendable, Hashable {
    var isEssential: Bool
    var memoryBytes: UInt64?
    var stopSignal: Int32
    var stopGrace: Double
  }

  private static func settings(_ container: ContainerSpecification) -> Settings {
    Settings(
      isEssential: container.isEssential, memoryBytes: container.memoryBytes, stopSignal: container.stopSignal,
      stopGrace: container.stopGrace)
  }

  private static func settings(_ labels: [String: String]) -> Settings {
    Settings(
      isEssential: labels["castle.essential"] != "false", memoryBytes: labels["castle.memory"].flatMap { UInt64($0) },
      stopSignal: labels["castle.stop-signal"].flatMap { Int32($0) } ?? 15,
      stopGrace: labels["castle.stop-grace"].flatMap { Double($0) } ?? 30)
  }

  private static func order(_ labels: [String: String]) -> Int { labels["castle.order"].flatMap { Int($0) } ?? 0 }

  private static func process(
    _ task: TaskSpecification, _ container: ContainerSpecification, _ order: Int
  ) -> ProcessSpecification {
    var labels = task.labels
    labels["castle.task"] = task.id
    labels["castle.container"] = container.name
    labels["castle.address"] = task.address
    labels["castle.order"] = String(order)
    labels["castle.essential"] = String(container.isEssential)
    labels["castle.memory"] = container.memoryBytes.map { String($0) }
    labels["castle.stop-signal"] = String(container.stopSignal)
    labels["castle.stop-grace"] = String(container.stopGrace)
    return ProcessSpecification(
      id: processID(task.id, container.name), executable: container.command[0],
      arguments: Array(container.command.dropFirst()), environment: container.environment,
      workingDirectory: container.workingDirectory, user: container.user, logFile: container.logFile,
      limits: ResourceLimits(openFiles: container.openFiles), stopSignal: container.stopSignal,
      stopGrace: container.stopGrace, fileModeMask: 0o022, labels: labels)
  }
}
