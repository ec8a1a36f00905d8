// Reads single values of castle.yaml and collects the problems.
import Yams

/// The problems found so far.
struct ProblemList {
  private(set) var problems: [BlueprintProblem] = []

  mutating func report(_ message: String, at node: Node, suggestion: String? = nil) {
    report(message, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1, suggestion: suggestion)
  }

  mutating func report(_ message: String, line: Int, column: Int, suggestion: String? = nil) {
    problems.append(.init(line: line, column: column, message: message, suggestion: suggestion))
  }

  /// The problems in the order of the file.
  var sorted: [BlueprintProblem] {
    problems.enumerated().sorted { a, b in
      (a.element.line, a.element.column, a.offset) < (b.element.line, b.element.column, b.offset)
    }.map(\.element)
  }
}

/// The fields of one section, its keys already checked against the table.
struct BlueprintFields {
  let section: BlueprintSection
  /// What a message calls this section, such as `service "frontend"`.
  let place: String
  let node: Node
  private let values: [String: Node]

  /// Reports keys that the section does not know, and required ones that are missing.
  init(_ node: Node, _ section: BlueprintSection, place: String, problems: inout ProblemList) {
    self.section = section
    self.place = place
    self.node = node
    var values: [String: Node] = [:]
    let isEmpty = node.isEmptyScalar
    if case .mapping(let mapping) = node {
      for (key, value) in mapping {
        guard case .scalar(let name) = key, section.names.contains(name.string) else {
          let word = key.scalarText ?? "?"
          problems.report(
            "unknown key \"\(word)\" in \(place)", at: key,
            suggestion: nearest(word, of: section.names).map { "\"\($0)\"" })
          continue
        }
        values[name.string] = value
      }
    } else if !isEmpty {
      problems.report("\(place) must be a map of keys and values", at: node)
    }
    if isEmpty || node.isMap {
      for key in section.keys where key.isRequired && values[key.name] == nil {
        problems.report("\(place) needs the key \"\(key.name)\": \(key.summary)", at: node)
      }
    }
    self.values = values
  }

  /// The value of a key. The key must be in the section's table: that is how the table stays complete.
  subscript(key: String) -> Node? {
    precondition(section.names.contains(key), "\(key) is missing in the table of \(section.title)")
    return values[key]
  }

  func text(_ key: String, _ problems: inout ProblemList) -> String? {
    guard let node = self[key] else { return nil }
    guard let text = node.scalarText, !text.isEmpty else {
      problems.report("\"\(key)\" in \(place) must be a text", at: node)
      return nil
    }
    return text
  }

  func wholeNumber(_ key: String, _ problems: inout ProblemList) -> Int? {
    guard let node = self[key] else { return nil }
    guard let text = node.scalarText, let number = Int(text) else {
      problems.report("\"\(key)\" in \(place) must be a whole number", at: node)
      return nil
    }
    guard case .wholeNumber(let range)? = kind(key), range.contains(number) else {
      var bounds = ""
      if case .wholeNumber(let range)? = kind(key) { bounds = " from \(range.lowerBound) to \(range.upperBound)" }
      problems.report("\"\(key)\" in \(place) must be a whole number\(bounds), not \(number)", at: node)
      return nil
    }
    return number
  }

  func number(_ key: String, _ problems: inout ProblemList) -> Double? {
    guard let node = self[key] else { return nil }
    guard let text = node.scalarText, let number = Double(text), case .number(let range)? = kind(key) else {
      problems.report("\"\(key)\" in \(place) must be a number", at: node)
      return nil
    }
    guard range.contains(number) else {
      problems.report(
        "\"\(key)\" in \(place) must be from \(range.lowerBound) to \(range.upperBound), not \(text)", at: node)
      return nil
    }
    return number
  }

  func word<Word: RawRepresentable & CaseIterable>(_ key: String, _ type: Word.Type, _ problems: inout ProblemList)
    -> Word? where Word.RawValue == String
  {
    guard let node = self[key] else { return nil }
    let text = node.scalarText ?? ""
    if let word = Word(rawValue: text) { return word }
    let words = Word.allCases.map(\.rawValue)
    problems.report(
      "\"\(key)\" in \(place) must be \(words.joined(separator: " or ")), not \"\(text)\"", at: node,
      suggestion: nearest(text, of: words).map { "\"\($0)\"" })
    return nil
  }

  /// A value with a unit; `Units` says what is wrong with it.
  func unit<Value>(
    _ key: String, _ problems: inout ProblemList, _ read: (String) throws(UnitProblem) -> Value
  ) -> Value? {
    guard let node = self[key] else { return nil }
    do {
      return try read(node.scalarText ?? "")
    } catch {
      problems.report(
        "\"\(key)\" in \(place): \(error.message)", at: node, suggestion: error.suggestion.map { "\"\($0)\"" })
      return nil
    }
  }

  /// A duration of whole days.
  func days(_ key: String, _ range: ClosedRange<Int>, _ problems: inout ProblemList) -> Int? {
    guard let seconds = unit(key, &problems, Units.duration), let node = self[key] else { return nil }
    guard seconds % 86400 == 0, range.contains(seconds / 86400) else {
      problems.report(
        "\"\(key)\" in \(place) must be whole days from \(range.lowerBound)d to \(range.upperBound)d", at: node)
      return nil
    }
    return seconds / 86400
  }

  /// A list of texts with their places.
  func texts(_ key: String, _ problems: inout ProblemList) -> [(text: String, node: Node)] {
    guard let node = self[key], !node.isEmptyScalar else { return [] }
    guard case .sequence(let items) = node else {
      problems.report("\"\(key)\" in \(place) must be a list, such as [a, b]", at: node)
      return []
    }
    var texts: [(String, Node)] = []
    for item in items {
      guard let text = item.scalarText, !text.isEmpty else {
        problems.report("\"\(key)\" in \(place) must be a list of texts", at: item)
        continue
      }
      texts.append((text, item))
    }
    return texts
  }

  private func kind(_ key: String) -> BlueprintKey.Kind? { section.keys.first { $0.name == key }?.kind }
}

extension Node {
  /// The text of a scalar.
  var scalarText: String? {
    if case .scalar(let scalar) = self { return scalar.string }
    return nil
  }

  var isEmptyMap: Bool {
    if case .mapping(let mapping) = self { return mapping.isEmpty }
    return false
  }

  var isMap: Bool {
    if case .mapping = self { return true }
    return false
  }

  /// Nothing behind the colon.
  var isEmptyScalar: Bool {
    guard case .scalar(let scalar) = self, scalar.style == .plain else { return false }
    return ["", "~", "null"].contains(scalar.string)
  }
}
