// `castle up` of the storefront: bought from, seen through boto3, and hurt in every way that production is.

import AWSCore
import CastleTesting
import Foundation
import Glibc
import Supervisor
import Testing

@Suite("the storefront", .serialized, .castle(.app(file: storefrontFile))) struct StorefrontSuite {
  private func url(_ castle: CastleProcess) async throws -> String {
    try #require(try await castle.credentials()["CASTLE_PUBLIC_URL"], "castle env names the shop's address")
  }

  /// The running tasks' processes of a program.
  private func tasks(_ castle: CastleProcess, _ service: String) -> [CastleChild] {
    castle.children().filter { $0.labels["castle.task"] != nil && $0.mark.name == "storefront-\(service)".prefix(15) }
  }

  /// Visitors go through the shop while something happens to it.
  /// - Returns: how many requests they made, which failed, and the last word on it.
  private func underLoad(
    _ what: String, _ castle: CastleProcess, pictures: Bool = true, _ body: () async throws -> Void
  ) async throws -> (requests: Int, failed: Int, failures: String) {
    let raised = try await castle.script("limits.py")["raised"]?.integer
    #expect(raised == 1, "the storefront has a rate rule")
    let load = try await castle.launch("shop.py", ["load", try await url(castle), pictures ? "pictures" : "pages"])
    let result: Result<Void, any Error>
    do {
      try await eventually("visitors are served", seconds: 20) { load.output.contains("running") }
      result = .success(try await body())
    } catch {
      result = .failure(error)
    }
    load.interrupt()
    let finished = try await load.finished(seconds: 60).succeeded()
    let last = finished.output.split(separator: "\n").last ?? ""
    print("\(what): \(last)")
    try result.get()
    let said = try JSONDecoder().decode(JSONValue.self, from: Data(last.utf8))
    let failures = (said["failures"]?.array ?? []).compactMap(\.text).joined(separator: "\n")
    return (said["requests"]?.integer ?? 0, said["failed"]?.integer ?? -1, failures)
  }

  @Test("a visitor browses, orders, and sees the receipt verify", .timeLimit(.minutes(1))) func order() async throws {
    let castle = try castle()
    let said = try await castle.script("shop.py", ["order", try await url(castle)])
    #expect(said["tasks"]?.array?.isEmpty == false, "pages tell who served them")
  }

  @Test("boto3 sees everything that castle.yaml asks for", .timeLimit(.minutes(1))) func landscape() async throws {
    try await castle().script("landscape.py")
  }

  @Test("status, logs and scale tell and do what they say", .timeLimit(.minutes(1))) func command() async throws {
    let castle = try castle()
    let status = try await castle.castle(["status"]).succeeded()
    for part in ["frontend", "backend", "orders", "sessions"] { #expect(status.output.contains(part), "\(status)") }
    let logs = try await castle.castle(["logs", "backend", "--json"]).succeeded()
    #expect(logs.output.contains("\"message\""), "\(logs)")
    try await castle.castle(["scale", "frontend", "3"]).succeeded()
    try await eventually("three frontends run") { tasks(castle, "frontend").count == 3 }
    try await castle.castle(["scale", "frontend", "2"]).succeeded()
    try await eventually("two frontends run", seconds: 40) { tasks(castle, "frontend").count == 2 }
  }

  @Test("kill -9 of a task fails no request, and it is replaced", .timeLimit(.minutes(1))) func killTask() async throws
  {
    let castle = try castle()
    let before = tasks(castle, "backend")
    try #require(before.count == 2)
    let load = try await underLoad("kill -9 of a task", castle) {
      let began = ContinuousClock.now
      kill(before[0].mark.pid, SIGKILL)
      try await eventually("it is replaced") {
        let now = tasks(castle, "backend")
        return now.count == 2 && !now.contains { $0.mark == before[0].mark }
      }
      print("the task was replaced after \(ContinuousClock.now - began)")
      try await castle.script("landscape.py")
    }
    #expect(load.requests > 20)
    #expect(load.failed == 0, "\(load.failures)")
  }

  @Test("kill -9 of the control plane fails no request: it comes back and adopts what runs", .timeLimit(.minutes(1)))
  func killControlPlane() async throws {
    let castle = try castle()
    let before = Set(castle.children().map(\.mark))
    #expect(before.count >= 9, "a Gate, four tasks, two databases, two caches: \(castle.children().map(\.id))")
    let load = try await underLoad("kill -9 of the control plane, three times", castle) {
      for _ in 0..<3 {
        let killed = try castle.controlPlane().mark
        try await castle.killControlPlane()
        // Asked at once: the endpoint's socket is held, so this waits for the next control plane.
        try await castle.script("landscape.py")
        #expect(try castle.controlPlane().mark != killed)
      }
      try await castle.script("shop.py", ["order", try await url(castle)])
    }
    #expect(load.requests > 20)
    #expect(load.failed == 0, "\(load.failures)")
    #expect(Set(castle.children().map(\.mark)) == before, "the same processes: \(castle.children().map(\.id))")
  }

  @Test(
    "a zonal shift takes a zone out of the shop and fails no request; it holds when the control plane is killed",
    .timeLimit(.minutes(1)))
  func zonalShift() async throws {
    let castle = try castle()
    let load = try await underLoad("a zonal shift", castle) {
      let address = try await url(castle)
      try await castle.script("shift.py", ["start", address])
      try await castle.killControlPlane()
      try await castle.script("shift.py", ["holds", address])
      try await castle.script("shift.py", ["end", address])
    }
    #expect(load.requests > 20)
    #expect(load.failed == 0, "\(load.failures)")
  }

  @Test("without any control plane the shop goes on, and castle up adopts what runs", .timeLimit(.minutes(1)))
  func loseControlPlane() async throws {
    let castle = try castle()
    let before = Set(castle.children().map(\.mark))
    let load = try await underLoad("the control plane and its shim killed", castle, pictures: false) {
      try await castle.killControlPlane(forGood: true)
      // Pages, the database and the cache go on without it. Pictures lie in S3, which the control plane serves.
      let address = try await url(castle)
      for _ in 0..<20 {
        let page = try await castle.run("curl", ["-sSf", "-o", "/dev/null", "--max-time", "5", address])
        #expect(page.status == 0)
      }
      try await castle.start()
      try await castle.script("shop.py", ["order", address])
      try await castle.script("landscape.py")
    }
    #expect(load.requests > 20)
    #expect(load.failed == 0, "\(load.failures)")
    #expect(Set(castle.children().map(\.mark)) == before, "the same processes: \(castle.children().map(\.id))")
  }

  @Test("kill -9 of the Gate: it comes back by itself", .timeLimit(.minutes(1)))
  func killGate() async throws {
    let castle = try castle()
    let master = try #require(castle.children().first { $0.id == "gate" }).mark.pid
    let load = try await underLoad("kill -9 of the Gate's worker", castle) {
      let worker = try #require(Self.children(of: master).first, "the Gate has a worker")
      let began = ContinuousClock.now
      kill(worker, SIGKILL)
      let address = try await url(castle)
      try await eventually("the shop answers", seconds: 5) {
        try await castle.run("curl", ["-sS", "-o", "/dev/null", "--max-time", "1", address]).status == 0
      }
      let took = ContinuousClock.now - began
      print("the Gate was back after \(took)")
      // The whole Gate, too: the control plane starts it again.
      kill(master, SIGKILL)
      try await eventually("a new Gate runs", seconds: 10) {
        castle.children().contains { $0.id == "gate" && $0.mark.pid != master }
      }
      try await castle.script("shop.py", ["order", address])
    }
    #expect(load.requests > 20)
    #expect(load.failed < load.requests / 4, "\(load.failures)")
  }

  private static func children(of pid: Int32) -> [Int32] {
    let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
    return (text ?? "").split(separator: " ").compactMap { Int32($0) }
  }

  @Test("a rolling deployment replaces every task and fails no request", .timeLimit(.minutes(2))) func restart()
    async throws
  {
    let castle = try castle()
    let before = Set((tasks(castle, "backend") + tasks(castle, "frontend")).map(\.mark))
    let load = try await underLoad("restart of both services", castle) {
      try await castle.castle(["restart", "backend"]).succeeded()
      try await castle.castle(["restart", "frontend"]).succeeded()
      try await eventually("every task is another", seconds: 90) {
        let now = (tasks(castle, "backend") + tasks(castle, "frontend")).map(\.mark)
        return now.count == 4 && before.isDisjoint(with: now)
      }
    }
    #expect(load.requests > 20)
    #expect(load.failed == 0, "\(load.failures)")
  }

  @Test("kill -9 of the database's writer: the replica takes over and orders go on", .timeLimit(.minutes(2)))
  func killWriter() async throws {
    let castle = try castle()
    let address = try await url(castle)
    let placed = try await castle.script("shop.py", ["order", address])
    let seen = try await castle.script("landscape.py")
    let writer = try #require(seen["writer"]?.text)
    let postmaster = try #require(
      castle.children().first { $0.id.hasPrefix("postgres/") && $0.id.hasSuffix("/\(writer)") })
    let load = try await underLoad("kill -9 of the database's writer", castle) {
      kill(postmaster.mark.pid, SIGKILL)
      try await castle.script("shop.py", ["order", address], seconds: 40)
      // The order that was acknowledged before is in the new writer's book.
      try await castle.script(
        "shop.py", ["see", address, placed["session"]?.text ?? "", placed["order"]?.text ?? ""])
      try await eventually("both instances are available again", seconds: 60) {
        try await castle.run("python3", ["\(CastleProcess.scripts)/landscape.py"]).status == 0
      }
    }
    #expect(load.requests > 10)
    print("the writer's end: \(load.failed) of \(load.requests) requests failed")
  }

  @Test("an order outlives castle down and castle up", .timeLimit(.minutes(3))) func downAndUp() async throws {
    let castle = try castle()
    let address = try await url(castle)
    let placed = try await castle.script("shop.py", ["order", address])
    let before = castle.children().map(\.mark)
    try await castle.castle(["down"], seconds: 90).succeeded()
    #expect(before.filter(\.isRunning).isEmpty, "down ends the engines")
    let began = ContinuousClock.now
    try await castle.start()
    print("warm castle up: \(ContinuousClock.now - began)")
    let order = ["see", address, placed["session"]?.text ?? "", placed["order"]?.text ?? ""]
    try await castle.script("shop.py", order)
    try await castle.script("shop.py", ["order", address])
  }
}

