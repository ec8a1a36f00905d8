// The app that castle.yaml describes, read for the command.

import Blueprint
import Foundation

struct App {
  let blueprint: Blueprint
  let path: String
  /// The file's folder, where the app's commands are run.
  let directory: String

  /// - Throws: a `Complaint` with each of the file's errors, its line and column.
  init(file: String) throws {
    path = file
    let url = URL(fileURLWithPath: file).standardizedFileURL
    directory = url.deletingLastPathComponent().path
    guard let data = FileManager.default.contents(atPath: url.path) else {
      throw Complaint("There is no \(file) here. Name one with --file, or run castle start for an empty cloud.")
    }
    do {
      blueprint = try Blueprint.parse(String(decoding: data, as: UTF8.self))
    } catch {
      throw Complaint(error.problems.map { "\(file):\($0)" }.joined(separator: "\n"))
    }
  }
}
