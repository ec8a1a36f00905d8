// Single tasks: RunTask, StopTask, what they are given and what becomes of them.

import AWSCore
import ECSModel
import Foundation
import Testing

@testable import ECSService

@Suite("ECS tasks", .timeLimit(.minutes(2))) struct ECSTaskTests {
  private func run(_ f: ECSFixture, _ change: (inout ECS.RunTaskRequest) -> Void = { _ in }) async throws -> ECS.Task {
    _ = try await f.run(ECS.createCluster) { $0.clusterName = "main" }
    let answer = try await f.run(ECS.runTask) {
      $0.cluster = "main"
      $0.taskDefinition = "app"
      change(&$0)
    }
    return try #require(answer.tasks?.first)
  }

  @Test("a task's exit code is told, and its output is shipped to its log stream")
  func exit() async throws {
    try await ECSFixture.with { f in
      try await f.register("echo hello $NAME at $HOST; echo last; exit 3") {
        $0.logConfiguration = .make {
          $0.logDriver = "awslogs"
          $0.options = ["awslogs-group": "fresh", "awslogs-stream-prefix": "run", "awslogs-create-group": "true"]
        }
      }
      let task = try await run(f) {
        $0.startedBy = "me"
        $0.overrides = .make {
          $0.containerOverrides = [
            .make {
              $0.name = "web"
              $0.environment = [
                .make {
                  $0.name = "NAME"
                  $0.value = "you"
                }
              ]
            }
          ]
        }
      }
      #expect(task.lastStatus == "PROVISIONING" && task.group == "family:app" && task.startedBy == "me")
      let end = try await f.stopped(task.taskArn ?? "")
      #expect(end.containers?.first?.exitCode == 3)
      #expect(end.stopCode == "EssentialContainerExited")
      let id = task.taskArn?.split(separator: "/").last ?? ""
      let lines = f.logs.lines("run/web/\(id)")
      #expect(lines.count == 2 && lines.last == "last")
      #expect(lines.first?.hasPrefix("hello you at 127.") == true)
      #expect(
        try await f.run(ECS.listTasks) {
          $0.cluster = "main"
          $0.desiredStatus = "STOPPED"
        }.taskArns == [task.taskArn ?? ""])
    }
  }

  @Test("a command override takes the place of the label's command")
  func override() async throws {
    try await ECSFixture.with { f in
      try await f.register("exit 1")
      let task = try await run(f) {
        $0.overrides = .make {
          $0.containerOverrides = [
            .make {
              $0.name = "web"
              $0.command = ["/bin/sh", "-c", "exit 42"]
            }
          ]
        }
      }
      #expect(try await f.stopped(task.taskArn ?? "").containers?.first?.exitCode == 42)
    }
  }

  @Test("a stopped task is asked to end, and says why it was stopped")
  func stop() async throws {
    try await ECSFixture.with { f in
      try await f.register("trap \"exit 0\" TERM; while :; do sleep 0.05; done")
      let task = try await run(f)
      let arn = task.taskArn ?? ""
      try await f.until("it runs") { try await f.task(arn).lastStatus == "RUNNING" }
      let stopping = try await f.run(ECS.stopTask) {
        $0.cluster = "main"
        $0.task = arn
        $0.reason = "enough"
      }
      #expect(stopping.task?.desiredStatus == "STOPPED")
      let end = try await f.stopped(arn)
      #expect(end.stopCode == "UserInitiated" && end.stoppedReason == "enough")
      #expect(end.containers?.first?.exitCode == 0)
      await #expect(throws: ECSError.taskNotFound) {
        _ = try await f.run(ECS.stopTask) {
          $0.cluster = "main"
          $0.task = "none"
        }
      }
    }
  }

  @Test("a container without a program to run says what is missing")
  func noProgram() async throws {
    try await ECSFixture.with { f in
      try await f.register(nil)
      let end = try await f.stopped(try await run(f).taskArn ?? "")
      #expect(end.stopCode == "TaskFailedToStart")
      #expect(
        end.stoppedReason
          == "CannotPullContainerError: the container runtime is not built: image shop/web has no castle.run label")
    }
  }

  @Test("what the process runtime cannot give a container stops the task with its name")
  func notBuilt() async throws {
    let cases: [(String, (inout ECS.ContainerDefinition) -> Void)] = [
      (
        "environment files",
        {
          $0.environmentFiles = [
            .make {
              $0.value = "arn:aws:s3:::b/e.env"
              $0.type = "s3"
            }
          ]
        }
      ),
      (
        "SSM parameters",
        {
          $0.secrets = [
            .make {
              $0.name = "A"
              $0.valueFrom = "/app/mode"
            }
          ]
        }
      ),
      ("log driver splunk", { $0.logConfiguration = .make { $0.logDriver = "splunk" } }),
      (
        "dependency condition",
        {
          $0.dependsOn = [
            .make {
              $0.containerName = "web"
              $0.condition = "HEALTHY"
            }
          ]
        }
      ),
      ("the folder /nowhere", { $0.dockerLabels = ["castle.run": "true", "castle.directory": "/nowhere"] }),
    ]
    try await ECSFixture.with { f in
      for (text, change) in cases {
        try await f.register("exit 0", change)
        let end = try await f.stopped(try await run(f).taskArn ?? "")
        #expect(end.stopCode == "TaskFailedToStart")
        #expect(end.stoppedReason?.contains(text) == true, "\(end.stoppedReason ?? "")")
      }
    }
  }

  @Test("secrets come with the execution role's identity, whole or by key")
  func secrets() async throws {
    try await ECSFixture.with { f in
      try await f.register("test \"$USER_NAME-$PORT_NUMBER\" = shop-5432 && test -n \"$WHOLE\"") {
        $0.secrets = [
          .make {
            $0.name = "USER_NAME"
            $0.valueFrom = "\(FakeIdentity.secret):username::"
          },
          .make {
            $0.name = "PORT_NUMBER"
            $0.valueFrom = "\(FakeIdentity.secret):port::"
          },
          .make {
            $0.name = "WHOLE"
            $0.valueFrom = FakeIdentity.secret
          },
        ]
      } task: {
        $0.executionRoleArn = FakeIdentity.execution
      }
      let end = try await f.stopped(try await run(f).taskArn ?? "")
      #expect(end.containers?.first?.exitCode == 0, "\(end.stoppedReason ?? "")")

      try await f.register("exit 0") {
        $0.secrets = [
          .make {
            $0.name = "A"
            $0.valueFrom = FakeIdentity.secret
          }
        ]
      } task: {
        $0.executionRoleArn = FakeIdentity.task
      }
      let denied = try await f.stopped(try await run(f).taskArn ?? "")
      #expect(denied.stopCode == "TaskFailedToStart")
      #expect(denied.stoppedReason?.hasPrefix("ResourceInitializationError: unable to pull secrets") == true)
    }
  }

  @Test("a task's token opens the credentials of its role, and no other does")
  func credentials() async throws {
    try await ECSFixture.with { f in
      try await f.register(
        "echo $AWS_CONTAINER_AUTHORIZATION_TOKEN $AWS_CONTAINER_CREDENTIALS_FULL_URI; exec sleep 1000"
      ) {
        $0.logConfiguration = .make {
          $0.logDriver = "awslogs"
          $0.options = ["awslogs-group": "app"]
        }
      } task: {
        $0.taskRoleArn = FakeIdentity.task
      }
      let task = try await run(f)
      let id = String(task.taskArn?.split(separator: "/").last ?? "")
      try await f.until("it has told its token") { !f.logs.lines("web/\(id)").isEmpty }
      let words = f.logs.lines("web/\(id)")[0].split(separator: " ").map(String.init)
      #expect(words.count == 2 && words[1] == "\(f.harness.environment.endpoint)/_castle/credentials/\(id)")
      let answer = try await f.ecs.taskCredentials(id: id, authorization: words[0])
      #expect(answer["AccessKeyId"]?.text == "ASIA" && answer["RoleArn"]?.text == FakeIdentity.task)
      #expect(answer["Token"]?.text == "session" && answer["Expiration"]?.text != nil)
      _ = try await f.ecs.taskCredentials(id: id, authorization: words[0])
      #expect(f.identity.assumptions.withLock { $0 } == [FakeIdentity.task])
      for (id, token) in [(id, "wrong"), (id, ""), ("none", words[0])] {
        await #expect(throws: AWSError.self) { try await f.ecs.taskCredentials(id: id, authorization: token) }
      }
    }
  }

  @Test("a token of RunTask gives the same tasks twice")
  func idempotent() async throws {
    try await ECSFixture.with { f in
      try await f.register("exec sleep 1000")
      let first = try await run(f) { $0.clientToken = "once" }
      let second = try await run(f) { $0.clientToken = "once" }
      #expect(first.taskArn == second.taskArn)
    }
  }
}
