// Tasks as processes: events, essential containers, memory, stop, adoption.

import Glibc
import Supervisor
import Testing

@testable import Tasks

@Suite("Process tasks", .timeLimit(.minutes(1))) struct TasksTests {
  func container(
    _ f: EngineFixture, _ name: String, _ script: String, _ change: (inout ContainerSpecification) -> Void = { _ in }
  ) -> ContainerSpecification {
    var container = ContainerSpecification(
      name: name, command: ["/bin/sh", "-c", script], environment: ["PATH": "/usr/bin:/bin", "PORT": "3000"],
      logFile: f.directory + "/\(name).log")
    change(&container)
    return container
  }

  func all(_ task: any RunningTask) async -> [TaskEvent] {
    var events: [TaskEvent] = []
    for await event in task.events() { events.append(event) }
    return events
  }

  @Test("a task's containers start in order, and their ends are events with code, signal and reason")
  func events() async throws {
    try await EngineFixture.with { f in
      let runtime = ProcessTaskRuntime(supervisor: f.supervisor)
      let task = try await runtime.start(
        TaskSpecification(
          id: "one",
          containers: [
            container(f, "side", "exit 3") { $0.isEssential = false },
            container(f, "main", "echo port $PORT; sleep 0.2; kill -11 $$"),
          ], address: f.network + ".1", labels: ["service": "shop"]))
      #expect(task.containers.map(\.name) == ["side", "main"])
      let events = await all(task)
      #expect(events.last == .stopped)
      let (side, main) = (task.containers[0], task.containers[1])
      #expect(side.exit?.code == 3 && side.exit?.reason == .exited)
      #expect(main.exit?.signal == 11 && main.exit?.containerCode == 139)
      #expect(events.filter { if case .started = $0 { true } else { false } }.count == 2)
      #expect(PrivateFiles.tail(f.directory + "/main.log") == "port 3000\n")
      // Who asks later hears all of it.
      #expect(await all(task) == events)
      await task.forget()
      #expect(await runtime.adopt().isEmpty)
    }
  }

  @Test("the end of an essential container ends the others; stop asks first and kills later")
  func ends() async throws {
    try await EngineFixture.with { f in
      let runtime = ProcessTaskRuntime(supervisor: f.supervisor)
      let task = try await runtime.start(
        TaskSpecification(
          id: "pair", containers: [container(f, "main", "exit 0"), container(f, "side", "exec sleep 1000")],
          address: f.network + ".1"))
      #expect(await all(task).last == .stopped)
      #expect(task.containers[1].exit?.signal == SIGTERM)
      #expect(task.containers[1].exit?.reason == .essentialExited)

      let other = try await runtime.start(
        TaskSpecification(
          id: "deaf",
          containers: [container(f, "deaf", "trap '' TERM; echo up; while :; do sleep 1; done") { $0.stopGrace = 0.2 }],
          address: f.network + ".2"))
      while !PrivateFiles.tail(f.directory + "/deaf.log").contains("up") { try await Task.sleep(for: .milliseconds(5)) }
      #expect(await other.resourceUse()["deaf"] != nil)
      await other.stop()
      #expect(other.isStopped)
      #expect(other.containers[0].exit?.signal == SIGKILL && other.containers[0].exit?.reason == .stopped)
    }
  }

  @Test("a container that cannot be started fails its task, and nothing of it is left")
  func failure() async throws {
    try await EngineFixture.with { f in
      let runtime = ProcessTaskRuntime(supervisor: f.supervisor)
      let broken = container(f, "broken", "") { $0.command = ["/nowhere"] }
      await #expect(throws: TaskError.self) {
        try await runtime.start(
          TaskSpecification(
            id: "half", containers: [container(f, "first", "exec sleep 1000"), broken], address: f.network + ".1"))
      }
      #expect(await f.supervisor.records().isEmpty)
      await #expect(throws: TaskError.invalid("no containers")) {
        try await runtime.start(TaskSpecification(id: "none", containers: [], address: ""))
      }
    }
  }

  @Test("a container above its memory is killed for that reason")
  func memory() async throws {
    try await EngineFixture.with { f in
      let runtime = ProcessTaskRuntime(supervisor: f.supervisor)
      let hog = container(f, "hog", "x=$(head -c 60000000 /dev/zero | tr '\\0' a); while :; do sleep 0.1; done") {
        $0.memoryBytes = 20_000_000
      }
      let task = try await runtime.start(
        TaskSpecification(id: "hog", containers: [hog], address: f.network + ".1"))
      #expect(await all(task).last == .stopped)
      #expect(task.containers[0].exit?.reason == .outOfMemory)
      #expect(task.containers[0].exit?.containerCode == 137)
    }
  }

  @Test("a restarted control plane finds tasks that run and tasks that ended, and stops them alike")
  func adoption() async throws {
    try await EngineFixture.with { f in
      let runtime = ProcessTaskRuntime(supervisor: f.supervisor)
      let started = try await runtime.start(
        TaskSpecification(
          id: "runs",
          containers: [
            container(f, "init", "exit 0") { $0.isEssential = false }, container(f, "main", "exec sleep 1000"),
          ], address: f.network + ".1", labels: ["service": "shop", "revision": "3"]))
      let ended = try await runtime.start(
        TaskSpecification(id: "ended", containers: [container(f, "main2", "exit 4")], address: f.network + ".2"))
      #expect(await all(ended).last == .stopped)
      let initial = try #require(f.supervisor.process("task/runs/init"))
      _ = try await initial.exit

      let next = ProcessTaskRuntime(supervisor: try Supervisor(stateDirectory: f.supervisor.stateDirectory))
      let adopted = await next.adopt()
      #expect(adopted.map(\.id) == ["ended", "runs"])
      #expect(adopted[0].isStopped && adopted[0].containers[0].exit?.code == 4)
      let task = adopted[1]
      #expect(task.address == f.network + ".1" && task.labels == ["service": "shop", "revision": "3"])
      #expect(task.containers.map(\.name) == ["init", "main"])
      #expect(task.containers[0].exit?.code == 0 && task.containers[1].exit == nil)
      await task.stop()
      #expect(task.isStopped)
      // The one who started it sees the end as well.
      #expect(await all(started).last == .stopped)
    }
  }
}
