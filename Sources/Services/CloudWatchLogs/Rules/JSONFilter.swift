// Filter patterns of JSON messages: { $.status = 500 && $.path = "/api/*" }.

import AWSCore
import AWSWire

/// A condition on a message that is a JSON document; another message never matches.
struct JSONFilter: Sendable {
  indirect enum Condition: Sendable {
    case and(Condition, Condition)
    case or(Condition, Condition)
    case compare([Step], String, Operand)
    case isNull([Step])
    case isBoolean([Step], Bool)
    case exists([Step], Bool)
  }
  enum Step: Sendable {
    case member(String)
    case element(Int)
    case anyElement
  }
  enum Operand: Sendable {
    case number(Double)
    /// The parts between the asterisks.
    case text([String])
  }

  private let condition: Condition

  /// - Throws: `InvalidParameterException`, 501 for regular expressions.
  init(_ pattern: String) throws {
    var reader = JSONFilterReader(pattern)
    condition = try reader.whole()
  }

  func matches(_ message: String) -> Bool {
    guard message.utf8.first(where: { $0 > 0x20 }) == UInt8(ascii: "{"),
      let document = try? JSON.parse(Array(message.utf8))
    else { return false }
    return Self.holds(condition, document)
  }

  private static func holds(_ condition: Condition, _ document: DynamicValue) -> Bool {
    switch condition {
    case .and(let a, let b): return holds(a, document) && holds(b, document)
    case .or(let a, let b): return holds(a, document) || holds(b, document)
    case .isNull(let path): return values(path, document).contains(.null)
    case .isBoolean(let path, let flag): return values(path, document).contains(.boolean(flag))
    case .exists(let path, let wanted): return values(path, document).isEmpty != wanted
    case .compare(let path, let sign, let operand):
      return values(path, document).contains { compare($0, sign, operand) }
    }
  }

  private static func values(_ path: [Step], _ document: DynamicValue) -> [DynamicValue] {
    var found = [document]
    for step in path {
      found = found.flatMap { value -> [DynamicValue] in
        switch step {
        case .member(let name): return value[name].map { [$0] } ?? []
        case .element(let index):
          guard let array = value.array, array.indices.contains(index) else { return [] }
          return [array[index]]
        case .anyElement: return value.array ?? []
        }
      }
    }
    return found
  }

  private static func compare(_ value: DynamicValue, _ sign: String, _ operand: Operand) -> Bool {
    switch operand {
    case .number(let wanted):
      let number: Double
      switch value {
      case .integer(let value): number = Double(value)
      case .double(let value): number = value
      // A string equals a number that is written the same.
      case .string(let text): return (Double(text) == wanted) == (sign == "=") && (sign == "=" || sign == "!=")
      default: return sign == "!="
      }
      switch sign {
      case "=": return number == wanted
      case "!=": return number != wanted
      case "<": return number < wanted
      case "<=": return number <= wanted
      case ">": return number > wanted
      default: return number >= wanted
      }
    case .text(let parts):
      let text: String
      switch value {
      case .string(let value): text = value
      case .integer(let value): text = String(value)
      case .boolean(let value): text = String(value)
      default: return sign == "!="
      }
      return fits(text, parts) == (sign == "=")
    }
  }

  /// The text is the parts in order, with anything between them.
  private static func fits(_ text: String, _ parts: [String]) -> Bool {
    guard let first = parts.first, let last = parts.last else { return true }
    if parts.count == 1 { return text == first }
    guard text.hasPrefix(first), text.count >= first.count + last.count else { return false }
    var rest = text.dropFirst(first.count)
    guard rest.hasSuffix(last) else { return false }
    rest = rest.dropLast(last.count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      var at = rest.startIndex
      while at < rest.endIndex, !rest[at...].hasPrefix(part) { at = rest.index(after: at) }
      guard at < rest.endIndex else { return false }
      rest = rest[at...].dropFirst(part.count)
    }
    return true
  }
}

/// Reads the pattern: `||` binds weaker than `&&`; parentheses.
private struct JSONFilterReader {
  private let characters: [Character]
  private var at = 0
  /// Parentheses that are open, so that no pattern exhausts the stack.
  private var depth = 0
  private var failure: AWSError { LogsError.invalid("Invalid filter pattern: \(String(characters))") }

