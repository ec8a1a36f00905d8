// The files that the tests of Blueprint read.
import Foundation
import Testing

@testable import Blueprint

enum Fixture {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

  static func text(_ name: String) throws -> String {
    try String(contentsOf: folder.appending(path: name), encoding: .utf8)
  }

  static func blueprint(_ name: String) throws -> Blueprint {
    try Blueprint.parse(try text("\(name).castle.yaml"))
  }
}
