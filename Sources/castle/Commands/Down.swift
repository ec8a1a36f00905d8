// castle down and castle destroy: stop, and remove.

import ArgumentParser
import CastleServer
import Foundation

struct Down: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stop everything and keep its data; castle up brings it back.")
  @OptionGroup var castle: CastleOptions

  func run() async throws {
    let daemon = Daemon(stateDirectory: try castle.stateDirectory())
    guard let client = try daemon.running() else {
      print("nothing runs")
      return
    }
    var progress = Progress()
    progress.show("stopping")
    try await client.call("POST", "/stop", ["mode": "down"])
    try await daemon.waitForEnd()
    progress.clear()
    print("stopped; castle up brings it back as it was")
  }
}

struct Destroy: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stop everything and remove its data. Asks first.")
  @OptionGroup var castle: CastleOptions
  @Flag(name: [.customShort("y"), .long], help: "Do not ask.")
  var yes = false

  func run() async throws {
    let state = try castle.stateDirectory()
    guard FileManager.default.fileExists(atPath: "\(state)/owner.json") else {
      print("there is nothing to remove in \(state)")
      return
    }
    if !yes {
      guard isatty(STDIN_FILENO) == 1 else {
        throw Complaint("castle destroy removes every database and bucket in \(state). Say so with --yes.")
      }
      print("This removes every database, bucket and secret in \(state). Type yes to go on: ", terminator: "")
      guard readLine() == "yes" else {
        print("nothing was removed")
        return
      }
    }
    let daemon = Daemon(stateDirectory: state)
    // A castle that does not run may have left engines behind (its control plane was killed): it is started to end them.
    let client: CastleClient
    if let running = try daemon.running() {
      client = running
    } else {
      client = try await daemon.start(port: 0)
    }
    var progress = Progress()
    progress.show("removing")
    try await client.call("POST", "/stop", ["mode": "destroy"])
    try await daemon.waitForEnd()
    try FileManager.default.removeItem(atPath: state)
    progress.clear()
    print("removed")
  }
}
