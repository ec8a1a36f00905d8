// What the end-to-end suites share: one castle for a suite, and the scripts that look at it through boto3.

import AWSCore
import CastleTesting
import Foundation
import Testing

/// Gives a suite a castle that its tests share; the suite is serialized, and finds it with `castle()`.
struct SharedCastle: SuiteTrait, TestScoping {
  @TaskLocal static var current: CastleProcess?
  let kind: CastleProcess.Kind

  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await CastleProcess.with(kind) { castle in
      if kind != .stopped { try await castle.credentials() }
      try await Self.$current.withValue(castle) { try await function() }
    }
  }
}

extension Trait where Self == SharedCastle {
  /// The suite's tests share one running castle.
  static func castle(_ kind: CastleProcess.Kind) -> Self { SharedCastle(kind: kind) }
}

/// The suite has its turn before its tests' time begins: each starts a castle of its own.
struct CastlesInTurn: SuiteTrait, TestScoping {
  var isRecursive: Bool { false }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await CastleProcess.inTurn { try await function() }
  }
}

extension Trait where Self == CastlesInTurn {
  static var castlesInTurn: Self { CastlesInTurn() }
}

/// The suite's castle.
func castle() throws -> CastleProcess { try #require(SharedCastle.current, "the suite has no castle") }

let storefrontFile = "Examples/storefront/castle.yaml"

extension CastleProcess {
  static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Scripts"

  /// Runs a script to its end. What it says last is returned, and printed, so that numbers are seen.
  @discardableResult
  func script(_ name: String, _ arguments: [String] = [], seconds: Double = 90) async throws -> JSONValue {
    let finished = try await run(
      "python3", ["\(Self.scripts)/\(name)"] + arguments, environment: ["PYTHONDONTWRITEBYTECODE": "1"],
      seconds: seconds
    ).succeeded()
    let last = finished.output.split(separator: "\n").last ?? ""
    print("\(name) \(arguments.first ?? ""): \(last)")
    return try JSONDecoder().decode(JSONValue.self, from: Data(last.utf8))
  }

  /// Starts a script that runs until it is interrupted.
  func launch(_ name: String, _ arguments: [String]) async throws -> RunningProgram {
    var environment = ProcessInfo.processInfo.environment
    environment.merge(try await credentials()) { $1 }
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return try RunningProgram(
      "python3", ["\(Self.scripts)/\(name)"] + arguments, environment: environment, directory: Self.package,
      folder: folder)
  }
}

/// Returns once the condition holds; fails the test when it does not within so many seconds.
func eventually(
  _ what: String, seconds: Double = 30, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try await !condition() {
    try #require(ContinuousClock.now < deadline, "\(what): not in \(seconds) s", sourceLocation: sourceLocation)
    try await Task.sleep(for: .milliseconds(20))
  }
}
