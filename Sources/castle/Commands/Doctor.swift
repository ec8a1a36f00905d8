// castle doctor: which engines are there, which runtime is used, what is missing or wrong and what helps.

import AWSCore
import ArgumentParser
import Foundation
import Supervisor

struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say which engines are there, what is missing, and how to install it.")
  @OptionGroup var output: OutputOptions

  private struct Finding {
    var name: String
    var use: String
    var program: EngineProgram?
    var install: String
    var isOptional = false
  }

  func run() async throws {
    let findings = [
      Finding(
        name: "PostgreSQL", use: "Aurora PostgreSQL", program: await EngineProbe.postgres().first,
        install: "apt-get install postgresql"),
      Finding(
        name: "Redis", use: "ElastiCache", program: await EngineProbe.redis(), install: "apt-get install redis-server"),
      Finding(
        name: "castle-gate", use: "load balancers, database and cache endpoints",
        program: EngineProbe.helper("castle-gate"), install: "swift build"),
      Finding(
        name: "castle-shim", use: "keeps engines running beside the control plane",
        program: EngineProbe.helper("castle-shim"), install: "swift build"),
      Finding(
        name: "nftables", use: "castle up --nftables", program: await EngineProbe.nftables(),
        install: "apt-get install nftables", isOptional: true),
    ]
    let missing = findings.filter { $0.program == nil && !$0.isOptional }
    let sharedMemory = SharedMemory.check()
    if output.json {
      let rows = findings.map { finding -> JSONValue in
        [
          "name": .string(finding.name), "found": .boolean(finding.program != nil),
          "path": finding.program.map { .string($0.path) } ?? .null,
          "version": finding.program?.version.map { .string($0) } ?? .null, "install": .string(finding.install),
          "optional": .boolean(finding.isOptional),
        ]
      }
      print(
        JSONValue.object([
          "engines": .array(rows), "runtime": "process", "root": .boolean(geteuid() == 0),
          "machine": [
            [
              "name": "/dev/shm", "well": .boolean(sharedMemory == nil),
              "problem": sharedMemory.map { .string($0.problem) } ?? .null,
              "remedy": sharedMemory.map { .string($0.remedy) } ?? .null,
            ]
          ],
        ]).description)
    } else {
      print(
        Terminal.table(
          findings.map { finding -> [String] in
            guard let program = finding.program else {
              let word = finding.isOptional ? Terminal.styled("without", .yellow) : Terminal.styled("missing", .red)
              return [word, finding.name, "for \(finding.use): \(finding.install)"]
            }
            return [Terminal.styled("found  ", .green), finding.name, "\(program.version ?? "") \(program.path)"]
          } + [
            sharedMemory.map { [Terminal.styled("wrong  ", .red), "/dev/shm", "\($0.problem): \($0.remedy)"] }
              ?? [Terminal.styled("well   ", .green), "/dev/shm", "for Aurora PostgreSQL"]
          ]))
      print("  Tasks run as plain processes (the container runtime is not built yet).")
      if geteuid() != 0 {
        print("  As a normal user, ports below 1024 are replaced by free ones; what is printed is what works.")
      }
    }
    if !missing.isEmpty || sharedMemory != nil { throw ExitCode.failure }
  }
}
