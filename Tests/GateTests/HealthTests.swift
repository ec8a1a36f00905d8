// Health checks, draining, slow changes of the configuration under load.
import GateProtocol
import Synchronization
import Testing

@testable import GateCore

@Suite("Targets", .timeLimit(.minutes(2)))
struct HealthTests {
  private func group(
    _ check: GateSnapshot.HealthCheck = .init(path: "/healthz", interval: 0.05, timeout: 0.5, healthyThreshold: 2),
    delay: Double = 5
  ) -> GateSnapshot.TargetGroup {
    .init(id: "tg", healthCheck: check, deregistrationDelay: delay)
  }

  private func waitFor(
    _ gate: GateFixture, _ condition: @escaping ([GateTargetHealth]) -> Bool
  ) async throws -> [GateTargetHealth] {
    var last: [GateTargetHealth] = []
    _ = try await eventually {
      last = try await gate.client.health()
      return condition(last)
    }
    return last
  }

  @Test("targets become healthy and unhealthy, and only healthy ones get requests")
  func health() async throws {
    let status = Mutex(200)
    let one = try TestServer { message in
      if message.target != "/healthz" { return ok("one") }
      let code = status.withLock { $0 }
      return "HTTP/1.1 \(code) X\r\nContent-Length: 0\r\n\r\n"
    }
    let two = try TestServer { message in ok("two \(message["User-Agent"] ?? "")") }
    try await GateFixture.with { gate in
      let events = try await gate.client.events()
      let port = try await gate.serve(targets: [target(one), target(two)], group: group())
      let healthy = try await waitFor(gate) { $0.allSatisfy { $0.state == .healthy } && $0.count == 2 }
      #expect(healthy.map(\.state) == [.healthy, .healthy])
      status.withLock { $0 = 500 }
      let failed = try await waitFor(gate) { $0.first?.state == .unhealthy }
      #expect(failed[0].reason == .responseCodeMismatch)
      #expect(failed[0].description == "Health checks failed with these codes: [500]")
      for _ in 0..<6 { #expect(try await get(port).text.hasPrefix("two")) }
      status.withLock { $0 = 200 }
      #expect(try await waitFor(gate) { $0.first?.state == .healthy }[0].state == .healthy)
      one.kill()
      let dead = try await waitFor(gate) { $0.first?.state == .unhealthy }
      #expect(dead[0].reason == .failedHealthChecks)
      two.kill()
      #expect(try await waitFor(gate) { $0.allSatisfy { $0.state == .unhealthy } }.count == 2)
      var seen: Set<GateTargetHealth.State> = []
      for await event in events {
        if case .health(let changes) = event { seen.formUnion(changes.map(\.state)) }
        if seen.isSuperset(of: [.healthy, .unhealthy]) { break }
      }
      #expect(seen.contains(.unhealthy))
    }
  }

  @Test("when all targets are unhealthy all get requests")
  func failOpen() async throws {
    let server = try TestServer { message in
      message.target == "/healthz" ? "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n" : ok("still here")
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)], group: group())
      #expect(try await waitFor(gate) { $0.first?.state == .unhealthy }.first?.state == .unhealthy)
      #expect(try await get(port).text == "still here")
    }
  }

  @Test("a silent target times out, a TCP probe needs only a connection, an unused group is not probed")
  func probes() async throws {
    let silent = try TestServer { socket, _ in while try !socket.receive().isEmpty {} }
    try await GateFixture.with { gate in
      var check = GateSnapshot.HealthCheck(interval: 0.05, timeout: 0.1)
      try await gate.serve(1, targets: [target(silent)], group: group(check))
      #expect(try await waitFor(gate) { $0.first?.state == .unhealthy }.first?.reason == .timeout)
      check.probe = .tcp
      check.healthyThreshold = 2
      try await gate.serve(2, targets: [target(silent)], group: group(check))
      #expect(try await waitFor(gate) { $0.first?.state == .healthy }.first?.state == .healthy)
      try await gate.serve(
        3, targets: [target(silent)], defaultAction: .fixedResponse(.init(statusCode: 200)), group: group(check))
      let unused = try await gate.client.health()
      #expect(unused[0].state == .unused && unused[0].reason == .notInUse)
    }
  }

  @Test("round robin spreads evenly, least outstanding avoids the busy one")
  func algorithms() async throws {
    let counts = Mutex<[String: Int]>([:])
    let began = EndBox()
    let release = EndBox()
    let servers = try (0..<3).map { number in
      try TestServer { message in
        if message.target == "/slow", number == 0 {
          began.end()
          release.waitBlocking()
        }
        counts.withLock { $0["\(number)", default: 0] += 1 }
        return ok("\(number)")
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(1, targets: servers.map { target($0) })
      for _ in 0..<30 { _ = try await get(port) }
      #expect(counts.withLock { $0 } == ["0": 10, "1": 10, "2": 10])
      var settings = group(.init(probe: .none))
      settings.algorithm = .leastOutstandingRequests
      let reversed = [servers[0], servers[1]].map { target($0) }
      try await gate.serve(2, targets: reversed, group: settings)
      async let busy = onThread {
        // Until the first server has one: the other answers at once.
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        while true {
          try socket.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
          if try reader.next()?.text == "0" { return true }
        }
      }
      await began.wait()
      for _ in 0..<5 { #expect(try await get(port).text == "1") }
      release.end()
      #expect(try await busy)
    }
  }

  @Test("a draining target finishes what it has, gets nothing new, and is reported when it is done")
  func draining() async throws {
    let release = EndBox()
    let began = EndBox()
    let slow = try TestServer { socket, _ in
      let reader = MessageReader(socket)
      while let message = try reader.next() {
        if message.target == "/slow" {
          began.end()
          release.waitBlocking()
        }
        try socket.send(ok("slow"))
      }
    }
    let other = try TestServer { _ in ok("other") }
    try await GateFixture.with { gate in
      var settings = group(.init(probe: .none), delay: 20)
      settings.algorithm = .roundRobin
      let port = try await gate.serve(1, targets: [target(slow)], group: settings)
      async let inFlight = get(port, "/slow")
      await began.wait()
      try await gate.serve(2, targets: [target(slow, .draining), target(other)], group: settings)
      let health = try await gate.client.health()
      #expect(health[0].state == .draining && health[0].reason == .deregistrationInProgress)
      for _ in 0..<10 { #expect(try await get(port).text == "other") }
      #expect(try await gate.client.health()[0].state == .draining)
      release.end()
      #expect(try await inFlight.text == "slow")
      let done = try await waitFor(gate) { $0.first?.state == .unused }
      #expect(done[0].reason == .notRegistered)
    }
  }

  @Test("what still runs when the deregistration delay is over is cut off")
  func drainDeadline() async throws {
    let began = EndBox()
    let silent = try TestServer { socket, _ in
      _ = try MessageReader(socket).next()
      began.end()
      while try !socket.receive().isEmpty {}
    }
    try await GateFixture.with { gate in
      let settings = group(.init(probe: .none), delay: 0.2)
      let port = try await gate.serve(1, targets: [target(silent)], group: settings)
      async let inFlight = exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
      await began.wait()
      try await gate.serve(2, targets: [target(silent, .draining)], group: settings)
      #expect(try await inFlight.status == 502)
      #expect(try await get(port).status == 503)
    }
  }

  @Test("a new snapshot every 20 ms under load fails no request and closes no connection")
  func swaps() async throws {
    let servers = try (0..<3).map { number in try TestServer { _ in ok("\(number)") } }
    try await GateFixture.with { gate in
      let port = try await gate.serve(1, targets: servers.map { target($0) })
      let done = Mutex(false)
      let isDone: @Sendable () -> Bool = { done.withLock { $0 } }
      try await withThrowingTaskGroup(of: Int.self) { tasks in
        for _ in 0..<3 {
          tasks.addTask {
            try await onThread {
              let socket = try RawSocket(port: port)
              let reader = MessageReader(socket)
              var count = 0
              while !isDone() || count < 50 {
                try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                guard let answer = try reader.next(), answer.status == 200 else {
                  throw TestFailure("a failed request")
                }
                count += 1
              }
              return count
            }
          }
        }
        for version in 2..<50 {
          // Targets come, drain and go; rules change.
          var targets = servers.map { target($0) }
          targets[version % 3].state = .draining
          if version % 4 == 0 { targets.remove(at: version % 3) }
          let rules = (0..<(version % 5)).map {
            GateSnapshot.Rule(priority: $0, conditions: [.pathPattern(["/x\($0)*"])], action: .forward(to: "tg"))
          }
          try await gate.serve(UInt64(version), targets: targets, rules: rules)
          try await Task.sleep(for: .milliseconds(20))
        }
        done.withLock { $0 = true }
        var total = 0
        for try await count in tasks { total += count }
        #expect(total >= 150)
      }
    }
  }

  @Test("targets that are killed under load, and replaced, cost no GET")
  func killed() async throws {
    let first = try (0..<3).map { number in try TestServer { _ in ok("\(number)") } }
    let replacement = try TestServer { _ in ok("new") }
    try await GateFixture.with { gate in
      let port = try await gate.serve(1, targets: first.map { target($0) })
      let done = Mutex(false)
      let isDone: @Sendable () -> Bool = { done.withLock { $0 } }
      try await withThrowingTaskGroup(of: Bool.self) { tasks in
        for _ in 0..<4 {
          tasks.addTask {
            try await onThread {
              let socket = try RawSocket(port: port)
              let reader = MessageReader(socket)
              var sawReplacement = false
              while !isDone() || !sawReplacement {
                try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                guard let answer = try reader.next(), answer.status == 200 else {
                  throw TestFailure("a failed request")
                }
                if answer.text == "new" { sawReplacement = true }
              }
              return true
            }
          }
        }
        #expect(try await eventually { first[0].requests > 20 })
        first[0].kill()
        let before = first[1].requests
        #expect(try await eventually { first[1].requests > before + 50 })
        try await gate.serve(2, targets: [target(first[1]), target(first[2]), target(replacement)])
        #expect(try await eventually { replacement.requests > 20 })
        first[1].kill()
        first[2].kill()
        let later = replacement.requests
        #expect(try await eventually { replacement.requests > later + 50 })
        done.withLock { $0 = true }
        for try await _ in tasks {}
      }
    }
  }
}
