// Options that several subcommands take, and how they find the castle that is meant.

import ArgumentParser
import Blueprint
import CastleServer
import Foundation

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

struct OutputOptions: ParsableArguments {
  @Flag(help: "Print JSON, for machines.")
  var json = false
}

/// A failure as a person is told it: what was wrong and what to do.
struct Complaint: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
