// Wildcards and policy variables, compiled once.

/// A text with `*`, `?` and `${variables}`, matched against bytes.
struct Pattern: Sendable, Hashable {
  /// One step: a byte, or one of the wildcards (beyond the bytes' range).
  typealias Step = UInt16
  static let many: Step = 256
  static let one: Step = 257

  enum Part: Sendable, Hashable {
    case fixed([Step])
    /// `${name}` or `${name, 'default'}`; the name in lower case.
    case variable(name: String, fallback: String?)
  }

  private(set) var parts: [Part]
  /// The steps, when there are no variables.
  private let compiled: [Step]?
  private let matchesAll: Bool

  init(parts: [Part]) {
    self.parts = parts
    switch parts.count {
    case 0: compiled = []
    case 1:
      if case .fixed(let steps) = parts[0] { compiled = steps } else { compiled = nil }
    default: compiled = nil
    }
    matchesAll = compiled == [Self.many]
  }

  /// - Parameters:
  ///   - wildcards: whether `*` and `?` are wildcards.
  ///   - variables: whether `${…}` is looked at (policy version 2012-10-17 and later).
  init(_ text: String, wildcards: Bool = true, variables: Bool = false) {
    self.init(parts: Self.parse(text, wildcards: wildcards, variables: variables))
  }

  /// Whether it stands for everything.
  var isEverything: Bool { matchesAll }

  /// Whether the text fits. A variable that has no value fits nothing.
  func matches(_ text: [UInt8], _ lookup: (String) -> String?) -> Bool {
    if matchesAll { return true }
    if let compiled { return Self.glob(compiled, text) }
    guard let steps = expanded(lookup) else { return false }
    return Self.glob(steps, text)
  }

  private func expanded(_ lookup: (String) -> String?) -> [Step]? {
    var steps: [Step] = []
    for part in parts {
      switch part {
      case .fixed(let fixed): steps += fixed
      case .variable(let name, let fallback):
        // What a variable stands for is never a wildcard.
        guard let value = lookup(name) ?? fallback else { return nil }
        steps += value.utf8.map(Step.init)
      }
    }
    return steps
  }

  /// The patterns between the first five colons and what is behind them; missing ones stand for everything.
  func arnSegments() -> [Pattern] {
    var segments: [[Part]] = [[]]
    for part in parts {
      guard case .fixed(let steps) = part else {
        segments[segments.count - 1].append(part)
        continue
      }
      var run: [Step] = []
      for step in steps {
        if step == Step(UInt8(ascii: ":")), segments.count < 6 {
          if !run.isEmpty { segments[segments.count - 1].append(.fixed(run)) }
          run = []
          segments.append([])
        } else {
          run.append(step)
        }
      }
      if !run.isEmpty { segments[segments.count - 1].append(.fixed(run)) }
    }
    while segments.count < 6 { segments.append([.fixed([Self.many])]) }
    return segments.map(Pattern.init(parts:))
  }

  /// The same pattern in lower case (ASCII), for texts in lower case.
  func lowercased() -> Pattern {
    Pattern(
      parts: parts.map { part in
        guard case .fixed(let steps) = part else { return part }
        return .fixed(steps.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 })
      })
  }

  /// Wildcard matching with one point of return: linear for one star, never exponential.
  private static func glob(_ steps: [Step], _ text: [UInt8]) -> Bool {
    steps.withUnsafeBufferPointer { p in
      text.withUnsafeBufferPointer { t in
        var i = 0
        var j = 0
        var star = -1
        var mark = 0
        while j < t.count {
          if i < p.count, p[i] == many {
            star = i
            mark = j
            i += 1
          } else if i < p.count, p[i] == Step(t[j]) {
            i += 1
            j += 1
          } else if i < p.count, p[i] == one {
            i += 1
            j += 1
            // A question mark is one character, however many bytes.
            while j < t.count, t[j] & 0xC0 == 0x80 { j += 1 }
          } else if star >= 0 {
            mark += 1
            j = mark
            i = star + 1
          } else {
            return false
          }
        }
        while i < p.count, p[i] == many { i += 1 }
        return i == p.count
      }
    }
  }

  // MARK: Parsing

  private static func parse(_ text: String, wildcards: Bool, variables: Bool) -> [Part] {
    let bytes = Array(text.utf8)
    var parts: [Part] = []
    var run: [Step] = []
    var i = 0
    while i < bytes.count {
      let b = bytes[i]
      if variables, b == UInt8(ascii: "$"), i + 1 < bytes.count, bytes[i + 1] == UInt8(ascii: "{"),
        let end = bytes[i...].firstIndex(of: UInt8(ascii: "}"))
      {
        let inside = String(decoding: bytes[(i + 2)..<end], as: UTF8.self)
        i = end + 1
        if ["*", "?", "$"].contains(inside) {
          run.append(Step(inside.utf8.first ?? 0))
          continue
        }
        if !run.isEmpty { parts.append(.fixed(run)) }
        run = []
        parts.append(variable(inside))
      } else {
        if wildcards, b == UInt8(ascii: "*") {
          if run.last != many { run.append(many) }
        } else if wildcards, b == UInt8(ascii: "?") {
          run.append(one)
        } else {
          run.append(Step(b))
        }
        i += 1
      }
    }
    if !run.isEmpty { parts.append(.fixed(run)) }
    return parts
  }

  private static func variable(_ inside: String) -> Part {
    let pieces = inside.split(separator: ",", maxSplits: 1)
    func trimmed(_ text: Substring) -> Substring {
      var text = text
      while text.first == " " { text.removeFirst() }
      while text.last == " " { text.removeLast() }
      return text
    }
    let name = String(trimmed(pieces.first ?? "")).lowercased()
    guard pieces.count == 2 else { return .variable(name: name, fallback: nil) }
    var fallback = trimmed(pieces[1])
    if fallback.count >= 2, fallback.first == "'", fallback.last == "'" { fallback = fallback.dropFirst().dropLast() }
    return .variable(name: name, fallback: String(fallback))
  }
}

/// An ARN with wildcards, or `*`, compared part by part.
struct ARNPattern: Sendable, Hashable {
  private let segments: [Pattern]?

  init(_ text: String, variables: Bool) {
    segments = text == "*" ? nil : Pattern(text, variables: variables).arnSegments()
  }

  /// - Parameter parts: the ARN's six parts; fewer when it is none.
  func matches(_ parts: [[UInt8]], _ lookup: (String) -> String?) -> Bool {
    guard let segments else { return true }
    guard parts.count == 6 else { return false }
    // From the right: resources differ more often than partitions.
    for i in (0..<6).reversed() where !segments[i].matches(parts[i], lookup) { return false }
    return true
  }

  /// The six parts of an ARN as bytes; whatever is no ARN comes back as fewer.
  static func split(_ arn: String) -> [[UInt8]] {
    arn.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 5, omittingEmptySubsequences: false).map(Array.init)
  }
}
