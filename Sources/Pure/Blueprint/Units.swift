// The small languages of castle.yaml: 30s, 512MB, 60%, 1..5, 2000/5m.

/// A value in words that does not mean anything, with what might have been meant.
struct UnitProblem: Error, Equatable {
  let message: String
  let suggestion: String?
}

/// Reads values with units.
enum Units {
  private static let durationUnits: [String: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800]
  private static let durationNames: [String: String] = [
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "wk": "w", "week": "w", "weeks": "w",
  ]

  /// `30s`, `5m`, `12h`, `7d`, `2w`, in seconds.
  static func duration(_ text: String) throws(UnitProblem) -> Int {
    let (digits, unit) = split(text)
    if let count = Int(digits), let seconds = durationUnits[unit] {
      let (product, overflow) = count.multipliedReportingOverflow(by: seconds)
      if !overflow { return product }
    }
    let word = durationNames[unit.lowercased()] ?? (durationUnits[unit.lowercased()] == nil ? nil : unit.lowercased())
    throw UnitProblem(
      message: "\"\(text)\" is not a duration: write a whole number and s, m, h, d or w, such as 30s or 7d",
      suggestion: Int(digits) == nil ? nil : word.map { digits + $0 })
  }

  /// `512MB`, `2GB`, in megabytes. Fargate's megabytes are 2^20 bytes, and so are these.
  static func megabytes(_ text: String) throws(UnitProblem) -> Int {
    let (digits, unit) = split(text)
    if let count = Double(digits), count > 0, count < 1e9 {
      if unit == "MB", let whole = Int(exactly: count) { return whole }
      if unit == "GB", let whole = Int(exactly: count * 1024) { return whole }
    }
    let word: String?
    switch unit.lowercased() {
    case "m", "mb", "mib", "megabytes": word = "MB"
    case "g", "gb", "gib", "gigabytes": word = "GB"
    default: word = nil
    }
    throw UnitProblem(
      message: "\"\(text)\" is not a size: write a number and MB or GB, such as 512MB",
      suggestion: Double(digits) == nil ? nil : word.map { digits + $0 })
  }

  /// `60%`, as 60.
  static func percent(_ text: String) throws(UnitProblem) -> Int {
    let (digits, unit) = split(text)
    if let count = Int(digits), unit == "%" { return count }
    var suggestion: String?
    if let count = Int(digits), unit.isEmpty || ["percent", "pct"].contains(unit.lowercased()) {
      suggestion = "\(count)%"
    } else if let part = Double(digits), part <= 1, unit.isEmpty {
      suggestion = "\(Int((part * 100).rounded()))%"
    }
    throw UnitProblem(message: "\"\(text)\" is not a percentage: write it such as 60%", suggestion: suggestion)
  }

  /// `0.5..16`, or one number for both ends.
  static func range(_ text: String) throws(UnitProblem) -> ClosedRange<Double> {
    if let both = Double(text), both.isFinite { return both...both }
    if let dots = text.firstRange(of: ".."), let low = Double(text[..<dots.lowerBound].trimmed),
      let high = Double(text[dots.upperBound...].trimmed), low.isFinite, high.isFinite
    {
      guard low <= high else {
        throw UnitProblem(
          message: "the range \"\(text)\" ends before it begins",
          suggestion: "\(text[dots.upperBound...].trimmed)..\(text[..<dots.lowerBound].trimmed)")
      }
      return low...high
    }
    var suggestion: String?
    for mark in ["...", "-", "–", "to"] {
      guard let found = text.firstRange(of: mark), let low = Double(text[..<found.lowerBound].trimmed),
        let high = Double(text[found.upperBound...].trimmed), low <= high
      else { continue }
      suggestion = "\(text[..<found.lowerBound].trimmed)..\(text[found.upperBound...].trimmed)"
      break
    }
    throw UnitProblem(message: "\"\(text)\" is not a range: write it such as 1..5", suggestion: suggestion)
  }

  /// `2000/5m`: so many in so many seconds.
  static func rate(_ text: String) throws(UnitProblem) -> (count: Int, seconds: Int) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2, let count = Int(parts[0].trimmed) {
      do {
        return (count, try duration(parts[1].trimmed))
      } catch {
        throw UnitProblem(
          message: "\"\(text)\" is not a rate: write it such as 2000/5m",
          suggestion: error.suggestion.map { "\(count)/\($0)" })
      }
    }
    throw UnitProblem(
      message: "\"\(text)\" is not a rate: write it such as 2000/5m",
      suggestion: Int(text).map { "\($0)/5m" })
  }

  private static func split(_ text: String) -> (number: String, unit: String) {
    let end = text.firstIndex { !($0.isASCII && ($0.isNumber || $0 == ".")) } ?? text.endIndex
    return (String(text[..<end]), text[end...].trimmed)
  }
}

extension Substring {
  /// Without white space at its ends.
  var trimmed: String {
    var text = self
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
