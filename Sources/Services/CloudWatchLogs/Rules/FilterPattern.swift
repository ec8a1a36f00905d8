// The filter language of CloudWatch Logs for text: words, phrases, exclusions, alternatives; and its way into JSON.

import AWSCore
import AWSWire

/// A filter pattern, read.
enum FilterPattern: Sendable {
  case everything
  case terms(TermFilter)
  case json(JSONFilter)

  /// - Throws: `InvalidParameterException`; 501 for patterns of space-delimited fields and regular expressions.
  init(_ text: String) throws {
    let trimmed = String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    if trimmed.isEmpty {
      self = .everything
    } else if trimmed.hasPrefix("{") {
      self = .json(try JSONFilter(trimmed))
    } else if trimmed.hasPrefix("[") {
      throw AWSError.notImplemented("filter patterns of space-delimited fields ([a, b, …])")
    } else {
      self = .terms(try TermFilter(trimmed))
    }
  }

  func matches(_ message: String) -> Bool {
    switch self {
    case .everything: true
    case .terms(let filter): filter.matches(message)
    case .json(let filter): filter.matches(message)
    }
  }
}

/// `a b` (both), `-a` (not), `?a ?b` (either), `"a phrase"`. Upper and lower case differ.
struct TermFilter: Sendable {
  private var required: [String] = []
  private var excluded: [String] = []
  private var optional: [String] = []

  init(_ text: String) throws {
    var rest = Substring(text)
    while let first = rest.first {
      if first == " " {
        rest.removeFirst()
        continue
      }
      var sign: Character?
      if first == "-" || first == "?" {
        sign = first
        rest.removeFirst()
      }
      let term = try Self.term(&rest, text)
      switch sign {
      case "-": excluded.append(term)
      case "?": optional.append(term)
      default: required.append(term)
      }
    }
  }

  private static func term(_ rest: inout Substring, _ whole: String) throws -> String {
    guard rest.first == "\"" else {
      let word = rest.prefix { $0 != " " }
      if word.hasPrefix("%"), word.hasSuffix("%"), word.count > 1 {
        throw AWSError.notImplemented("regular expressions in filter patterns")
      }
      guard !word.isEmpty, !word.contains("\"") else { throw LogsError.invalid("Invalid filter pattern: \(whole)") }
      rest = rest.dropFirst(word.count)
      return String(word)
    }
    rest.removeFirst()
    var phrase = ""
    while let next = rest.popFirst() {
      if next == "\"" { return phrase }
      if next == "\\", let escaped = rest.popFirst() { phrase.append(escaped) } else { phrase.append(next) }
    }
    throw LogsError.invalid("Invalid filter pattern: \(whole)")
  }

  func matches(_ message: String) -> Bool {
    for term in excluded where Self.contains(message, term) { return false }
    for term in required where !Self.contains(message, term) { return false }
    // Beside required terms AWS does not look at the optional ones.
    if !required.isEmpty || optional.isEmpty { return true }
    return optional.contains { Self.contains(message, $0) }
  }

  /// Compared as bytes: several times quicker than by characters.
  private static func contains(_ message: String, _ term: String) -> Bool {
    var message = message
    var term = term
    return message.withUTF8 { text in
      term.withUTF8 { word in
        guard let first = word.first else { return true }
        guard text.count >= word.count else { return false }
        for start in 0...(text.count - word.count) where text[start] == first {
          if (1..<word.count).allSatisfy({ text[start + $0] == word[$0] }) { return true }
        }
        return false
      }
    }
  }
}
