// castle up: the app in castle.yaml, behind everything it has in production.

import AWSCore
import ArgumentParser
import Blueprint
import CastleServer
import Foundation

struct Up: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the app in castle.yaml, with everything it has in production.",
    discussion: """
      Starts the control plane when it does not run, brings the app's stack to what the file says, and prints where
      everything is. Without -d it then follows the logs; Ctrl-C stops the app and keeps its data.

      EXAMPLES
        castle up
        castle up -d --file Examples/storefront/castle.yaml
      """)

  @OptionGroup var castle: CastleOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var gate: GateOptions
  @Flag(name: [.customShort("d"), .long], help: "Return when the app runs, and leave it running.")
  var detach = false
  @Option(help: "The port of the AWS APIs and the dashboard; 0 lets the system pick.")
  var port: UInt16 = 4566

  func run() async throws {
    let app = try castle.app()
    let state = try castle.stateDirectory()
    var progress = Progress()
    let daemon = Daemon(stateDirectory: state)
    progress.show("starting the control plane")
    let client: CastleClient
    if let running = try daemon.running() {
      client = running
    } else {
      client = try await daemon.start(port: port, ["--region", app.blueprint.region] + gate.arguments())
    }
    progress.show("deploying \(app.blueprint.name)")
    let template = try app.blueprint.template(.json, directory: app.directory)
    let body: JSONValue = [
      "stackName": .string(app.blueprint.name), "template": .string(template),
    ]
    let deployed = try await client.call("POST", "/deploy", body: Array(body.description.utf8))
    let action = deployed["action"]?.text ?? ""
    let report: JSONValue
    do {
      report = try await follow(client, app, &progress)
      try await settle(client, app, &progress)
    } catch let failure as UpFailure {
      progress.clear()
      guard output.json else { throw Complaint(failure.description) }
      print(failure.json(action).description)
      throw ExitCode.failure
    }
    progress.clear()
    if output.json {
      print(summary(client, report, action).description)
    } else {
      printSummary(client, app, report, progress.elapsed)
    }
    if !detach { try await attach(client, daemon, app) }
  }

  /// Shows each resource as it comes up; returns when the stack is done.
  /// - Throws: `UpFailure` with what failed.
  private func follow(_ client: CastleClient, _ app: App, _ progress: inout Progress) async throws -> JSONValue {
    var failures: [UpFailure.Part] = []
    while true {
      let report = try await client.call("GET", "/stack", ["name": app.blueprint.name])
      let resources = report["resources"]?.array ?? []
      for failure in (report["failures"]?.array ?? []).dropFirst(failures.count) {
        let part = UpFailure.Part(
          name: failure["logicalId"]?.text ?? "", type: failure["type"]?.text ?? "",
          text: failure["reason"]?.text ?? "")
        failures.append(part)
        progress.keep("\(Terminal.styled("failed", .red)) \(part.name): \(part.reason)")
      }
      let status = report["status"]?.text ?? ""
      if status.hasSuffix("_COMPLETE"), !status.contains("ROLLBACK"), !status.contains("CLEANUP") { return report }
      if status.hasSuffix("_COMPLETE") || status.hasSuffix("_FAILED"), !status.contains("CLEANUP") {
        // What was cancelled because of another one explains nothing.
        let parts = failures.filter { !$0.isCancelled }
        throw UpFailure(
          what: "The stack ended as \(status)." + (parts.isEmpty ? " \(report["reason"]?.text ?? "")" : ""),
          parts: parts,
          next: "See what happened with castle logs, correct \(app.path) or the machine, and run castle up again.")
      }
      progress.show(Self.line(app, resources))
      try await Task.sleep(for: .milliseconds(150))
    }
  }

  /// How far the stack is, what it waits for, and what was heard of that last.
  private static func line(_ app: App, _ resources: [JSONValue]) -> String {
    let open = resources.filter { $0["status"]?.text?.hasSuffix("_IN_PROGRESS") == true }
    let done = resources.count { $0["status"]?.text?.hasSuffix("_COMPLETE") == true }
    let names = open.prefix(3).compactMap { $0["logicalId"]?.text }.joined(separator: ", ")
    var line = "deploying \(app.blueprint.name): \(done) of \(resources.count)  \(names)"
    if let told = open.first(where: { $0["event"] != nil }), let event = told["event"]?.text {
      let isLong = event.count > 120
      line += "  (\(told["logicalId"]?.text ?? ""): \(event.prefix(120))\(isLong ? "…" : ""))"
    }
    return line
  }

  /// The kinds of parts that must be well before the app can be used.
  private static let awaited: Set<String> = ["service", "database", "instance", "cache", "node"]
  /// How long they may take, in seconds.
  private static let settleLimit = 180

  /// Returns when the app's tasks, databases and caches are well: a stack that had nothing to change is done before
  /// what it describes has started again.
  /// - Throws: `UpFailure` as soon as one is known not to come up.
  private func settle(_ client: CastleClient, _ app: App, _ progress: inout Progress) async throws {
    let deadline = ContinuousClock.now + .seconds(Self.settleLimit)
    while true {
      let parts = try await client.call("GET", "/state")["parts"]?.array ?? []
      let open = parts.filter {
        Self.awaited.contains($0["kind"]?.text ?? "") && $0["health"]?.text != "healthy"
      }
      if open.isEmpty { return }
      let failed = open.filter { $0["health"]?.text == "failed" && $0["reason"]?.text != nil }
      if !failed.isEmpty {
        let parts = failed.map {
          UpFailure.Part(name: $0["name"]?.text ?? "", type: $0["kind"]?.text ?? "", text: $0["reason"]?.text ?? "")
        }
        for part in parts { progress.keep("\(Terminal.styled("failed", .red)) \(part.name): \(part.reason)") }
        throw UpFailure(
          what: "The app is not well.", parts: parts,
          next: "It is tried again as long as the castle runs: see castle status, or run castle up again.")
      }
      let names = open.prefix(3).map { "\($0["kind"]?.text ?? "") \($0["name"]?.text ?? "")" }
      guard ContinuousClock.now < deadline else {
        throw Complaint(
          "These are not well after \(Self.settleLimit) s: \(names.joined(separator: ", ")).\n"
            + "See why with castle status and castle logs.")
      }
      progress.show("starting \(names.joined(separator: ", "))")
      try await Task.sleep(for: .milliseconds(150))
    }
  }

  private func summary(_ client: CastleClient, _ report: JSONValue, _ action: String) -> JSONValue {
    [
      "action": .string(action), "endpoint": .string(client.endpoint), "dashboard": .string(client.dashboard),
      "outputs": report["outputs"] ?? [:],
    ]
  }

  private func printSummary(_ client: CastleClient, _ app: App, _ report: JSONValue, _ elapsed: String) {
    var rows: [[String]] = []
    for (key, value) in (report["outputs"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      if let text = value.text, text.hasPrefix("http") { rows.append([key, Terminal.styled(text, .cyan)]) }
    }
    rows.append(["Dashboard", Terminal.styled(client.dashboard, .cyan)])
    rows.append(["AWS endpoint", Terminal.styled(client.endpoint, .cyan) + #"   eval "$(castle env)""#])
    rows.append(["Stop", detach ? "castle down" : "Ctrl-C (keeps the data)"])
    print("\(Terminal.styled(app.blueprint.name, .bold)) is up (\(elapsed))")
    print(Terminal.table(rows))
  }

  /// Follows the logs until Ctrl-C, then stops the app.
  private func attach(_ client: CastleClient, _ daemon: Daemon, _ app: App) async throws {
    let interrupted = AsyncStream<Void>.makeStream()
    signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler { interrupted.continuation.finish() }
    source.resume()
    let follower = Task {
      try await client.lines("/logs", ["follow": "true", "lines": "20"]) { print(LogLine.text($0)) }
    }
    for await _ in interrupted.stream {}
    follower.cancel()
    source.cancel()
    Terminal.note("\nstopping \(app.blueprint.name); its data is kept")
    try await client.call("POST", "/stop", ["mode": "down"])
    try await daemon.waitForEnd()
  }
}
