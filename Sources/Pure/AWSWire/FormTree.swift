// A form's dotted keys as a tree: `Tags.member.1.Key=a` is a path of names with a value at its end.

struct FormTree {
  private struct Node {
    var value: String?
    var children: [String: Int] = [:]
  }
  private var nodes = [Node()]

  /// The root.
  var root: Int { 0 }

  init(_ pairs: [PercentCoding.Pair]) throws(DecodeFault) {
    for pair in pairs {
      var at = 0
      var parts = 0
      for part in pair.name.split(separator: ".", omittingEmptySubsequences: false) {
        parts += 1
        guard parts <= WireLimits.formKeyParts else { throw .malformed("A parameter's name has too many parts.") }
        let name = String(part)
        if let next = nodes[at].children[name] {
          at = next
        } else {
          nodes.append(Node())
          nodes[at].children[name] = nodes.count - 1
          at = nodes.count - 1
        }
      }
      nodes[at].value = pair.value ?? ""
    }
  }

  func child(_ node: Int, _ name: String) -> Int? { nodes[node].children[name] }
  func value(_ node: Int) -> String? { nodes[node].value }
  func isLeaf(_ node: Int) -> Bool { nodes[node].children.isEmpty }

  /// The children whose names are numbers, in their order; gaps do not matter.
  func elements(_ node: Int) -> [Int] {
    nodes[node].children.compactMap { name, child in Int(name).map { ($0, child) } }
      .sorted { $0.0 < $1.0 }.map(\.1)
  }
}
