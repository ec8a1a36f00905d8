// castle serve: the control plane itself, on a socket that it is given. castle up starts it, in the background.

import ArgumentParser
import CastleServer
import Foundation
import Logging

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the control plane on the socket that its shim holds.", shouldDisplay: false)
  @Option var state: String
  @Option var region = "us-east-1"
  @Option var admission: String = "strict"
  @Flag var nftables = false

  func run() async throws {
    var configuration = CastleConfiguration(stateDirectory: state)
    guard let listener = CastleConfiguration.inheritedListener() else {
      throw Complaint("castle serve takes its socket from its shim. Start a castle with castle up or castle start.")
    }
    configuration.listener = listener
    configuration.region = region
    configuration.filtersPackets = nftables
    configuration.admission = CastleConfiguration.Admission(rawValue: admission) ?? .strict
    try await ServerRun.run(configuration) { _ in }
  }
}

/// A castle in this process, until a signal ends it: SIGTERM and SIGINT leave the engines running when they belong to a
/// background castle, and end them in the foreground.
enum ServerRun {
  static func run(
    _ configuration: CastleConfiguration, onSignal: Castle.StopMode = .leave,
    onReady: @escaping @Sendable (String) async -> Void
  ) async throws {
    var logger = Logger(label: "castle") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel =
      ProcessInfo.processInfo.environment["CASTLE_LOG"].flatMap { Logger.Level(rawValue: $0) } ?? .notice
    let castle: Castle
    do {
      castle = try Castle(configuration, logger: logger)
    } catch {
      throw Complaint("\(error)")
    }
    var sources: [any DispatchSourceSignal] = []
    for number in [SIGTERM, SIGINT] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { castle.stop(onSignal) }
      source.resume()
      sources.append(source)
    }
    try await castle.run(onReady: onReady)
    withExtendedLifetime(sources) {}
  }
}
