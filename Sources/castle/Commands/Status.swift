// castle status: what runs, and how it is.

import AWSCore
import ArgumentParser
import CastleServer
import Foundation

struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what runs, and how it is.",
    discussion: "Ends with code 1 when nothing runs.")
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
    } else {
      show(state, client)
    }
  }

  private func show(_ state: JSONValue, _ client: CastleClient) {
    print(
      Terminal.table(
        [["AWS endpoint", client.endpoint], ["dashboard", client.dashboard]]
          + (state["loadBalancers"]?.array ?? []).filter { $0["scheme"]?.text == "internet-facing" }
          .compactMap { balancer in balancer["url"]?.text.map { ["application", $0] } }, indent: ""))
    let parts = state["parts"]?.array ?? []
    if !parts.isEmpty { print("") }
    // Padded before they are coloured: colour takes no place on the screen.
    let rows = parts.map { part in
      let kind = part["kind"]?.text ?? ""
      let name = part["name"]?.text ?? ""
      let isInner = ["task", "instance", "node"].contains(kind)
      return [
        part["health"]?.text ?? "", (isInner ? "  " : "") + kind, kind == "task" ? String(name.prefix(8)) : name,
        part["detail"]?.text ?? "",
      ]
    }
    let lines = Terminal.table(rows, indent: "").split(separator: "\n", omittingEmptySubsequences: false)
    for (row, line) in zip(rows, lines) {
      let style: Terminal.Style =
        switch row[0] {
        case "healthy": .green
        case "failed": .red
        case "unknown": .dim
        default: .yellow
        }
      print(Terminal.styled(row[0], style) + line.dropFirst(row[0].count))
    }
    for problem in state["errors"]?.array ?? [] {
      let text = "\(problem["section"]?.text ?? ""): \(problem["message"]?.text ?? "")"
      Terminal.note(Terminal.styled("! ", .red) + text)
    }
  }
}
