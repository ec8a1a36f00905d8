// Expressions over metrics, as GetMetricData and alarms take them: arithmetic and the common functions.

import AWSCore
import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#endif

/// Values by the start of their period, in seconds since 1970.
struct TimeSeries: Sendable, Equatable {
  var period: Int
  var values: [Int64: Double] = [:]

  func mapped(_ change: (Double) -> Double) -> TimeSeries {
    TimeSeries(period: period, values: values.compactMapValues { Self.finite(change($0)) })
  }

  /// What has no value (a division by zero) is no datapoint.
  static func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
}

/// The value of an expression.
enum MathValue: Sendable, Equatable {
  case number(Double)
  case series(TimeSeries)
  case array([TimeSeries])
}

/// Reads and computes one expression.
struct MetricMath {
  private let text: [Character]
  private var at = 0
  private let lookUp: (String) throws -> MathValue
  /// All metrics of the request, for METRICS().
  private let metrics: () throws -> [TimeSeries]
  /// The starts of all periods of the request, for FILL.
  private let periods: (Int) -> [Int64]

  /// - Throws: `ValidationError` for what is no expression, 501 for functions that are not built.
  static func evaluate(
    _ expression: String, lookUp: @escaping (String) throws -> MathValue,
    metrics: @escaping () throws -> [TimeSeries], periods: @escaping (Int) -> [Int64]
  ) throws -> MathValue {
    var math = MetricMath(text: Array(expression), lookUp: lookUp, metrics: metrics, periods: periods)
    let value = try math.sum()
    math.skipSpace()
    guard math.at == math.text.count else { throw math.failure("unexpected '\(math.text[math.at])'") }
    return value
  }

  private init(
    text: [Character], lookUp: @escaping (String) throws -> MathValue, metrics: @escaping () throws -> [TimeSeries],
    periods: @escaping (Int) -> [Int64]
  ) {
    self.text = text
    self.lookUp = lookUp
    self.metrics = metrics
    self.periods = periods
  }

  private func failure(_ what: String) -> AWSError {
    CloudWatchError.validation("Error in expression '\(String(text))': \(what)")
  }

  private mutating func skipSpace() { while at < text.count, text[at].isWhitespace { at += 1 } }

  private mutating func take(_ characters: String) -> Character? {
    skipSpace()
    guard at < text.count, characters.contains(text[at]) else { return nil }
    at += 1
    return text[at - 1]
  }

  private mutating func sum() throws -> MathValue {
    var value = try product()
    while let sign = take("+-") {
      value = try combine(value, try product()) { sign == "+" ? $0 + $1 : $0 - $1 }
    }
    return value
  }

  private mutating func product() throws -> MathValue {
    var value = try power()
    while let sign = take("*/") {
      value = try combine(value, try power()) { sign == "*" ? $0 * $1 : $0 / $1 }
    }
    return value
  }

  private mutating func power() throws -> MathValue {
    if take("-") != nil { return try combine(.number(0), try power()) { $0 - $1 } }
    let base = try primary()
    guard take("^") != nil else { return base }
    return try combine(base, try power()) { pow($0, $1) }
  }

  private mutating func primary() throws -> MathValue {
    skipSpace()
    guard at < text.count else { throw failure("it ends too early") }
    if take("(") != nil {
      let value = try sum()
      guard take(")") != nil else { throw failure("a ) is missing") }
      return value
    }
    if take("[") != nil {
      var all: [TimeSeries] = []
      repeat {
        switch try sum() {
        case .series(let one): all.append(one)
        case .array(let more): all += more
        case .number: throw failure("an array has metrics, not numbers")
        }
      } while take(",") != nil
      guard take("]") != nil else { throw failure("a ] is missing") }
      return .array(all)
    }
    if text[at].isNumber || text[at] == "." {
      let start = at
      while at < text.count, text[at].isNumber || text[at] == "." { at += 1 }
      guard let number = Double(String(text[start..<at])) else {
        throw failure("'\(String(text[start..<at]))' is no number")
      }
      return .number(number)
    }
    let start = at
    while at < text.count, text[at].isLetter || text[at].isNumber || text[at] == "_" { at += 1 }
    guard at > start else { throw failure("unexpected '\(text[at])'") }
    let name = String(text[start..<at])
    guard take("(") != nil else { return try lookUp(name) }
    return try function(name.uppercased())
  }

  // MARK: - Functions

