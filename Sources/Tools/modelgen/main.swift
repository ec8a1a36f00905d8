// Writes the modules under Sources/Models from the public AWS API models that the botocore package carries.
//
//     modelgen --botocore DIRECTORY --operations FILE --output DIRECTORY [MODULE …]
//
// DIRECTORY is botocore's data folder. Only the listed operations and the shapes they reach are written.

import Foundation

struct Failure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

func option(_ name: String) throws -> String {
  guard let at = CommandLine.arguments.firstIndex(of: "--\(name)"), at + 1 < CommandLine.arguments.count else {
    throw Failure("missing --\(name) VALUE")
  }
  return CommandLine.arguments[at + 1]
}

do {
  let botocore = try option("botocore")
  let output = try option("output")
  let wanted = try OperationList(text: String(contentsOfFile: option("operations"), encoding: .utf8))
  let chosen = Set(CommandLine.arguments.dropFirst(7))
  for entry in wanted.entries where chosen.isEmpty || chosen.contains(entry.module) {
    let model = try SourceModel.load(botocore: botocore, name: entry.model)
    let generated = try Generator(module: entry.module, model: model, operations: entry.operations)
    try generated.write(to: "\(output)/\(entry.module)")
    print("\(entry.module): \(entry.operations.count) operations, \(generated.structureCount) structures")
  }
} catch {
  FileHandle.standardError.write(Data("modelgen: \(error)\n".utf8))
  exit(1)
}
