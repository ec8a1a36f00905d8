// The dashboard's paths: the page and its files, the state once and as a stream, logs of a part, and what the buttons do.

import AWSCore
import Dashboard
import ECSModel
import Edge
import FoundationEssentials
import ServiceKit
import Supervisor

extension Castle {
  /// To be the last of the list: the page's own route takes every path that is left.
  func dashboardRoutes() -> [ControlRoute] {
    let reporter = StateReporter(self)
    let feed = DashboardFeed(self, reporter)
    return [
      ControlRoute("GET", "/state", access: .token) { _ in
        ControlResponse(
          contentType: "application/json", headers: [("cache-control", "no-store")],
          body: try DashboardFeed.encode(await reporter.report()))
      },
      ControlRoute("GET", "/events", access: .token) { _ in await feed.response() },
      ControlRoute("GET", "/tail", access: .token) { try await self.tail($0, reporter) },
      ControlRoute("POST", "/kill", access: .token) { try await self.kill($0) },
      ControlRoute("GET", "/", access: .token) { try self.page($0) },
    ]
  }

  // MARK: - The page

  private func page(_ request: ControlRequest) throws -> ControlResponse {
    if request.path == "/", request.query["token"] != nil {
      // The token leaves the address bar, and with it the history. The chain has checked it.
      return ControlResponse(
        status: 303,
        headers: [
          ("location", "/_castle/"), ("cache-control", "no-store"), ("referrer-policy", "no-referrer"),
          ("set-cookie", "castle-token=\(owner.token); Path=/_castle/; HttpOnly; SameSite=Strict"),
        ])
    }
    guard let asset = DashboardAssets.asset(request.path) else {
      throw AWSError("NotFound", "There is no /_castle\(request.path) here.", status: 404)
    }
    return ControlResponse(
      contentType: asset.contentType,
      headers: [
        ("content-security-policy", DashboardAssets.contentSecurityPolicy), ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"), ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"), ("cross-origin-resource-policy", "same-origin"),
      ], body: asset.bytes)
  }

  // MARK: - Buttons

  /// `POST /kill?task=ARN` ends a task's processes as a crash would (SIGKILL); `&how=stop` asks ECS to stop it.
  /// `POST /kill?node=NAME` ends the server of a database instance or cache node.
  private func kill(_ request: ControlRequest) async throws -> ControlResponse {
    // Cookies know no ports: a page that another program of this machine serves is no foreign site to the browser.
    if let site = request.headers["sec-fetch-site"], site != "same-origin" {
      throw AWSError("AccessDenied", "Only the dashboard's own page may do this.", status: 403)
    }
    let processes: [ProcessRecord]
    var answer: [String: JSONValue] = [:]
    if let arn = request.query["task"] {
      answer["task"] = .string(arn)
      if request.query["how"] == "stop" { return try await stopTask(arn, answer) }
      processes = await records(ofTask: StateReporter.name(arn))
      // A task without processes of its own is known to ECS alone.
      if processes.isEmpty { return try await stopTask(arn, answer) }
    } else if let node = request.query["node"] {
      answer["node"] = .string(node)
      processes = await records(ofNode: node)
      guard !processes.isEmpty else {
        throw AWSError("NotFound", "There is no server \(node) that runs.", status: 404)
      }
    } else {
      throw AWSError.validation("kill takes task=ARN or node=NAME")
    }
    var killed: [JSONValue] = []
    for record in processes {
      guard let process = await supervisor.adopt(record.id), process.isRunning else { continue }
      process.kill()
      killed.append(.string(record.id))
    }
    answer["how"] = "killed"
    answer["processes"] = .array(killed)
    return .json(.object(answer))
  }

  private func stopTask(_ arn: String, _ answer: [String: JSONValue]) async throws -> ControlResponse {
    // arn:aws:ecs:region:account:task/cluster/id
    let path = (ARN(arn)?.resource ?? "").split(separator: "/")
    guard path.count == 3, path[0] == "task" else {
      throw AWSError.validation("\(arn) is not the ARN of a task")
    }
    _ = try await ownerCall().invoke(
      ECS.stopTask,
      .make {
        $0.cluster = String(path[1])
        $0.task = arn
        $0.reason = "Stopped from the dashboard"
      })
    return .json(.object(answer.merging(["how": "stopped"]) { $1 }))
  }

  /// What the Supervisor holds of a task: the process runtime labels each container's process with its task.
  func records(ofTask id: String) async -> [ProcessRecord] {
    await supervisor.records().filter { $0.labels["castle.task"] == id && $0.exit == nil }
  }

  /// The servers of database instances and cache nodes are called `postgres/CLUSTER/NAME` and `redis/GROUP/NAME`.
  func records(ofNode name: String) async -> [ProcessRecord] {
    await supervisor.records().filter { record in
      let path = record.id.split(separator: "/")
      return path.count == 3 && (path[0] == "postgres" || path[0] == "redis") && path[2] == name && record.exit == nil
    }
  }
}
