// A REST operation's URI template, such as `/{Bucket}/{Key+}?tagging`.

struct URITemplate: Sendable {
  enum Segment: Sendable, Equatable {
    case literal(String)
    case label(String)
    /// Takes the rest of the path.
    case greedy(String)
  }

  var segments: [Segment] = []
  /// The pairs after `?`; nil where any value will do.
  var query: [(name: String, value: String?)] = []

  /// Nil when braces do not match.
  init?(_ text: String) {
    let halves = text.split(separator: "?", maxSplits: 1)
    for part in halves.first?.split(separator: "/") ?? [] {
      if part.hasPrefix("{") {
        guard part.hasSuffix("}") else { return nil }
        let name = part.dropFirst().dropLast()
        segments.append(name.hasSuffix("+") ? .greedy(String(name.dropLast())) : .label(String(name)))
      } else {
        segments.append(.literal(String(part)))
      }
    }
    if halves.count == 2 {
      for pair in halves[1].split(separator: "&") {
        let sides = pair.split(separator: "=", maxSplits: 1)
        query.append((String(sides[0]), sides.count == 2 ? String(sides[1]) : nil))
      }
    }
  }

  /// The labels' values, decoded; nil when the path is not of this form. A greedy label keeps empty parts and a slash at
  /// its end (they are part of an S3 key); otherwise one slash at the end of the path is passed over.
  func labels(in path: String) -> [(name: String, value: String)]? {
    var labels: [(name: String, value: String)] = []
    var isEncoded = true
    let isTaken = walk(Self.parts(of: path)) { name, raw in
      if let text = PercentCoding.decode(raw) { labels.append((name, text)) } else { isEncoded = false }
    }
    return isTaken && isEncoded ? labels : nil
  }

  /// A path between its slashes, to be held against many templates.
  static func parts(of path: String) -> [Substring] {
    let utf8 = path.utf8.first == UInt8(ascii: "/") ? path.utf8.dropFirst() : path.utf8[...]
    return utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Substring($0) }
  }

  /// Whether a path is of this form.
  func takes(_ path: [Substring]) -> Bool { walk(path) { _, _ in } }

  /// Goes along the path; tells each label's value as it stands there. False when the path is not of this form.
  private func walk(_ path: [Substring], _ label: (_ name: String, _ raw: Substring) -> Void) -> Bool {
    var parts = path[...]
    for segment in segments {
      guard let part = parts.first else { return false }
      switch segment {
      case .greedy(let name):
        // Something has to be left, though it may begin with an empty part.
        guard parts.count > 1 || !part.isEmpty else { return false }
        label(name, part.base[part.startIndex...])
        return true
      case .literal(let text): guard part == text[...] else { return false }
      case .label(let name):
        guard !part.isEmpty else { return false }
        label(name, part)
      }
      parts = parts.dropFirst()
    }
    // One slash at the end is passed over.
    return parts.isEmpty || (parts.count == 1 && parts.first?.isEmpty == true)
  }
}
