// When an alarm changes its state: pure functions over the datapoints of its window.

import AWSCore
import FoundationEssentials

enum AlarmState: String, Codable, Sendable {
  case ok = "OK"
  case alarm = "ALARM"
  case insufficientData = "INSUFFICIENT_DATA"
}

enum AlarmRules {
  struct Decision: Equatable, Sendable {
    var state: AlarmState
    var reason: String
  }

  /// What the datapoints say.
  /// - Parameter window: the periods that are looked at, oldest first: the start, and the value where there is one.
  /// - Returns: nil when the state stays as it is (`ignore` with nothing to go by).
  static func decide(
    _ alarm: AlarmSettings, _ window: [(start: Timestamp, value: Double?)]
  ) -> Decision? {
    let points = window.compactMap { period in period.value.map { (period.start, $0) } }
    let wanted = alarm.datapointsToAlarm ?? alarm.evaluationPeriods
    let breaching = points.filter { crosses(alarm.comparison, $0.1, alarm.threshold) }
    let missing = window.count - points.count
    let treat = alarm.treatMissingData ?? "missing"
    if points.isEmpty {
      switch treat {
      case "ignore": return nil
      case "breaching", "notBreaching":
        let word = treat == "breaching" ? "[Breaching]" : "[NonBreaching]"
        return Decision(
          state: treat == "breaching" ? .alarm : .ok,
          reason: "Threshold Crossed: no datapoints were received for \(periods(missing)) and "
            + "\(periods(missing)) were treated as \(word).")
      default:
        return Decision(
          state: .insufficientData, reason: "Insufficient Data: \(periods(missing)) were unknown.")
      }
    }
    let counted = breaching.count + (treat == "breaching" ? missing : 0)
    let isAlarm = counted >= wanted
    let told = isAlarm && !breaching.isEmpty ? breaching : points
    let list = told.reversed().map { "\($0.1) (\(stamp($0.0)))" }.joined(separator: ", ")
    let verb = isAlarm ? "was" : "was not"
    let subject =
      told.count == 1
      ? "1 out of the last \(window.count) datapoints" : "\(told.count) out of the last \(window.count) datapoints"
    return Decision(
      state: isAlarm ? .alarm : .ok,
      reason: "Threshold Crossed: \(subject) [\(list)] \(told.count == 1 ? verb : isAlarm ? "were" : "were not") "
        + "\(words(alarm.comparison)) the threshold (\(alarm.threshold)) (minimum \(wanted) "
        + "datapoint\(wanted == 1 ? "" : "s") for \(isAlarm ? "OK -> ALARM" : "ALARM -> OK") transition).")
  }

  static func crosses(_ comparison: String, _ value: Double, _ threshold: Double) -> Bool {
    switch comparison {
    case "GreaterThanOrEqualToThreshold": value >= threshold
    case "GreaterThanThreshold": value > threshold
    case "LessThanThreshold": value < threshold
    default: value <= threshold
    }
  }

  private static func words(_ comparison: String) -> String {
    switch comparison {
    case "GreaterThanOrEqualToThreshold": "greater than or equal to"
    case "GreaterThanThreshold": "greater than"
    case "LessThanThreshold": "less than"
    default: "less than or equal to"
    }
  }

  private static func periods(_ count: Int) -> String { count == 1 ? "1 datapoint" : "\(count) datapoints" }

  /// `23/11/26 05:00:00`, as AWS writes it there.
  private static func stamp(_ time: Timestamp) -> String {
    let civil = time.civil
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(two(civil.day))/\(two(civil.month))/\(two(civil.year % 100)) \(two(civil.hour)):\(two(civil.minute)):"
      + two(civil.second)
  }
}
