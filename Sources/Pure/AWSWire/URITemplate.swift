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
  func labels(in path: String) -> [String: String]? {
    guard let parts = match(path) else { return nil }
    var labels: [String: String] = [:]
    for (name, raw) in parts {
      guard let text = PercentCoding.decode(raw) else { return nil }
      labels[name] = text
    }
    return labels
  }

  /// A path taken apart, to be held against many templates.
  struct Parts {
    var parts: [Substring]
  }

  static func parts(of path: String) -> Parts {
    let utf8 = path.utf8.first == UInt8(ascii: "/") ? path.utf8.dropFirst() : path.utf8[...]
    return Parts(
      parts: utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Substring($0) })
  }

  /// Whether a path is of this form: what `match` says without the labels' values.
  func takes(_ path: Parts) -> Bool {
    var parts = path.parts[...]
    for segment in segments {
      guard let part = parts.first else { return false }
      switch segment {
      // Something has to be left, though it may begin with an empty part.
      case .greedy: return parts.count > 1 || !part.isEmpty
      case .literal(let text): guard part == text[...] else { return false }
      case .label: guard !part.isEmpty else { return false }
      }
      parts = parts.dropFirst()
    }
    // One slash at the end is passed over.
    return parts.isEmpty || (parts.count == 1 && parts.first?.isEmpty == true)
  }

  /// The labels' values as they stand in the path.
  func match(_ path: String) -> [(String, Substring)]? {
    var rest = path[...]
    if rest.utf8.first == UInt8(ascii: "/") { rest = rest.dropFirst() }
    var labels: [(String, Substring)] = []
    for segment in segments {
      guard !rest.isEmpty else { return nil }
      if case .greedy(let name) = segment {
        labels.append((name, rest))
        return labels
      }
      let end = rest.utf8.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
      let part = rest[..<end]
      rest = end == rest.endIndex ? rest[end...] : rest[rest.utf8.index(after: end)...]
      switch segment {
      case .literal(let text): guard part == text[...] else { return nil }
      case .label(let name):
        guard !part.isEmpty else { return nil }
        labels.append((name, part))
      case .greedy: break
      }
    }
    return rest.isEmpty ? labels : nil
  }
}