@Suite("the storefront of a normal user", .serialized, .castlesInTurn) struct StorefrontNormalUserTests {
  @Test("castle up needs no root: listeners below 1024 move, and the shop sells", .timeLimit(.minutes(4)))
  func normalUser() async throws {
    // Who is no normal user becomes one; who is, stays it.
    let user = SystemUser.isRoot ? try #require(SystemUser.named("nobody")) : nil
    try await CastleProcess.with(.app(file: storefrontFile), as: user) { castle in
      let shop = try #require(URL(string: try await castle.credentials()["CASTLE_PUBLIC_URL"] ?? ""))
      #expect(shop.port == 8080, "\(shop)")
      try await castle.script("shop.py", ["order", shop.absoluteString])
      try await castle.script("landscape.py")
      let owners = Set(castle.children().compactMap { Self.owner(of: $0.mark.pid) })
      #expect(owners == [user?.uid ?? geteuid()], "the Gate, the engines and the tasks are this user's")
      try await castle.castle(["down"], seconds: 90).succeeded()
      try await castle.start()
      try await castle.script("shop.py", ["order", shop.absoluteString])
    }
  }

  private static func owner(of pid: Int32) -> UInt32? {
    (try? FileManager.default.attributesOfItem(atPath: "/proc/\(pid)"))?[.ownerAccountID]
      .flatMap { ($0 as? NSNumber)?.uint32Value }
  }
}

@Suite("the storefront by another way in", .serialized, .castlesInTurn) struct StorefrontTemplateTests {
  @Test("the exported template through CreateStack on an empty castle is the running shop", .timeLimit(.minutes(4)))
  func createStack() async throws {
    try await CastleProcess.with(.empty(strict: false)) { castle in
      try await castle.credentials()
      let file = "\(castle.folder)/storefront.yaml"
      try await castle.castle(["export", "cloudformation", "--file", storefrontFile, "--output", file]).succeeded()
      let outputs = try await castle.script("deploy.py", [file], seconds: 200)
      let url = try #require(outputs["PublicUrl"]?.text)
      try await castle.script("shop.py", ["order", url])
      try await castle.script("landscape.py")
    }
  }
}
