// The production template: golden text, what it says, and what CloudFormation's linter thinks of it.
import CastleTesting
import Foundation
import Templates
import Testing

@testable import Blueprint

@Suite("The production template")
struct ProductionTemplateTests {
  @Test("is the golden file, word for word")
  func golden() throws {
    let text = try Fixture.blueprint("storefront").template()
    let file = Fixture.folder.appending(path: "storefront.template.yaml")
    if ProcessInfo.processInfo.environment["CASTLE_UPDATE_GOLDEN"] != nil {
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    let golden = try String(contentsOf: file, encoding: .utf8)
    // Compared by lines, so that a difference is readable.
    let difference = text.split(separator: "\n", omittingEmptySubsequences: false)
      .difference(from: golden.split(separator: "\n", omittingEmptySubsequences: false))
    #expect(
      difference.isEmpty,
      "\(difference.prefix(10)) — run the tests with CASTLE_UPDATE_GOLDEN=1 and read the diff when this is meant")
  }

  @Test("passes cfn-lint without an error or a warning", arguments: ["storefront", "everything"])
  func lint(name: String) async throws {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let candidates = folders.map { "\($0)/cfn-lint" }
    guard let program = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      try Test.cancel("cfn-lint is not installed")
    }
    let folder = FileManager.default.temporaryDirectory.appending(path: "castle-lint-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let blueprint = try Fixture.blueprint(name)
    let yaml = folder.appending(path: "template.yaml")
    let json = folder.appending(path: "template.json")
    try blueprint.template(.yaml).write(to: yaml, atomically: true, encoding: .utf8)
    try blueprint.template(.json).write(to: json, atomically: true, encoding: .utf8)
    let result = try await Program.run([program, yaml.path, json.path])
    let said = String(decoding: result.output + result.error, as: UTF8.self)
    #expect(result.status == 0, "\(said)")
    #expect(said.isEmpty)
  }
}
