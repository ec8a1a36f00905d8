// Options that several subcommands take, and how they find the castle that is meant.

import ArgumentParser
import Blueprint
import CastleServer
import Foundation
import Supervisor

/// Which castle: the one of a file, or the empty cloud of `castle start`.
struct CastleOptions: ParsableArguments {
  @Option(help: "The file that describes the app.")
  var file = "castle.yaml"

  @Option(
    help: ArgumentHelp("Where the castle keeps its state.", discussion: "Also CASTLE_STATE.", valueName: "folder"))
  var state: String?

  /// The state folder: `--state`, else the one of the file's app, else that of `castle start`.
  func stateDirectory() throws -> String {
    if let state { return URL(fileURLWithPath: state).path }
    let environment = ProcessInfo.processInfo.environment
    guard FileManager.default.fileExists(atPath: file) else {
      if file != "castle.yaml" { throw Complaint("There is no file \(file).") }
      return CastleConfiguration.defaultStateDirectory(name: Self.emptyCloud, environment: environment)
    }
    return CastleConfiguration.defaultStateDirectory(name: try app().blueprint.name, environment: environment)
  }

  /// The name under which `castle start` keeps its state.
  static let emptyCloud = "cloud"

  /// The castle that runs.
  /// - Throws: a `Complaint` that says how to start one.
  func client() throws -> CastleClient {
    let directory = try stateDirectory()
    guard let running = try RunningFile.read(stateDirectory: directory),
      let owner = try OwnerFile.read(stateDirectory: directory)
    else { throw Complaint("No castle runs here. Start it with: castle up -d") }
    return CastleClient(endpoint: running.endpoint, owner: owner)
  }

  /// The app that the file describes.
  func app() throws -> App { try App(file: file) }
}

/// How the load balancers' process is run.
struct GateOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Keep the load balancers' limits for sources in the kernel's packet filter, too.",
      discussion: "Writes one nftables table of its own, and removes it at the end. Needs CAP_NET_ADMIN."))
  var nftables = false

  /// What `castle serve` is to be told.
  /// - Throws: a `Complaint` when the packet filter cannot be written.
  func arguments() async throws -> [String] {
    guard nftables else { return [] }
    guard await EngineProbe.nftables() != nil else {
      throw Complaint("--nftables needs the program nft: apt-get install nftables")
    }
    guard EngineProbe.mayFilterPackets else {
      throw Complaint(
        "--nftables needs the privilege to write the packet filter (CAP_NET_ADMIN): run it as root, or leave the flag "
          + "away; the load balancers keep the same limits by themselves.")
    }
    return ["--nftables"]
  }
}

struct OutputOptions: ParsableArguments {
  @Flag(help: "Print JSON, for machines.")
  var json = false
}

/// A failure as a person is told it: what was wrong and what to do.
struct Complaint: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
