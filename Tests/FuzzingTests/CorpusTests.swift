// What fuzzers found worth keeping, once more: no input may break what its target promises (Tools/fuzz).
import Foundation
import FuzzTargets
import Testing

@Suite("Fuzzers' corpus")
struct CorpusTests {
  /// The inputs of a target, by file.
  private func inputs(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus/\(target.rawValue)")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
      (name, Array(try Data(contentsOf: folder.appending(path: name))))
    }
  }

  @Test("every input that was kept passes its target", arguments: FuzzTarget.allCases)
  func replay(_ target: FuzzTarget) throws {
    let inputs = try inputs(target)
    #expect(!inputs.isEmpty, "no corpus of \(target.rawValue)")
    for input in inputs { target.run(input.bytes) }
  }

  @Test("an input cut off anywhere, or with a byte changed, passes its target", arguments: FuzzTarget.allCases)
  func changed(_ target: FuzzTarget) throws {
    for input in try inputs(target).prefix(40) {
      var bytes = input.bytes
      for step in 0..<min(20, bytes.count) {
        target.run(Array(bytes.prefix(bytes.count * step / 20)))
        bytes[bytes.count * step / 20] ^= UInt8(1 << (step % 8))
        target.run(bytes)
      }
    }
  }
}