  private mutating func function(_ name: String) throws -> MathValue {
    if name == "METRICS" {
      guard take(")") != nil else { throw AWSError.notImplemented("METRICS with an argument") }
      return .array(try metrics())
    }
    let value = try sum()
    var fill: MathValue?
    var repeats = false
    if take(",") != nil {
      guard name == "FILL" else { throw AWSError.notImplemented("the metric math function \(name) with two arguments") }
      skipSpace()
      if text[at...].starts(with: "REPEAT") {
        at += 6
        repeats = true
      } else {
        fill = try sum()
      }
    }
    guard take(")") != nil else { throw failure("a ) is missing behind \(name)") }
    switch name {
    case "SUM": return try together(value) { $0.reduce(0, +) }
    case "AVG": return try together(value) { $0.reduce(0, +) / Double($0.count) }
    case "MIN": return try together(value) { $0.min() ?? .nan }
    case "MAX": return try together(value) { $0.max() ?? .nan }
    case "ABS": return try each(value) { $0.mapped(abs) }
    case "CEIL": return try each(value) { $0.mapped { $0.rounded(.up) } }
    case "FLOOR": return try each(value) { $0.mapped { $0.rounded(.down) } }
    case "RATE": return try each(value) { Self.differences($0, perSecond: true) }
    case "DIFF": return try each(value) { Self.differences($0, perSecond: false) }
    case "PERIOD":
      guard case .series(let series) = value else { throw failure("PERIOD takes one metric") }
      return .number(Double(series.period))
    case "FILL":
      guard repeats || fill != nil else { throw failure("FILL takes a metric and what to fill in") }
      var number: Double?
      if case .number(let given)? = fill { number = given } else if fill != nil { throw failure("FILL takes a number") }
      return try each(value) { filled($0, with: number) }
    default: throw AWSError.notImplemented("the metric math function \(name)")
    }
  }

  private func each(_ value: MathValue, _ change: (TimeSeries) -> TimeSeries) throws -> MathValue {
    switch value {
    case .series(let one): return .series(change(one))
    case .array(let all): return .array(all.map(change))
    case .number: throw failure("a metric is wanted, not a number")
    }
  }

  /// Over time for one metric (a number), period by period for several (a metric).
  private func together(_ value: MathValue, _ join: ([Double]) -> Double) throws -> MathValue {
    switch value {
    case .number(let number): return .number(number)
    case .series(let one):
      return .number(one.values.isEmpty ? .nan : join(Array(one.values.values)))
    case .array(let all):
      var lists: [Int64: [Double]] = [:]
      for one in all { for (time, number) in one.values { lists[time, default: []].append(number) } }
      return .series(
        TimeSeries(period: all.first?.period ?? 60, values: lists.compactMapValues { TimeSeries.finite(join($0)) }))
    }
  }

  private func combine(_ a: MathValue, _ b: MathValue, _ join: (Double, Double) -> Double) throws -> MathValue {
    switch (a, b) {
    case (.number(let one), .number(let two)): return .number(join(one, two))
    case (.series(let one), .number(let two)): return .series(one.mapped { join($0, two) })
    case (.number(let one), .series(let two)): return .series(two.mapped { join(one, $0) })
    case (.series(let one), .series(let two)): return .series(Self.join(one, two, join))
    case (.array(let all), .number(let two)): return .array(all.map { $0.mapped { join($0, two) } })
    case (.number(let one), .array(let all)): return .array(all.map { $0.mapped { join(one, $0) } })
    case (.array(let all), .series(let two)): return .array(all.map { Self.join($0, two, join) })
    case (.series(let one), .array(let all)): return .array(all.map { Self.join(one, $0, join) })
    case (.array, .array): throw AWSError.notImplemented("arithmetic between two arrays of metrics")
    }
  }

  /// Periods that only one of them has give no datapoint, as on AWS.
  private static func join(_ a: TimeSeries, _ b: TimeSeries, _ join: (Double, Double) -> Double) -> TimeSeries {
    var result = TimeSeries(period: a.period)
    for (time, one) in a.values {
      if let two = b.values[time] { result.values[time] = TimeSeries.finite(join(one, two)) }
    }
    return result
  }

  private static func differences(_ series: TimeSeries, perSecond: Bool) -> TimeSeries {
    var result = TimeSeries(period: series.period)
    let times = series.values.keys.sorted()
    for (before, time) in zip(times, times.dropFirst()) {
      guard let old = series.values[before], let new = series.values[time] else { continue }
      result.values[time] = TimeSeries.finite((new - old) / (perSecond ? Double(time - before) : 1))
    }
    return result
  }

  private func filled(_ series: TimeSeries, with number: Double?) -> TimeSeries {
    var result = series
    var last = number
    for time in periods(series.period) {
      if let value = series.values[time] {
        if number == nil { last = value }
      } else if let last {
        result.values[time] = last
      }
    }
    return result
  }
}
