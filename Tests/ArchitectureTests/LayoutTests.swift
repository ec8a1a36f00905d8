// Package.swift, the folders and the services' pages agree.

import Foundation
import Testing

@Suite("Layout of the repository")
struct LayoutTests {
  let house = Repository.shared

  @Test("every module has its folder and every folder its module")
  func foldersAreModules() {
    var offenders: [String] = []
    for (name, path) in house.modules.sorted(by: { $0.key < $1.key }) {
      if !FileManager.default.fileExists(atPath: house.root.appendingPathComponent(path).path) {
        offenders.append("\(name) is declared at \(path), which is not there")
      }
    }
    let declared = Set(house.modules.values)
    for top in ["Sources/Pure", "Sources/Platform", "Sources/Engines", "Sources/Services", "Sources/Models", "Tests"] {
      for folder in house.folders(in: top) where !declared.contains("\(top)/\(folder)") {
        offenders.append("\(top)/\(folder) is in no module")
      }
    }
    expectNone(offenders, "Package.swift and the folders differ")
  }

  @Test("every service has a model, and every model is generated from the list")
  func servicesHaveModels() {
    let models = Set(house.folders(in: "Sources/Models"))
    var offenders = house.folders(in: "Sources/Services").filter { !models.contains($0) }.map { "\($0) has no model" }
    let list = house.text("Sources/Tools/modelgen/operations.txt") ?? ""
    for model in models.sorted() where !list.contains(model) { offenders.append("\(model) is not in operations.txt") }
    expectNone(offenders, "A service begins with its model")
  }

  @Test("every service's page says what it is, its operations, its differences from AWS and what is not built")
  func servicesHavePages() {
    let wanted: [(name: String, words: [String])] = [
      ("Operations", ["operations"]),
      ("Differences from AWS", ["differences"]),
      ("Not yet", ["not yet", "missing", "not built"]),
    ]
    var offenders: [String] = []
    for service in house.folders(in: "Sources/Services") {
      let path = "Sources/Services/\(service)/README.md"
      guard let text = house.text(path) else {
        offenders.append("\(path) is not there")
        continue
      }
      let lines = text.split(separator: "\n")
      let headings = lines.filter { $0.hasPrefix("#") }.map { $0.lowercased() }
      for section in wanted where !headings.contains(where: { line in section.words.contains { line.contains($0) } }) {
        offenders.append("\(path) has no section \(section.name)")
      }
      let introduced =
        headings.contains { $0.contains("what it is") }
        || lines.dropFirst().first.map { !$0.hasPrefix("#") } ?? false
      if !introduced { offenders.append("\(path) does not say what it is") }
    }
    expectNone(offenders, "See Sources/Services/KMS/README.md")
  }

  @Test("nothing stands in for something else")
  func noPlaceholders() {
    expectNone(
      house.sources.map(\.path).filter { $0.hasSuffix("/Placeholder.swift") }, "Write it, or remove the module")
  }

  @Test("pages link to what is there")
  func linksLead() throws {
    var offenders: [String] = []
    let folder = FileManager.default.enumerator(atPath: house.root.path)
    while let path = folder?.nextObject() as? String {
      if path.hasPrefix(".build") || path.hasPrefix(".git") {
        folder?.skipDescendants()
        continue
      }
      guard path.hasSuffix(".md"), let text = house.text(path) else { continue }
      let base = house.root.appendingPathComponent(path).deletingLastPathComponent()
      for link in text.matches(of: /\]\(([^)\s#]+)(?:#[^)]*)?\)/) {
        let target = String(link.1)
        if target.contains("://") || target.hasPrefix("mailto:") { continue }
        if !FileManager.default.fileExists(atPath: base.appendingPathComponent(target).path) {
          offenders.append("\(path) links to \(target)")
        }
      }
    }
    expectNone(offenders, "A link leads nowhere")
  }
}
