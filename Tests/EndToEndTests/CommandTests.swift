// The command where nothing runs: help, checks, and errors that say what to do.

import AWSCore
import CastleTesting
import Foundation
import Testing

@Suite("the castle command", .serialized, .castle(.stopped)) struct CommandTests {
  private static let subcommands = [
    "up", "down", "destroy", "status", "logs", "scale", "restart", "env", "start", "reset", "validate", "export",
    "doctor",
  ]

  @Test("every subcommand explains itself", .timeLimit(.minutes(2))) func help() async throws {
    let castle = try castle()
    let all = try await castle.castle(["--help"], state: false).succeeded().output
    for name in Self.subcommands {
      #expect(all.contains("  \(name) "), "castle --help lists \(name)")
      let one = try await castle.castle([name, "--help"], state: false).succeeded().output
      #expect(one.contains("USAGE: castle \(name)") && one.contains("OVERVIEW: "), "castle \(name) --help: \(one)")
    }
    let version = try await castle.castle(["--version"], state: false).succeeded().output
    #expect(version.first?.isNumber == true)
    #expect(try await castle.castle(["conquer"], state: false).status != 0)
  }

  @Test("validate says where a file is wrong and which word was meant", .timeLimit(.minutes(1)))
  func validate() async throws {
    let castle = try castle()
    let file = "\(castle.folder)/bad.yaml"
    try """
    name: shop
    region: us-east-1
    services:
      web:
        run: ./serve
        port: 3000
        pubic: { path: / }
        uses: [order]
    databases:
      orders: { engine: aurora-postgresql }
    """.write(toFile: file, atomically: true, encoding: .utf8)
    let bad = try await castle.castle(["validate", "--file", file])
    #expect(bad.status != 0)
    #expect(bad.error.contains("\(file):7:5: ") && bad.error.contains("public"), "\(bad)")
    #expect(bad.error.contains("\(file):8:") && bad.error.contains("orders"), "\(bad)")
    let good = try await castle.castle(["validate", "--file", storefrontFile]).succeeded()
    #expect(good.output.contains(storefrontFile))
    #expect(try await castle.castle(["validate", "--file", storefrontFile, "--json"]).json()["valid"] == true)
    let missing = try await castle.castle(["validate", "--file", "/nowhere/castle.yaml"])
    #expect(missing.status != 0 && missing.error.contains("/nowhere/castle.yaml"))
  }

  @Test("export writes a template that cfn-lint has nothing to say about", .timeLimit(.minutes(2)))
  func export() async throws {
    let castle = try castle()
    let file = "\(castle.folder)/storefront.yaml"
    let written = try await castle.castle(["export", "cloudformation", "--file", storefrontFile, "--output", file])
    try written.succeeded()
    let printed = try await castle.castle(["export", "cloudformation", "--file", storefrontFile]).succeeded()
    #expect(try String(contentsOfFile: file, encoding: .utf8) == printed.output)
    let lint = try await castle.run("cfn-lint", ["--", file], seconds: 100)
    #expect(lint.status == 0, "\(lint)")
    #expect(lint.output.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty, "\(lint)")
  }

  @Test("doctor tells each engine, its version, and what installs what is missing", .timeLimit(.minutes(1)))
  func doctor() async throws {
    let castle = try castle()
    let told = try await castle.castle(["doctor", "--json"], state: false)
    let engines = try told.json()["engines"]?.array ?? []
    let names = Set(engines.compactMap { $0["name"]?.text })
    #expect(names == ["PostgreSQL", "Redis", "castle-gate", "castle-shim", "nftables"])
    for engine in engines {
      #expect(engine["install"]?.text?.isEmpty == false)
      if engine["found"] == true { #expect(engine["path"]?.text?.hasPrefix("/") == true, "\(engine)") }
    }
    let wanted = engines.filter { $0["optional"] == false }
    let machine = try told.json()["machine"]?.array ?? []
    #expect(machine.map { $0["name"]?.text } == ["/dev/shm"])
    let isWell = wanted.allSatisfy { $0["found"] == true } && machine.allSatisfy { $0["well"] == true }
    #expect(wanted.count == 4 && (told.status == 0) == isWell)
    let text = try await castle.castle(["doctor"], state: false)
    #expect(text.output.contains("PostgreSQL") && !text.output.contains("\u{1b}"))
  }

  @Test("the packet filter is asked for only where it may be written, and is written then", .timeLimit(.minutes(1)))
  func packetFilter() async throws {
    let castle = try castle()
    // Without the privilege that is said, and nothing is started.
    let prefix = geteuid() == 0 ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"] : []
    let refused = try await castle.run(
      "env", prefix + [castle.program, "start", "-d", "--nftables", "--state", "\(castle.folder)/refused"])
    #expect(refused.status != 0 && refused.error.contains("--nftables needs"), "\(refused)")
    #expect(!FileManager.default.fileExists(atPath: "\(castle.folder)/refused"))
    // In a namespace of its own it may.
    guard try await castle.run("unshare", ["-rn", "nft", "list", "tables"]).status == 0 else { return }
    let script = "\(CastleProcess.package)/Tests/EndToEndTests/Scripts/nftables.py"
    let told = try await castle.run(
      "unshare", ["-rn", "python3", script, castle.program, "\(castle.folder)/filtered"], seconds: 50)
    let tables = try told.succeeded().json()
    let name = tables["with"]?.array?.first?.text ?? ""
    #expect(tables["with"]?.array?.count == 1 && name.hasPrefix("castle_gate_"), "\(told)")
    #expect(tables["left"]?.array?.isEmpty == true, "\(told)")
  }

  @Test("where nothing runs, each subcommand says so and how to start one", .timeLimit(.minutes(1)))
  func nothingRuns() async throws {
    let castle = try castle()
    for arguments in [["logs"], ["scale", "backend", "2"], ["restart", "backend"], ["env"], ["reset"]] {
      let finished = try await castle.castle(arguments)
      #expect(finished.status != 0, "\(finished)")
      #expect(finished.error.contains("castle up") || finished.error.contains("castle start"), "\(finished)")
    }
    let status = try await castle.castle(["status"])
    #expect(status.status != 0 && status.output.contains("castle up"), "\(status)")
    #expect(try await castle.castle(["status", "--json"]).json()["running"] == false)
    #expect(try await castle.castle(["down"]).succeeded().output.contains("nothing runs"))
    #expect(try await castle.castle(["destroy", "--yes"]).succeeded().output.contains("nothing to remove"))
    let up = try await castle.castle(["up", "-d", "--file", "\(castle.folder)/castle.yaml"])
    #expect(up.status != 0 && up.error.contains("castle.yaml"), "\(up)")
  }

  @Test("a castle that was started is found by env, status, reset and down, and destroy asks", .timeLimit(.minutes(2)))
  func life() async throws {
    let castle = try castle()
    try await castle.castle(["start", "-d", "--port", "\(castle.port)"]).succeeded()
    let second = try await castle.castle(["start", "-d", "--port", "\(castle.port)"]).succeeded()
    #expect(second.output.contains("runs already at \(castle.endpoint)"))
    let lines = try await castle.castle(["env"]).succeeded().output
    let shell = try await castle.run(
      "sh", ["-c", "eval \"$1\" && printf %s \"$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_REGION\"", "sh", lines])
    let said = try shell.succeeded().output.split(separator: " ")
    #expect(
      said.first == castle.endpoint[...] && said.count == 3 && said[1].hasPrefix("AKIA") && said[2] == "us-east-1")
    let status = try await castle.castle(["status"]).succeeded()
    #expect(status.output.contains(castle.endpoint) && !status.output.contains("\u{1b}"), "\(status)")
    #expect(try await castle.castle(["reset"]).succeeded().output.contains("empty"))
    for arguments in [["scale", "backend", "2"], ["restart", "backend"], ["logs", "backend"]] {
      let finished = try await castle.castle(arguments)
      #expect(finished.status != 0 && finished.error.contains("There is no service backend"), "\(finished)")
    }
    let unasked = try await castle.castle(["destroy"])
    #expect(unasked.status != 0 && unasked.error.contains("--yes"), "\(unasked)")
    try await castle.castle(["down"]).succeeded()
    #expect(try await castle.castle(["status"]).status != 0)
    #expect(FileManager.default.fileExists(atPath: "\(castle.state)/owner.json"))
  }
}