  init(_ text: String) { characters = Array(text) }

  mutating func whole() throws -> JSONFilter.Condition {
    try expect("{")
    let condition = try alternative()
    try expect("}")
    skipSpace()
    guard at == characters.count else { throw failure }
    return condition
  }

  private mutating func alternative() throws -> JSONFilter.Condition {
    var condition = try conjunction()
    while take("||") { condition = .or(condition, try conjunction()) }
    return condition
  }

  private mutating func conjunction() throws -> JSONFilter.Condition {
    var condition = try single()
    while take("&&") { condition = .and(condition, try single()) }
    return condition
  }

  private mutating func single() throws -> JSONFilter.Condition {
    if take("(") {
      depth += 1
      guard depth < 50 else { throw failure }
      let condition = try alternative()
      depth -= 1
      try expect(")")
      return condition
    }
    let path = try selector()
    for sign in ["!=", "<=", ">=", "=", "<", ">"] where take(sign) {
      let operand = try operand()
      if case .text = operand, sign != "=", sign != "!=" { throw failure }
      return .compare(path, sign, operand)
    }
    let words = (word().uppercased(), word().uppercased())
    switch words {
    case ("IS", "NULL"): return .isNull(path)
    case ("IS", "TRUE"): return .isBoolean(path, true)
    case ("IS", "FALSE"): return .isBoolean(path, false)
    case ("NOT", "EXISTS"): return .exists(path, false)
    default: throw failure
    }
  }

  private mutating func selector() throws -> [JSONFilter.Step] {
    try expect("$")
    var path: [JSONFilter.Step] = []
    while at < characters.count {
      if characters[at] == "." {
        at += 1
        let name = name()
        guard !name.isEmpty else { throw failure }
        path.append(.member(name))
      } else if characters[at] == "[" {
        at += 1
        if take("*") {
          path.append(.anyElement)
        } else if at < characters.count, characters[at] == "'" || characters[at] == "\"" {
          path.append(.member(try quoted()))
        } else {
          guard let index = Int(name()) else { throw failure }
          path.append(.element(index))
        }
        try expect("]")
      } else {
        break
      }
    }
    guard !path.isEmpty else { throw failure }
    return path
  }

  private mutating func operand() throws -> JSONFilter.Operand {
    skipSpace()
    guard at < characters.count else { throw failure }
    if characters[at] == "%" { throw AWSError.notImplemented("regular expressions in filter patterns") }
    if characters[at] == "\"" {
      return .text(try quoted().split(separator: "*", omittingEmptySubsequences: false).map(String.init))
    }
    var text = ""
    while at < characters.count, !" &|(){}".contains(characters[at]) {
      text.append(characters[at])
      at += 1
    }
    guard !text.isEmpty else { throw failure }
    if let number = Double(text) { return .number(number) }
    return .text(text.split(separator: "*", omittingEmptySubsequences: false).map(String.init))
  }

  private mutating func quoted() throws -> String {
    let quote = characters[at]
    at += 1
    var text = ""
    while at < characters.count, characters[at] != quote {
      if characters[at] == "\\", at + 1 < characters.count { at += 1 }
      text.append(characters[at])
      at += 1
    }
    guard at < characters.count else { throw failure }
    at += 1
    return text
  }

  private mutating func name() -> String {
    var text = ""
    while at < characters.count, characters[at].isLetter || characters[at].isNumber || "_-@:".contains(characters[at]) {
      text.append(characters[at])
      at += 1
    }
    return text
  }

  private mutating func word() -> String {
    skipSpace()
    return name()
  }

  private mutating func skipSpace() { while at < characters.count, characters[at].isWhitespace { at += 1 } }

  private mutating func take(_ text: String) -> Bool {
    skipSpace()
    let wanted = Array(text)
    guard at + wanted.count <= characters.count, Array(characters[at..<at + wanted.count]) == wanted else {
      return false
    }
    at += wanted.count
    return true
  }

  private mutating func expect(_ text: String) throws {
    guard take(text) else { throw failure }
  }
}
