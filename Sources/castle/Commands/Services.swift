// castle scale, restart and logs: the app's services.

import AWSCore
import ArgumentParser
import Foundation

struct Scale: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Run so many tasks of a service.")
  @Argument(help: "The service, by its name in castle.yaml.") var service: String
  @Argument(help: "How many tasks.") var count: Int
  @OptionGroup var castle: CastleOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let answer = try await castle.client().call("POST", "/scale", ["service": service, "count": "\(count)"])
    print(
      output.json ? answer.description : "\(service) will have \(count) task\(count == 1 ? "" : "s"); see castle status"
    )
  }
}

struct Restart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Replace the tasks of a service, without losing a request.")
  @Argument(help: "The service, by its name in castle.yaml.") var service: String
  @OptionGroup var castle: CastleOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let answer = try await castle.client().call("POST", "/restart", ["service": service])
    print(output.json ? answer.description : "\(service) is being replaced task by task; see castle status")
  }
}

struct Logs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Show the logs of a service, or of all.")
  @Argument(help: "The service, by its name in castle.yaml.") var service: String?
  @Flag(name: .shortAndLong, help: "Go on with what comes.") var follow = false
  @Option(name: .shortAndLong, help: "How many lines to begin with.") var lines = 100
  @OptionGroup var castle: CastleOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    var query = ["follow": "\(follow)", "lines": "\(lines)"]
    query["service"] = service
    try await castle.client().lines("/logs", query) { print(output.json ? $0.description : LogLine.text($0)) }
  }
}

/// A line of a log as a person reads it.
enum LogLine {
  static func text(_ line: JSONValue) -> String {
    let time = Timestamp(milliseconds: Int64(line["time"]?.integer ?? 0)).civil
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let clock = "\(two(time.hour)):\(two(time.minute)):\(two(time.second))"
    let group = (line["group"]?.text ?? "").split(separator: "/").last.map(String.init) ?? ""
    return "\(Terminal.styled(clock, .dim)) \(Terminal.styled(group, .blue)) \(line["message"]?.text ?? "")"
  }
}
