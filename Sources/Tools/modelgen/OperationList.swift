// The list of operations that we build: operations.txt.

struct OperationList {
  struct Entry {
    /// Our module's name, such as `KMS`.
    var module: String
    /// botocore's folder, such as `kms`.
    var model: String
    var operations: [String]
  }
  var entries: [Entry] = []

  init(text: String) throws {
    for line in text.split(separator: "\n") where !line.hasPrefix("#") && line.contains(where: { $0 != " " }) {
      if line.hasPrefix(" ") {
        guard !entries.isEmpty else { throw Failure("operations.txt starts with a continued line") }
        entries[entries.count - 1].operations += line.split(separator: " ").map(String.init)
        continue
      }
      let halves = line.split(separator: ":", maxSplits: 1)
      let names = halves[0].split(separator: " ").map(String.init)
      guard halves.count == 2, names.count == 2 else { throw Failure("operations.txt: \(line)") }
      entries.append(
        Entry(module: names[0], model: names[1], operations: halves[1].split(separator: " ").map(String.init)))
    }
  }
}
