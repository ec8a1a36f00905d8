// castle status: what runs, and how it is.

import AWSCore
import ArgumentParser
import CastleServer
import Foundation

struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Show what runs, and how it is.")
  @OptionGroup var castle: CastleOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    guard let client = try Daemon(stateDirectory: try castle.stateDirectory()).running() else {
      print(output.json ? #"{"running":false}"# : "nothing runs; castle up starts it")
      throw ExitCode.failure
    }
    let state = try await client.call("GET", "/state")
    if output.json {
      print(state.description)
      return
    }
    print("\(Terminal.styled("AWS endpoint", .bold)) \(client.endpoint)   \(Terminal.styled("dashboard", .bold)) \(client.dashboard)")
    for part in state["parts"]?.array ?? [] {
      let health = part["health"]?.text ?? ""
      let style: Terminal.Style = health == "healthy" ? .green : health == "failed" ? .red : .yellow
      print("\(Terminal.styled(health.isEmpty ? "-" : health, style))\t\(part["kind"]?.text ?? "")\t\(part["name"]?.text ?? "")\t\(part["detail"]?.text ?? "")")
    }
  }
}
