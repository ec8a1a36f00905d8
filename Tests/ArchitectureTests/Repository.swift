// The repository as these tests see it: its Swift files, its modules, and what Package.swift says of them.

import Foundation
import Testing

struct Repository: Sendable {
  static let shared = Repository()

  let root: URL
  let manifest: SwiftSource
  /// The Swift files that people write, under Sources, Tests and Examples.
  let sources: [SwiftSource]
  /// Paths of the generated files, under Sources/Models.
  let generated: [String]
  /// Folder of each module that Package.swift declares, by the module's name.
  let modules: [String: String]

  init() {
    root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let root = root
    func read(_ path: String) -> SwiftSource {
      let data = FileManager.default.contents(atPath: root.appendingPathComponent(path).path) ?? Data()
      return SwiftSource(path: path, text: String(decoding: data, as: UTF8.self))
    }
    manifest = read("Package.swift")
    var sources: [SwiftSource] = []
    var generated: [String] = []
    for top in ["Sources", "Tests", "Examples"] {
      let folder = FileManager.default.enumerator(atPath: root.appendingPathComponent(top).path)
      for case let path as String in folder ?? FileManager.DirectoryEnumerator() where path.hasSuffix(".swift") {
        if path.hasPrefix("Models/") {
          generated.append("\(top)/\(path)")
        } else if !path.contains(".build/") {
          sources.append(read("\(top)/\(path)"))
        }
      }
    }
    self.sources = sources.sorted { $0.path < $1.path }
    self.generated = generated.sorted()
    modules = Self.modules(of: manifest.text)
  }

  /// Reads the target declarations of Package.swift.
  private static func modules(of manifest: String) -> [String: String] {
    var result: [String: String] = [:]
    for match in manifest.matches(of: /(?:module|dataPlane)\(\s*"([\w-]+)", "([^"]+)"/) {
      result[String(match.1)] = "Sources/\(match.2)"
    }
    for match in manifest.matches(of: /(?:program)\(\s*"([\w-]+)", "([^"]+)"/) {
      result[String(match.1)] = String(match.2)
    }
    for match in manifest.matches(of: /name: "([\w-]+)",[^"]*(?:dependencies: \[[^\]]*\],\s*)?path: "([^"\\]+)"/) {
      result[String(match.1)] = String(match.2)
    }
    for match in manifest.matches(of: /[^\w]service\(\s*"(\w+)"/) {
      result["\(match.1)Service"] = "Sources/Services/\(match.1)"
    }
    if let list = manifest.firstMatch(of: /let models = \[([^\]]*)\]/) {
      for name in list.1.matches(of: /"(\w+)"/) { result["\(name.1)Model"] = "Sources/Models/\(name.1)" }
    }
    for match in manifest.matches(of: /[^\w]tests\(\s*"(\w+)"/) { result[String(match.1)] = "Tests/\(match.1)" }
    return result
  }

  /// The files of modules whose folder is `prefix` or lies in it.
  func files(in prefixes: String...) -> [SwiftSource] {
    sources.filter { source in prefixes.contains { source.path.hasPrefix("\($0)/") } }
  }

  /// Names of the folders directly inside a folder.
  func folders(in path: String) -> [String] {
    let url = root.appendingPathComponent(path)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: url.appendingPathComponent(name).path, isDirectory: &isFolder)
        && isFolder.boolValue
    }.sorted()
  }

  func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: root.appendingPathComponent(path).path).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// The modules of ours that lie in one of the folders.
  func moduleNames(in prefixes: String...) -> Set<String> {
    Set(modules.filter { entry in prefixes.contains { entry.value.hasPrefix("\($0)/") || entry.value == $0 } }.keys)
  }
}

/// Fails once, listing every offender, so that one run tells all there is to mend.
func expectNone(_ offenders: [String], _ rule: String, sourceLocation: SourceLocation = #_sourceLocation) {
  guard !offenders.isEmpty else { return }
  Issue.record("\(rule):\n  \(offenders.joined(separator: "\n  "))", sourceLocation: sourceLocation)
}
