// A botocore service model, as it lies in the package: JSON, gzipped in newer versions.

import Foundation

typealias JSON = [String: Any]

struct SourceModel {
  var metadata: JSON
  var operations: JSON
  var shapes: JSON

  static func load(botocore: String, name: String) throws -> SourceModel {
    let folder = "\(botocore)/\(name)"
    let versions = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    guard let version = versions.last else { throw Failure("no version of \(name) in \(folder)") }
    let plain = "\(folder)/\(version)/service-2.json"
    let data: Data
    if FileManager.default.fileExists(atPath: plain) {
      data = try Data(contentsOf: URL(fileURLWithPath: plain))
    } else {
      data = try gunzip(plain + ".gz")
    }
    guard let json = try JSONSerialization.jsonObject(with: data) as? JSON, let metadata = json["metadata"] as? JSON,
      let operations = json["operations"] as? JSON, let shapes = json["shapes"] as? JSON
    else { throw Failure("\(plain) is not a service model") }
    return SourceModel(metadata: metadata, operations: operations, shapes: shapes)
  }

  private static func gunzip(_ path: String) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-dc", path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure("gzip could not read \(path)") }
    return data
  }

  func shape(_ name: String) throws -> JSON {
    guard let shape = shapes[name] as? JSON else { throw Failure("no shape \(name)") }
    return shape
  }
}
